// Joins the parts of sums over columns.
#include "common.cuh"

#define THREADS 256

// out[row][output] = factor[row] * sum over parts; with `normalised`, divided by the sum of weights
// instead of multiplied by the factor.
extern "C" __global__ void __launch_bounds__(THREADS)
contract_merge(const real* __restrict__ partial, const real* __restrict__ weight_sums, int splits, int rows,
               int outputs, const real* __restrict__ factors, int normalised, real* __restrict__ out) {
    const long long t = (long long)blockIdx.x * THREADS + threadIdx.x;
    const long long all = (long long)rows * outputs;
    if (t >= all) return;
    const int i = (int)(t / outputs);
    real sum = 0, weight = 0;
    for (int s = 0; s < splits; ++s) {
        sum += partial[s * all + t];
        if (normalised) weight += weight_sums[(long long)s * rows + i];
    }
    out[t] = normalised ? sum / weight : sum * factors[i];
}
