// Directions of points, which turn the cosine into an inner product.
#include "common.cuh"

#define THREADS 128

// Each row divided by its length, with 1 / length; zeros stay zeros, with 0. A warp per row.
extern "C" __global__ void __launch_bounds__(THREADS)
normalise(const real* __restrict__ points, int n, int d, real* __restrict__ directions,
          real* __restrict__ inverse) {
    const int i = (blockIdx.x * THREADS + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (i >= n) return;
    const real* row = points + (long long)i * d;
    real largest = 0;
    for (int k = lane; k < d; k += 32) largest = larger(largest, magnitude(row[k]));
#pragma unroll
    for (int step = 16; step > 0; step /= 2)
        largest = larger(largest, __shfl_xor_sync(ALL_LANES, largest, step));
    // Divided by the largest coordinate, squares neither over- nor underflow.
    real sum = 0;
    for (int k = lane; k < d; k += 32) {
        const real v = largest > 0 ? row[k] / largest : 0;
        sum = fused(v, v, sum);
    }
    sum = sum_lanes(sum);
    const real length = largest * root(sum);
    for (int k = lane; k < d; k += 32)
        directions[(long long)i * d + k] = largest > 0 ? row[k] / length : 0;
    if (lane == 0) inverse[i] = largest > 0 ? 1 / length : 0;
}

// From a gradient g in a direction u to that in the point: (g - <g, u> u) / length, in place.
extern "C" __global__ void __launch_bounds__(THREADS)
normalise_gradient(const real* __restrict__ directions, const real* __restrict__ inverse, int n, int d,
                   real* __restrict__ gradients) {
    const int i = (blockIdx.x * THREADS + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (i >= n) return;
    const real* u = directions + (long long)i * d;
    real* g = gradients + (long long)i * d;
    real dot = 0;
    for (int k = lane; k < d; k += 32) dot = fused(g[k], u[k], dot);
    dot = sum_lanes(dot);
    for (int k = lane; k < d; k += 32) g[k] = fused(-dot, u[k], g[k]) * inverse[i];
}
