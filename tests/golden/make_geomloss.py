"""Makes geomloss.json: potentials of geomloss.SamplesLoss without debiasing, in float64.

With p = 2 the cost is |x - y|^2 / 2 and eps = blur^2; with p = 1 it is |x - y| and eps = blur. A reach
rho relaxes both marginals at the price rho^p KL, hence tau = rho^p / (rho^p + eps). The scaling is
so close to 1 that the iterations at the last eps converge.
"""

import numpy as np
import torch
from geomloss import SamplesLoss

import golden

N, M, D = 8, 6, 2


def main():
    rng = np.random.default_rng(3)
    x = np.round(rng.uniform(0, 1, (N, D)), 6)
    y = np.round(rng.uniform(0, 1, (M, D)), 6)
    a, b = np.round(rng.uniform(0.5, 1.5, N), 3), np.round(rng.uniform(0.5, 1.5, M), 3)
    a, b = a / a.sum(), b / b.sum()
    tensors = [torch.tensor(v) for v in (a, x, b, y)]
    cases = []
    for p, blur, reach in ((2, 0.3, None), (1, 0.2, None), (2, 0.3, 0.5)):
        options = {"p": p, "blur": blur, "reach": reach, "debias": False, "potentials": True}
        loss = SamplesLoss("sinkhorn", scaling=0.9995, backend="tensorized", **options)
        f, g = (v.detach().numpy().ravel() for v in loss(*tensors))
        eps = blur**p
        tau = 1.0 if reach is None else reach**p / (reach**p + eps)
        if reach is None:
            half = 0.5 * (b @ g - a @ f)
            f, g = f + half, g - half
        lists = {"f": golden.finite(f.tolist()), "g": golden.finite(g.tolist())}
        cases.append({"p": p, "eps": eps, "tau": tau, **lists})
    arrays = {"x": x.ravel(), "y": y.ravel(), "a": a, "b": b}
    lists = {key: array.tolist() for key, array in arrays.items()}
    golden.write("geomloss", ["numpy", "torch", "geomloss"], {"d": D, **lists, "cases": cases})


if __name__ == "__main__":
    main()
