// When a problem stops, and by how much its updates are over-relaxed: what solve.rs and relax.rs in
// src/solver/sinkhorn do, step by step, so that iterations are the same.
#pragma once
#include "common.cuh"

// Iterations over which a rate is observed, the largest over-relaxation, and the largest while the error
// is above FAR.
#define WINDOW 6
#define MOST 1.95
#define MOST_FAR 1.5
#define FAR 0.1
// Errors that are remembered: more than two windows.
#define MEMORY 16

// Phases. CHECK: potentials are held for one round, whose errors are then those of the potentials.
#define RUN 0
#define CHECK 1
#define MET 2
#define DIVERGED 3
#define ENDED 4

// The state of one problem; in global memory as so many numbers. `omega` is that of the next round, 0
// where potentials are held; `before` that of the last one.
struct Control {
    double phase, iterations, patience, omega, before;
    // Of over-relaxation: as in relax.rs.
    double plain, pause, caps[2], count, errors[MEMORY];
};

#define CONTROL (sizeof(Control) / sizeof(double))

INLINE void restart(Control& c) {
    c.omega = 1;
    c.count = 0;
}

// The error of so many iterations ago.
INLINE double past(const Control& c, int ago) { return c.errors[((int)c.count - 1 - ago) % MEMORY]; }

INLINE void accelerate(Control& c, double error, double omega) {
    const int half = WINDOW / 2;
    const double lambda = cbrt(past(c, 0) / past(c, half));
    const double before = cbrt(past(c, half) / past(c, 2 * half));
    // A rate that still changes says little about the end.
    const bool steady = fabs(lambda - before) <= 0.3 * (1 - fmin(lambda, before));
    if (!(lambda < 1 && lambda > 0.3 && steady && lambda > omega - 1 + 1e-3)) return;
    const double eta = fmin((lambda + omega - 1) * (lambda + omega - 1) / (lambda * omega * omega), 1.0);
    const double next = fmin(2 / (1 + sqrt(1 - eta)), error <= FAR ? c.caps[1] : c.caps[0]);
    if (next > omega + 0.01) {
        c.omega = next;
        c.count = 0;
    }
}

INLINE void observe(Control& c, double error) {
    c.errors[(int)c.count % MEMORY] = error;
    c.count += 1;
    if (c.omega == 1) {
        c.plain = error;
        if (c.count > c.pause) accelerate(c, error, 1);
        return;
    }
    const bool stalled = c.count > 3 * WINDOW && error > past(c, 2 * WINDOW);
    if (error > 10 * c.plain || stalled) {
        c.pause *= 2;
        const double cap = 1 + 0.7 * (c.omega - 1);
        if (c.plain <= FAR) {
            c.caps[1] = cap;
        } else {
            c.caps[0] = cap;
        }
        restart(c);
    } else if (c.count > 2 * WINDOW) {
        accelerate(c, error, c.omega);
    }
}

// After a round: `rows` and `columns` are the relative errors of the marginals, each before its update.
INLINE void control(Control& c, double rows, double columns, double tolerance, int limit, bool accelerated) {
    if (c.phase == RUN) {
        c.iterations += 1;
        // After a plain iteration the columns are met exactly.
        const double error = c.omega == 1 && c.before == 1 ? rows : rows + columns;
        c.before = c.omega;
        if (error <= tolerance && c.iterations >= c.patience) {
            c.phase = CHECK;
            c.omega = 0;
            return;
        }
        if (error != error) {
            c.phase = DIVERGED;
        } else if (error > 1.7976931348623157e308) {
            restart(c);
        } else if (accelerated) {
            observe(c, error);
        }
    } else if (c.phase == CHECK) {
        if (rows + columns <= tolerance) {
            c.phase = MET;
        } else {
            c.phase = RUN;
            restart(c);
            c.patience = c.iterations + 4;
        }
    }
    if (c.phase == RUN && c.iterations >= limit) c.phase = ENDED;
    if (c.phase >= MET) c.omega = 0;
}
