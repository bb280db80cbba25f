// Forms of costs: a cost is scale * form(x, y), and FORM chooses the form.
//
//   SQUARE    |x - y|^2          half of it by the scale
//   DISTANCE  |x - y|
//   POWER     sum |x - y|^p      the scale is 1 / p
//   PRODUCT   -<x, y>
//   COSINE    1 - <x, y> / (|x||y|), as |x - y|^2 / 2 of directions; see points.cu for points at 0
//   STORED    read from a matrix
//
// Differences are taken before anything is summed: nothing cancels for points far from the origin.
#pragma once
#include "common.cuh"

#define SQUARE 0
#define DISTANCE 1
#define POWER 2
#define PRODUCT 3
#define COSINE 4
#define STORED 5

// Farther apart than two directions can be.
#define APART 8

// A sum over coordinates, continued by one.
INLINE real add_term(real sum, real x, real y, real p) {
#if FORM == PRODUCT
    return fused(x, y, sum);
#elif FORM == POWER
    return sum + power(magnitude(x - y), p);
#else
    const real z = x - y;
    return fused(z, z, sum);
#endif
}

INLINE real form_of(real sum) {
#if FORM == DISTANCE
    return root(sum);
#elif FORM == PRODUCT
    return -sum;
#elif FORM == COSINE
    return sum < APART ? sum / 2 : 1;
#else
    return sum;
#endif
}

// The derivative of the form in coordinate k of x is outer(form, p) * inner(x_k, y_k, p).
INLINE real outer(real form, real p) {
#if FORM == SQUARE
    return 2;
#elif FORM == DISTANCE
    return form > 0 ? 1 / form : 0;
#elif FORM == POWER
    return p;
#elif FORM == PRODUCT
    return -1;
#else
    return 1;
#endif
}

INLINE real inner(real x, real y, real p) {
#if FORM == PRODUCT
    return y;
#elif FORM == POWER
    const real z = x - y, a = magnitude(z);
    const real slope = a > 0 ? power(a, p - 1) : 0;
    return z < 0 ? -slope : slope;
#elif FORM == COSINE
    // What points along x, projecting to the tangent removes again.
    return magnitude(x - y) < APART ? x - y : 0;
#else
    return x - y;
#endif
}

// The form between two rows of d coordinates.
INLINE real form_between(const real* x, const real* y, int d, real p) {
    real sum = 0;
    for (int k = 0; k < d; ++k) sum = add_term(sum, x[k], y[k], p);
    return form_of(sum);
}
