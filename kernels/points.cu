// Directions of points, which turn the cosine into an inner product.
#include "common.cuh"

#define THREADS 128

// Each row divided by its length, with 1 / length. A row of zeros has no direction: it gets `nowhere`,
// far from all directions and of another sign on the other side, and 0. A warp per row.
extern "C" __global__ void __launch_bounds__(THREADS)
normalise(const real* __restrict__ points, int n, int d, real nowhere,
          real* __restrict__ directions, real* __restrict__ inverse) {
    const int i = (blockIdx.x * THREADS + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (i >= n) return;
    const real* row = points + (long long)i * d;
    // In double precision, in which squares of f32 neither over- nor underflow and the length is exact.
    double sum = 0;
    for (int k = lane; k < d; k += 32) sum = fused((double)row[k], (double)row[k], sum);
    sum = sum_lanes(sum);
    const double scale = sum > 0 ? 1 / sqrt(sum) : 0;
    for (int k = lane; k < d; k += 32)
        directions[(long long)i * d + k] = sum > 0 ? (real)(row[k] * scale) : nowhere;
    if (lane == 0) inverse[i] = (real)scale;
}

// From a gradient g in a direction u to that in the point: (g - <g, u> / <u, u> u) / length, in place.
extern "C" __global__ void __launch_bounds__(THREADS)
normalise_gradient(const real* __restrict__ directions, const real* __restrict__ inverse, int n, int d,
                   real* __restrict__ gradients) {
    const int i = (blockIdx.x * THREADS + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (i >= n) return;
    const real* u = directions + (long long)i * d;
    real* g = gradients + (long long)i * d;
    double dot = 0, square = 0;
    for (int k = lane; k < d; k += 32) {
        dot = fused((double)g[k], (double)u[k], dot);
        square = fused((double)u[k], (double)u[k], square);
    }
    const double along = sum_lanes(dot) / sum_lanes(square);
    for (int k = lane; k < d; k += 32) g[k] = (real)((g[k] - along * u[k]) * inverse[i]);
}
