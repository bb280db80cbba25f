// Columns drawn from rows of a plan by inversion of the distribution function, and rows as they are.
#include "cost.cuh"

#define THREADS 128

// The row i of a plan, up to a factor near 1: 2^(h_j - cost - log_sum_i).
struct Row {
    const real* x;
    const real* y;
    const real* h;
    int d, stride;
    real p, scale, log_sum;
    int i;

    INLINE Row(const real* x, const real* y, int d, int stride, real p, const real* h, const real* sides,
               const real* log_sums, int i)
        : x(x), y(y), h(h), d(d), stride(stride), p(p), i(i) {
        const Side side = read_side(sides, 0);
        scale = side.scale;
        log_sum = log_sums[i] - side.shift;
    }

    INLINE real operator()(int j) const {
#if FORM == STORED
        const real form = x[(long long)i * d + (long long)j * stride];
#else
        const real form = form_between(x + (long long)i * d, y + (long long)j * d, d, p);
#endif
        return power2(fused(-scale, form, h[j]) - log_sum);
    }
};

// The first index at which the running sum of values exceeds the target, or the last with a positive
// value; by a warp, 32 values at a time.
INLINE int pick(int count, double target, const Row& row) {
    const int lane = threadIdx.x % 32;
    double before = 0;
    int last = 0;
    for (int j0 = 0; j0 < count; j0 += 32) {
        const double v = j0 + lane < count ? (double)row(j0 + lane) : 0;
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

// The column of each of `count` draws: their row, and a number in [0, 1). A warp per draw.
extern "C" __global__ void __launch_bounds__(THREADS)
sample_columns(const real* __restrict__ x, const real* __restrict__ y, int m, int d, int stride, real p,
               const real* __restrict__ h, const real* __restrict__ sides, const real* __restrict__ log_sums,
               const int* __restrict__ rows, const double* __restrict__ numbers, int count,
               int* __restrict__ columns) {
    const int s = (blockIdx.x * THREADS + threadIdx.x) / 32;
    if (s >= count) return;
    const int j = pick(m, numbers[s], Row(x, y, d, stride, p, h, sides, log_sums, rows[s]));
    if (threadIdx.x % 32 == 0) columns[s] = j;
}

// The `count` rows in full, m numbers each. A thread per number.
extern "C" __global__ void __launch_bounds__(THREADS)
plan_rows(const real* __restrict__ x, const real* __restrict__ y, int m, int d, int stride, real p,
          const real* __restrict__ h, const real* __restrict__ sides, const real* __restrict__ log_sums,
          const int* __restrict__ rows, int count, real* __restrict__ out) {
    const long long at = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (at >= (long long)count * m) return;
    out[at] = Row(x, y, d, stride, p, h, sides, log_sums, rows[at / m])((int)(at % m));
}
