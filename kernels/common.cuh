// What every kernel uses: the number type, powers and logarithms of two, sums over warps and blocks.
//
// No system header is included, so that NVRTC compiles these files without a toolkit.
// PRECISION is 32 or 64. Logarithms are to base 2 and potentials are in units of epsilon ln 2, so that
// an exponential is one instruction.
#pragma once

#if PRECISION == 64
typedef double real;
// Below every finite exponent; finite, so that differences of two of them are 0 and not NaN.
#define LOWEST (-1.7976931348623157e308)
// The logarithm of 0.
#define NOTHING (-__longlong_as_double(0x7ff0000000000000LL))
#else
typedef float real;
#define LOWEST (-3.402823466e38f)
#define NOTHING (-__int_as_float(0x7f800000))
#endif

#define ALL_LANES 0xffffffffu
#define INLINE __device__ __forceinline__

INLINE float power2(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
INLINE double power2(double x) { return exp2(x); }
INLINE float logarithm2(float x) { return log2f(x); }
INLINE double logarithm2(double x) { return log2(x); }
INLINE float root(float x) { return sqrtf(x); }
INLINE double root(double x) { return sqrt(x); }
INLINE float magnitude(float x) { return fabsf(x); }
INLINE double magnitude(double x) { return fabs(x); }
INLINE float larger(float a, float b) { return fmaxf(a, b); }
INLINE double larger(double a, double b) { return fmax(a, b); }
INLINE float fused(float a, float b, float c) { return fmaf(a, b, c); }
INLINE double fused(double a, double b, double c) { return fma(a, b, c); }

// x^p for x >= 0 and p > 0, as well as the exponential of 2 allows; 0 below the normal numbers. With
// x = 2^n y, y in [sqrt(1/2), sqrt(2)): log2 y = 2 artanh(s) / ln 2 with s = (y - 1) / (y + 1) by its
// series to s^9. The first term of it is carried as a sum of two numbers, and the whole part of the
// exponent becomes exponent bits, so that p does not amplify rounding.
INLINE float power(float x, float p) {
    const float TWICE = 2.885390082f, TWICE_REST = 3.851926e-8f;
    const int bits = __float_as_int(x), n = (bits - 0x3f3504f3) >> 23;
    const float y = __int_as_float(bits - (n << 23));
    const float down = y - 1, up = y + 1, up_rest = y - (up - 1);
    const float s = down / up, s_rest = fmaf(-s, up_rest, fmaf(-s, up, down)) / up, q = s * s;
    float series = fmaf(q, 1 / 9.0f, 1 / 7.0f);
    series = fmaf(q, series, 1 / 5.0f);
    series = fmaf(q, series, 1 / 3.0f);
    const float log = TWICE * s;
    const float log_rest = fmaf(TWICE, s, -log) + fmaf(TWICE_REST, s, TWICE * fmaf(s * q, series, s_rest));
    const float product = p * log, product_rest = fmaf(p, log, -product) + p * log_rest;
    const float whole = fminf(fmaxf(rintf(fmaf(p, (float)n, product)), -126.0f), 127.0f);
    const float fraction = power2(fmaf(p, (float)n, -whole) + product + product_rest);
    const float result = fraction * __int_as_float(((int)whole + 127) << 23);
    return p == 1 ? x : x < 1.17549435e-38f ? 0.0f : result;
}
INLINE double power(double x, double p) { return p == 1 ? x : exp2(p * log2(x)); }

// Numbers from aligned memory, 16 or more bytes at a time where there are four.
INLINE void load4(const float* from, float* to) {
    const float4 v = *reinterpret_cast<const float4*>(from);
    to[0] = v.x;
    to[1] = v.y;
    to[2] = v.z;
    to[3] = v.w;
}
INLINE void load4(const double* from, double* to) {
    const double2 u = *reinterpret_cast<const double2*>(from);
    const double2 v = *reinterpret_cast<const double2*>(from + 2);
    to[0] = u.x;
    to[1] = u.y;
    to[2] = v.x;
    to[3] = v.y;
}

template <int COUNT>
INLINE void load(const real* from, real* to) {
    if (COUNT % 4 == 0) {
#pragma unroll
        for (int i = 0; i < COUNT; i += 4) load4(from + i, to + i);
    } else {
#pragma unroll
        for (int i = 0; i < COUNT; ++i) to[i] = from[i];
    }
}

// log2 of a sum of powers of two: top + log2(sum). Empty: LOWEST and 0.
struct Lse {
    real top, sum;
};

INLINE Lse nothing() { return Lse{LOWEST, 0}; }

INLINE Lse join(Lse a, Lse b) {
    const real top = larger(a.top, b.top);
    return Lse{top, fused(a.sum, power2(a.top - top), b.sum * power2(b.top - top))};
}

// Joins 8 exponents to a sum of powers: one move of the maximum, and no branch.
INLINE void join8(Lse& a, const real* z) {
    real top = a.top;
#pragma unroll
    for (int q = 0; q < 8; ++q) top = larger(top, z[q]);
    real sum = a.sum * power2(a.top - top);
#pragma unroll
    for (int q = 0; q < 8; ++q) sum += power2(z[q] - top);
    a = Lse{top, sum};
}

// Over groups of WIDTH neighbouring lanes, a power of two; every lane gets the result.
template <int WIDTH>
INLINE Lse join_lanes(Lse a) {
#pragma unroll
    for (int lane = WIDTH / 2; lane > 0; lane /= 2) {
        const Lse b = {__shfl_xor_sync(ALL_LANES, a.top, lane), __shfl_xor_sync(ALL_LANES, a.sum, lane)};
        a = join(a, b);
    }
    return a;
}

template <typename Number>
INLINE Number sum_lanes(Number v) {
#pragma unroll
    for (int lane = 16; lane > 0; lane /= 2) v += __shfl_xor_sync(ALL_LANES, v, lane);
    return v;
}

// Over the block, a multiple of 32 threads; every thread gets the result. `scratch` has 32 numbers.
INLINE double sum_block(double v, double* scratch) {
    v = sum_lanes(v);
    __syncthreads();
    if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = v;
    __syncthreads();
    double sum = 0;
    for (int warp = 0; warp < blockDim.x / 32; ++warp) sum += scratch[warp];
    return sum;
}

INLINE double largest_block(double v, double* scratch) {
#pragma unroll
    for (int lane = 16; lane > 0; lane /= 2) v = larger(v, __shfl_xor_sync(ALL_LANES, v, lane));
    __syncthreads();
    if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = v;
    __syncthreads();
    double all = scratch[0];
    for (int warp = 1; warp < blockDim.x / 32; ++warp) all = larger(all, scratch[warp]);
    return all;
}

// The same for sums of powers; `scratch` has 32 entries.
INLINE Lse join_block(Lse a, Lse* scratch) {
    a = join_lanes<32>(a);
    __syncthreads();
    if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = a;
    __syncthreads();
    Lse all = scratch[0];
    for (int warp = 1; warp < blockDim.x / 32; ++warp) all = join(all, scratch[warp]);
    return all;
}

// What a block works on: rows and columns of one problem of a batch, counted through the batch.
struct Task {
    int row, row_end, column, column_end, problem, split;
};

INLINE Task read_task(const int* tasks) {
    const int4 a = reinterpret_cast<const int4*>(tasks)[2 * blockIdx.x];
    const int4 b = reinterpret_cast<const int4*>(tasks)[2 * blockIdx.x + 1];
    return Task{a.x, a.y, a.z, a.w, b.x, b.y};
}

// One marginal of one problem. `scale` times the form of the cost is in units of epsilon ln 2.
struct Side {
    real scale, tau, shift, omega, log_mass;
};

INLINE Side read_side(const real* sides, int problem) {
    const real* s = sides + 5 * problem;
    return Side{s[0], s[1], s[2], s[3], s[4]};
}

// epsilon / lambda = (1 - tau) / tau.
INLINE real relief(real tau) { return (1 - tau) / tau; }
