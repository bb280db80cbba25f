"""Makes sinkhorn.json: plans of ot.sinkhorn and ot.unbalanced.sinkhorn_unbalanced in float64.

Costs are squared distances. A relaxed marginal has the price reg_m * KL(marginal | weights) with
tau = reg_m / (reg_m + eps), and the entropy is relative to a b^T.
"""

import numpy as np
import ot

import golden

N, M, D = 7, 5, 2


def main():
    rng = np.random.default_rng(0)
    x = np.round(rng.standard_normal((N, D)), 6)
    y = np.round(0.8 * rng.standard_normal((M, D)) + 0.5, 6)
    a = np.round(rng.uniform(0.5, 1.5, N), 3)
    b = np.round(rng.uniform(0.5, 1.5, M), 3)
    costs = ot.dist(x, y)
    cases = []
    for eps in (1.0, 0.1, 0.02):
        p, q = a / a.sum(), b / b.sum()
        options = {"method": "sinkhorn_log", "stopThr": 1e-15, "numItermax": 200_000}
        plan = ot.sinkhorn(p, q, costs, eps, **options)
        assert np.abs(plan.sum(0) - q).sum() + np.abs(plan.sum(1) - p).sum() < 1e-12
        cases.append({"eps": eps, "tau": [1.0, 1.0], "plan": golden.finite(plan.ravel().tolist())})
    for eps, prices in ((0.5, (2.0, 2.0)), (0.1, (1.0, 5.0)), (0.2, (0.3, 0.3))):
        options = {"method": "sinkhorn", "reg_type": "kl", "stopThr": 1e-15, "numItermax": 200_000}
        plan = ot.unbalanced.sinkhorn_unbalanced(a, b, costs, eps, prices, **options)
        tau = [price / (price + eps) for price in prices]
        cases.append({"eps": eps, "tau": tau, "plan": golden.finite(plan.ravel().tolist())})
    arrays = {"x": x.ravel(), "y": y.ravel(), "a": a, "b": b}
    lists = {key: array.tolist() for key, array in arrays.items()}
    golden.write("sinkhorn", ["numpy", "POT"], {"d": D, **lists, "cases": cases})


if __name__ == "__main__":
    main()
