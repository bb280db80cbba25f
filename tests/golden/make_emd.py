"""Makes emd.json: costs of exact plans by POT's emd2 in float64.

Points have few digits, so that the file holds them exactly. The cost is |x - y|^2 unless the case
says otherwise; weights are divided by their sums by whoever reads them. The linear program solver
of scipy must agree.
"""

import numpy as np
import ot
from scipy.optimize import linprog

import golden


def cost_matrix(x, y, p):
    return (np.abs(x[:, None, :] - y[None, :, :]) ** p).sum(-1)


def program(a, b, c):
    """The least cost as a linear program."""
    n, m = c.shape
    rows, columns = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    found = linprog(c.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.concatenate([a, b]))
    assert found.status == 0
    return found.fun


def case(rng, name, n, m, d, p=2, weights="random", scale=1.0):
    x = np.round(rng.standard_normal((n, d)), 3)
    y = np.round(0.8 * rng.standard_normal((m, d)) + 0.5, 3)
    if weights == "uniform":
        a, b = np.ones(n), np.ones(m)
    elif weights == "spread":
        a, b = 10.0 ** np.round(rng.uniform(-6, 0, n), 2), 10.0 ** np.round(rng.uniform(-6, 0, m), 2)
    else:
        a, b = rng.integers(0, 20, n).astype(float), rng.integers(0, 20, m).astype(float)
    c = scale * cost_matrix(x, y, p)
    na, nb = a / a.sum(), b / b.sum()
    cost, log = ot.emd2(na, nb, c, numItermax=10**6, log=True)
    assert log["warning"] is None
    assert np.isclose(cost, program(na, nb, c / scale) * scale, rtol=1e-7, atol=1e-9 * scale)
    lists = {"x": x.ravel().tolist(), "y": y.ravel().tolist(), "a": a.tolist(), "b": b.tolist()}
    return {"name": name, "d": d, "p": p, "scale": scale, **lists, "cost": float(cost)}


def main():
    rng = np.random.default_rng(0)
    cases = [
        case(rng, "uniform, equal sizes", 20, 20, 2, weights="uniform"),
        case(rng, "uniform, other sizes", 12, 17, 2, weights="uniform"),
        case(rng, "weights with zeros and ties", 15, 10, 2),
        case(rng, "weights over six decades", 12, 14, 3, weights="spread"),
        case(rng, "L1 on the line", 20, 15, 1, p=1),
        case(rng, "large costs", 10, 13, 2, scale=1e8),
        case(rng, "one source", 1, 6, 2),
    ]
    golden.write("emd", ["numpy", "scipy", "POT"], {"cases": cases})


if __name__ == "__main__":
    main()
