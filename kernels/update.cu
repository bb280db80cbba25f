// From sums of powers to potentials, and the sums over a problem that stopping needs.
#include "control.cuh"
#include "update.cuh"

#define THREADS 256

// Joins the parts of each row, log_sum = log2 sum_j 2^(...) + shift, and updates its potential;
// h = potential + log2 weight.
extern "C" __global__ void __launch_bounds__(THREADS)
softmin_merge(const int* __restrict__ problem, const real* __restrict__ tops, const real* __restrict__ sums,
              int splits, int rows, const real* __restrict__ sides, const real* __restrict__ weights,
              const real* __restrict__ log_weights, real* __restrict__ potentials, real* __restrict__ h,
              real* __restrict__ log_sums, real* __restrict__ errors, real* __restrict__ masses) {
    const int i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= rows) return;
    Lse all = nothing();
    for (int s = 0; s < splits; ++s) {
        const long long at = (long long)s * rows + i;
        all = join(all, Lse{tops[at], sums[at]});
    }
    const Side side = read_side(sides, problem[i]);
    const real log_sum = all.top + logarithm2(all.sum) + side.shift;
    const Updated updated = update(side, all.top, log_sum, weights[i], potentials[i]);
    log_sums[i] = log_sum;
    errors[i] = updated.error;
    masses[i] = updated.mass;
    potentials[i] = updated.potential;
    h[i] = updated.potential + log_weights[i];
}

// Sums of errors and masses of each problem, whose rows are starts[problem]..starts[problem + 1]; one
// block each. They are written from totals[first] on.
extern "C" __global__ void __launch_bounds__(THREADS)
marginal_errors(const int* __restrict__ starts, const real* __restrict__ errors,
                const real* __restrict__ masses, double* __restrict__ totals, int first) {
    __shared__ double scratch[32];
    const int end = starts[blockIdx.x + 1];
    double error = 0, mass = 0;
    for (int i = starts[blockIdx.x] + threadIdx.x; i < end; i += THREADS) {
        error += errors[i];
        mass += masses[i];
    }
    error = sum_block(error, scratch);
    mass = sum_block(mass, scratch);
    if (threadIdx.x == 0) {
        totals[first + 2 * blockIdx.x] = error;
        totals[first + 2 * blockIdx.x + 1] = mass;
    }
}

// One round of the control of each problem, one block each: its errors are summed, and the next
// over-relaxation is put where the updates read it. What has stopped holds its potentials.
extern "C" __global__ void __launch_bounds__(THREADS, 4)
control_rounds(const int* __restrict__ starts, const real* __restrict__ errors, const real* __restrict__ masses,
               real* __restrict__ sides, const int* __restrict__ starts2, const real* __restrict__ errors2,
               const real* __restrict__ masses2, real* __restrict__ sides2, double tolerance, int limit,
               int accelerated, double* __restrict__ states) {
    __shared__ double scratch[32];
    const int k = blockIdx.x;
    Control& state = reinterpret_cast<Control*>(states)[k];
    if (state.phase >= MET) return;
    double sums[4] = {0, 0, 0, 0};
    for (int i = starts[k] + threadIdx.x; i < starts[k + 1]; i += THREADS) {
        sums[0] += errors[i];
        sums[1] += masses[i];
    }
    for (int i = starts2[k] + threadIdx.x; i < starts2[k + 1]; i += THREADS) {
        sums[2] += errors2[i];
        sums[3] += masses2[i];
    }
#pragma unroll
    for (int s = 0; s < 4; ++s) sums[s] = sum_block(sums[s], scratch);
    if (threadIdx.x != 0) return;
    control(state, sums[0] / sums[1], sums[2] / sums[3], tolerance, limit, accelerated != 0);
    sides[5 * k + 3] = (real)state.omega;
    sides2[5 * k + 3] = (real)state.omega;
}

// Moves the best constant between the potentials of a relaxed problem (arXiv:2201.00730), one block
// per problem. Problems with omega = 0 and balanced ones stay.
extern "C" __global__ void __launch_bounds__(THREADS)
translate(const int* __restrict__ starts, const real* __restrict__ sides,
          const real* __restrict__ log_weights, real* __restrict__ potentials, real* __restrict__ h,
          const int* __restrict__ starts2, const real* __restrict__ sides2,
          const real* __restrict__ log_weights2, real* __restrict__ potentials2, real* __restrict__ h2) {
    __shared__ Lse scratch[32];
    const int k = blockIdx.x;
    const Side a = read_side(sides, k), b = read_side(sides2, k);
    if (a.omega == 0 || (a.tau == 1 && b.tau == 1)) return;
    const int from = starts[k], end = starts[k + 1], from2 = starts2[k], end2 = starts2[k + 1];
    const real tilt = tilted(log_weights, potentials, from, end, a, scratch);
    const real tilt2 = tilted(log_weights2, potentials2, from2, end2, b, scratch);
    const real by = (tilt - tilt2) / (relief(a.tau) + relief(b.tau));
    move(log_weights, potentials, h, from, end, by);
    move(log_weights2, potentials2, h2, from2, end2, -by);
}

// Potentials in the units of another epsilon.
extern "C" __global__ void __launch_bounds__(THREADS)
rescale(const int* __restrict__ problem, const real* __restrict__ ratios, int rows,
        const real* __restrict__ log_weights, real* __restrict__ potentials, real* __restrict__ h) {
    const int i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= rows) return;
    potentials[i] *= ratios[problem[i]];
    h[i] = potentials[i] + log_weights[i];
}
