"""Makes divergence.json: Sinkhorn divergences and entropic costs with their gradients, in float64.

From ott-jax (cost |x - y|^2; `reg_ot_cost`, `ent_reg_cost` and `sinkhorn_divergence`, balanced only:
its plans between relaxed marginals have another mass than those of POT) and from geomloss (cost |x - y|^2 / 2, `blur` is the root of epsilon and `reach`
that of the price of a marginal). geomloss does a fixed number of iterations along a schedule of
epsilon; here the schedule is 2000 steps within a millionth of the last epsilon. Gradients of geomloss
are balanced only: with `reach` they are (rho + eps / 2) / (rho + eps) times the differences of its values.
"""

import jax

jax.config.update("jax_enable_x64", True)

import geomloss
import jax.numpy as jnp
import numpy as np
import torch
from ott.geometry import pointcloud
from ott.problems.linear import linear_problem
from ott.solvers.linear import sinkhorn
from ott.tools import sinkhorn_divergence

import golden

N, M, D = 7, 5, 2
SOLVE = {"threshold": 1e-13, "max_iterations": 200_000}


def plain(values):
    return golden.finite(np.asarray(values, np.float64).ravel().tolist())


def ott_cost(x, y, a, b, eps, entropic):
    problem = linear_problem.LinearProblem(pointcloud.PointCloud(x, y, epsilon=eps), a, b)
    out = sinkhorn.Sinkhorn(lse_mode=True, **SOLVE)(problem)
    return out.ent_reg_cost if entropic else out.reg_ot_cost


def ott_divergence(x, y, a, b, eps):
    geometry = pointcloud.PointCloud
    return sinkhorn_divergence.sinkhorn_divergence(
        geometry, x, y, a=a, b=b, epsilon=eps, solve_kwargs=SOLVE
    )[0]


def from_ott(x, y, a, b):
    p, q = a / a.sum(), b / b.sum()
    for eps in (1.0, 0.1):
        case = {"eps": eps, "tau": 1.0}
        # The two costs have the same gradient.
        case["shannon"] = float(ott_cost(x, y, p, q, eps, True))
        for name, value in {
            "relative": lambda x, y: ott_cost(x, y, p, q, eps, False),
            "divergence": lambda x, y: ott_divergence(x, y, p, q, eps),
        }.items():
            found, (of_x, of_y) = jax.value_and_grad(value, argnums=(0, 1))(x, y)
            case[name] = float(found)
            case[f"{name}_x"], case[f"{name}_y"] = plain(of_x), plain(of_y)
        yield case


def from_geomloss(x, y, a, b):
    for blur, reach in ((1.0, None), (0.4, None), (0.5, 1.0), (0.3, 2.0)):
        p, q = (a / a.sum(), b / b.sum()) if reach is None else (a, b)
        schedule = {"diameter": blur * (1 + 1e-6), "scaling": 1 - 5e-10}
        loss = geomloss.SamplesLoss(
            "sinkhorn", p=2, blur=blur, reach=reach, backend="tensorized", **schedule
        )
        tensors = [torch.tensor(v, requires_grad=True) for v in (p, x, q, y)]
        value = loss(*tensors)
        _, of_x, _, of_y = torch.autograd.grad(value, tensors)
        eps = blur**2
        tau = 1.0 if reach is None else reach**2 / (reach**2 + eps)
        case = {"eps": eps, "tau": tau, "divergence": value.item()}
        if reach is None:
            case |= {"divergence_x": plain(of_x), "divergence_y": plain(of_y)}
        yield case


def main():
    rng = np.random.default_rng(0)
    x = np.round(rng.standard_normal((N, D)), 6)
    y = np.round(0.8 * rng.standard_normal((M, D)) + 0.5, 6)
    a = np.round(rng.uniform(0.1, 0.2, N), 3)
    b = np.round(rng.uniform(0.1, 0.3, M), 3)
    lists = {"x": plain(x), "y": plain(y), "a": plain(a), "b": plain(b)}
    cases = {
        "ott": list(from_ott(*(jnp.asarray(v) for v in (x, y, a, b)))),
        "geomloss": list(from_geomloss(x, y, a, b)),
    }
    packages = ["numpy", "jax", "ott-jax", "torch", "geomloss"]
    golden.write("divergence", packages, {"d": D, **lists, **cases})


if __name__ == "__main__":
    main()
