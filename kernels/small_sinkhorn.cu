// Sinkhorn's algorithm for small problems: one block each, which keeps costs and potentials in shared
// memory for all iterations and stops by itself.
//
// A warp has a row (or column) at a time. The pitch of the costs is odd, so that both rows and columns
// are read without bank conflicts.
#include "control.cuh"
#include "cost.cuh"
#include "update.cuh"

#define THREADS 256

// One marginal: log2 weights and weights in global memory, the rest in shared memory. `step` is the
// distance of its costs, `across` that of the other side's.
struct Marginal {
    Side side;
    const real* weights;
    const real* log_weights;
    real* potentials;
    real* h;
    int count, step, across;
};

// One marginal after the other; with omega = 0 the potentials stay. Adds the distance of the marginal to
// what is prescribed, before the update, and what is prescribed, to sums of lane 0.
INLINE void half_step(const Marginal& own, const Marginal& other, const real* costs, real omega, double* sums) {
    const int lane = threadIdx.x % 32;
    Side side = own.side;
    side.omega = omega;
    for (int i = threadIdx.x / 32; i < own.count; i += THREADS / 32) {
        const real* row = costs + i * own.step;
        real top = LOWEST;
        for (int j = lane; j < other.count; j += 32) top = larger(top, other.h[j] - row[j * own.across]);
#pragma unroll
        for (int step = 16; step > 0; step /= 2) top = larger(top, __shfl_xor_sync(ALL_LANES, top, step));
        real sum = 0;
        for (int j = lane; j < other.count; j += 32) sum += power2(other.h[j] - row[j * own.across] - top);
        sum = sum_lanes(sum);
        if (lane == 0) {
            const real log_sum = top + logarithm2(sum) + side.shift;
            const Updated updated = update(side, top, log_sum, own.weights[i], own.potentials[i]);
            sums[0] += updated.error;
            sums[1] += updated.mass;
            own.potentials[i] = updated.potential;
            own.h[i] = updated.potential + own.log_weights[i];
        }
    }
    __syncthreads();
}

INLINE void begin(const Marginal& own, const real* potentials) {
    for (int i = threadIdx.x; i < own.count; i += THREADS) {
        own.potentials[i] = potentials[i];
        own.h[i] = potentials[i] + own.log_weights[i];
    }
}

INLINE void end(const Marginal& own, real* potentials, real* h) {
    for (int i = threadIdx.x; i < own.count; i += THREADS) {
        potentials[i] = own.potentials[i];
        h[i] = own.h[i];
    }
}

// Dynamic shared memory: rows * (columns | 1) + 2 rows + 2 columns numbers of the largest problem. With a
// negative tolerance there are `limit` plain iterations and the states are not touched.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
small_sinkhorn(const int* __restrict__ problems, const int* __restrict__ starts,
               const int* __restrict__ starts2, const real* __restrict__ x, const real* __restrict__ y,
               int d, real p, const real* __restrict__ sides, const real* __restrict__ sides2,
               const real* __restrict__ weights, const real* __restrict__ weights2,
               const real* __restrict__ log_weights, const real* __restrict__ log_weights2,
               real* __restrict__ potentials, real* __restrict__ potentials2, real* __restrict__ h,
               real* __restrict__ h2, double tolerance, int limit, int accelerated,
               double* __restrict__ states) {
    extern __shared__ __align__(16) real memory[];
    __shared__ double scratch[THREADS / 32][4];
    __shared__ Lse scratch2[32];
    __shared__ Control state;
    const int k = problems[blockIdx.x];
    const int from = starts[k], n = starts[k + 1] - from;
    const int from2 = starts2[k], m = starts2[k + 1] - from2;
    const int pitch = m | 1;
    real* costs = memory;
    real* rest = memory + n * pitch;
    const Marginal a = {read_side(sides, k), weights + from, log_weights + from, rest, rest + n, n, pitch, 1};
    rest += 2 * n;
    const Marginal b = {read_side(sides2, k), weights2 + from2, log_weights2 + from2, rest, rest + m, m, 1,
                        pitch};
    for (int t = threadIdx.x; t < n * m; t += THREADS) {
        const int i = t / m, j = t % m;
        const real* row = x + (long long)(from + i) * d;
        costs[i * pitch + j] = a.side.scale * form_between(row, y + (long long)(from2 + j) * d, d, p);
    }
    begin(a, potentials + from);
    begin(b, potentials2 + from2);
    const bool controlled = tolerance >= 0;
    Control* kept = reinterpret_cast<Control*>(states) + k;
    if (threadIdx.x == 0) state = *kept;
    __syncthreads();
    for (int round = 0; controlled ? state.phase < MET : round < limit; ++round) {
        const real omega = controlled ? (real)state.omega : 1;
        double sums[4] = {0, 0, 0, 0};
        half_step(a, b, costs, omega, sums);
        half_step(b, a, costs, omega, sums + 2);
        if (omega != 0 && (a.side.tau < 1 || b.side.tau < 1)) {
            const real tilt = tilted(a.log_weights, a.potentials, 0, n, a.side, scratch2);
            const real tilt2 = tilted(b.log_weights, b.potentials, 0, m, b.side, scratch2);
            const real by = (tilt - tilt2) / (relief(a.side.tau) + relief(b.side.tau));
            move(a.log_weights, a.potentials, a.h, 0, n, by);
            move(b.log_weights, b.potentials, b.h, 0, m, -by);
            __syncthreads();
        }
        if (!controlled) continue;
        if (threadIdx.x % 32 == 0) {
#pragma unroll
            for (int s = 0; s < 4; ++s) scratch[threadIdx.x / 32][s] = sums[s];
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            for (int warp = 1; warp < THREADS / 32; ++warp) {
#pragma unroll
                for (int s = 0; s < 4; ++s) sums[s] += scratch[warp][s];
            }
            control(state, sums[0] / sums[1], sums[2] / sums[3], tolerance, limit, accelerated != 0);
        }
        __syncthreads();
    }
    end(a, potentials + from, h + from);
    end(b, potentials2 + from2, h2 + from2);
    if (threadIdx.x == 0) *kept = state;
}
