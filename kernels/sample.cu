// Pairs (i, j) drawn from a plan: i by the masses of the rows, then j by the conditional plan of row i,
// both by inversion of the distribution function. Sample s uses the words of counter s alone, so that
// draws do not depend on how many there are.
#include "cost.cuh"
#include "random.cuh"

#define THREADS 128

// The first index at which the running sum of values exceeds the target, or the last with a positive
// value; by a warp, 32 values at a time.
template <typename Value>
INLINE int pick(int count, double target, Value value) {
    const int lane = threadIdx.x % 32;
    double before = 0;
    int last = 0;
    for (int j0 = 0; j0 < count; j0 += 32) {
        const double v = j0 + lane < count ? (double)value(j0 + lane) : 0;
        double sum = v;
#pragma unroll
        for (int step = 1; step < 32; step *= 2) {
            const double left = __shfl_up_sync(ALL_LANES, sum, step);
            if (lane >= step) sum += left;
        }
        const unsigned past = __ballot_sync(ALL_LANES, before + sum > target);
        if (past != 0) return j0 + __ffs(past) - 1;
        const unsigned positive = __ballot_sync(ALL_LANES, v > 0);
        if (positive != 0) last = j0 + 31 - __clz(positive);
        before += __shfl_sync(ALL_LANES, sum, 31);
    }
    return last;
}

// `mass` is the sum of the row masses. A warp per sample; pairs[sample] = (i, j).
extern "C" __global__ void __launch_bounds__(THREADS)
sample_pairs(const real* __restrict__ x, const real* __restrict__ y, int n, int m, int d, int stride, real p,
             const real* __restrict__ h, const real* __restrict__ sides, const real* __restrict__ log_sums,
             const real* __restrict__ masses, double mass, int first, int count, int key0, int key1,
             int* __restrict__ pairs) {
    const int s = (blockIdx.x * THREADS + threadIdx.x) / 32;
    if (s >= count) return;
    const Words words = philox(Words{{(unsigned)(first + s), 0, 0, 0}}, key0, key1);
    const int i = pick(n, uniform(words.v[0], words.v[1]) * mass, [&](int i) { return masses[i]; });
    const Side side = read_side(sides, 0);
    const real log_sum = log_sums[i] - side.shift;
    const int j = pick(m, uniform(words.v[2], words.v[3]), [&](int j) {
#if FORM == STORED
        const real form = x[(long long)i * d + (long long)j * stride];
#else
        const real form = form_between(x + (long long)i * d, y + (long long)j * d, d, p);
#endif
        return power2(fused(-side.scale, form, h[j]) - log_sum);
    });
    if (threadIdx.x % 32 == 0) {
        pairs[2 * s] = i;
        pairs[2 * s + 1] = j;
    }
}
