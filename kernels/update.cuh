// How a potential follows from the logarithm of its row's sum.
#pragma once
#include "common.cuh"

// A potential after an update; of the state before, how far the marginal is from what is prescribed,
// weight * 2^(-potential (1 - tau) / tau), and the prescribed mass.
struct Updated {
    real potential, error, mass;
};

// potential + omega (-tau log_sum - potential); with omega = 0 it stays. A potential that was not set is
// NaN, and is -top then: the sum of its row is near 1.
INLINE Updated update(const Side& side, real top, real log_sum, real weight, real old) {
    if (old != old) old = -top;
    const real marginal = weight > 0 ? weight * power2(old + log_sum) : 0;
    // Without weight the power may overflow: then nothing is prescribed.
    const real tilt = weight > 0 && side.tau < 1 ? power2(-old * relief(side.tau)) : 1;
    const real prescribed = weight * tilt;
    const real exact = -side.tau * log_sum;
    real potential = side.omega == 1 ? exact : fused(side.omega, exact - old, old);
    if (side.omega == 0) potential = old;
    return Updated{potential, magnitude(marginal - prescribed), prescribed};
}

// log2 of a sum of weights times powers, by the block: sum of weight * 2^(-relief * potential) over
// from..end, plus the logarithm of the mass.
INLINE real tilted(const real* log_weights, const real* potentials, int from, int end, const Side& side,
                   Lse* scratch) {
    const real slope = relief(side.tau);
    Lse a = nothing();
    for (int i = from + threadIdx.x; i < end; i += blockDim.x)
        a = join(a, Lse{larger(LOWEST, fused(-slope, potentials[i], log_weights[i])), 1});
    a = join_block(a, scratch);
    return a.top + logarithm2(a.sum) + side.log_mass;
}

// Adds a number to the potentials of from..end.
INLINE void move(const real* log_weights, real* potentials, real* h, int from, int end, real by) {
    for (int i = from + threadIdx.x; i < end; i += blockDim.x) {
        potentials[i] += by;
        h[i] = potentials[i] + log_weights[i];
    }
}
