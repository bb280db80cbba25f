"""Makes ode.json: solutions of initial value problems by scipy's RK45, with its numbers of evaluations,
and by DOP853 at a tolerance of 1e-13.

The problems are written once more in tests/solver/ode.rs.
"""

import numpy as np
from scipy.integrate import solve_ivp

import golden


def van_der_pol(t, x):
    return [x[1], 2.0 * (1.0 - x[0] ** 2) * x[1] - x[0]]


def predator_prey(t, x):
    return [1.5 * x[0] - x[0] * x[1], x[0] * x[1] - 3.0 * x[1]]


def forced(t, x):
    return [x[0] * np.cos(3.0 * t), x[0] - x[1] + np.sin(t)]


PROBLEMS = [
    ("van_der_pol", van_der_pol, [2.0, 0.0], np.linspace(0.0, 8.0, 9)),
    ("predator_prey", predator_prey, [3.0, 1.0], np.linspace(0.0, 6.0, 7)),
    ("forced", forced, [1.0, -1.0], np.linspace(2.0, -3.0, 6)),
]

cases = []
for name, field, start, times in PROBLEMS:
    exact = solve_ivp(
        field, (times[0], times[-1]), start, "DOP853", times, rtol=1e-13, atol=1e-13
    )
    for tolerance in [1e-3, 1e-5, 1e-8]:
        found = solve_ivp(
            field, (times[0], times[-1]), start, "RK45", times, rtol=tolerance, atol=tolerance
        )
        cases.append(
            {
                "problem": name,
                "tolerance": tolerance,
                "start": start,
                "times": golden.finite(times.tolist()),
                "states": golden.finite(found.y.T.ravel().tolist()),
                "evaluations": found.nfev,
                "exact": golden.finite(exact.y.T.ravel().tolist()),
            }
        )
golden.write("ode", ["numpy", "scipy"], {"cases": cases})
