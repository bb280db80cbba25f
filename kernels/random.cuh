// Philox4x32-10 (Salmon et al., SC 2011): four random words for a counter and a key.
#pragma once

struct Words {
    unsigned v[4];
};

__device__ __forceinline__ Words philox(Words counter, unsigned key0, unsigned key1) {
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const unsigned low0 = 0xD2511F53u * counter.v[0], high0 = __umulhi(0xD2511F53u, counter.v[0]);
        const unsigned low1 = 0xCD9E8D57u * counter.v[2], high1 = __umulhi(0xCD9E8D57u, counter.v[2]);
        counter = Words{{high1 ^ counter.v[1] ^ key0, low1, high0 ^ counter.v[3] ^ key1, low0}};
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return counter;
}

// In [0, 1), with 53 bits.
__device__ __forceinline__ double uniform(unsigned a, unsigned b) {
    const unsigned long long bits = ((unsigned long long)a << 32 | b) >> 11;
    return (double)bits * (1.0 / 9007199254740992.0);
}
