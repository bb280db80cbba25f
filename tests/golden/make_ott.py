"""Makes ott.json: potentials and maps of ott-jax in float64.

Potentials are dual potentials of Sinkhorn's algorithm, shifted so that the mean of f under a equals
that of g under b where both marginals are balanced; entropic maps are `EntropicPotentials.transport`
at points that the solver has not seen. In ott-jax P = exp((f + g - C) / eps), without the weights:
here eps log a is taken from f, and eps log b from g, where both marginals are balanced. Where one is
relaxed, the entropy of ott-jax is relative to the counting measure: f and g are as they come, and those
of the problem with costs C + eps (log a + log b). `to_dual_potentials` of ott-jax 0.6.0 multiplies
by b again where it extends f; it gets g without the weights, so that they count once.
"""

import jax
import jax.numpy as jnp
import numpy as np
from ott.geometry import costs, grid, pointcloud, regularizers
from ott.problems.linear import linear_problem
from ott.problems.linear import potentials as potentials_module
from ott.solvers.linear import sinkhorn

import golden

jax.config.update("jax_enable_x64", True)

N, M, D, NEW = 9, 7, 3, 4


def solve(geom, a, b, tau=(1.0, 1.0)):
    problem = linear_problem.LinearProblem(geom, a=a, b=b, tau_a=tau[0], tau_b=tau[1])
    solver = sinkhorn.Sinkhorn(threshold=1e-13, max_iterations=100_000, lse_mode=True)
    out = jax.jit(solver)(problem)
    assert bool(out.converged)
    return problem, out


def potentials(out, eps, a, b, balanced):
    f, g = np.asarray(out.f), np.asarray(out.g)
    if balanced:
        f, g = f - eps * np.log(a), g - eps * np.log(b)
        half = 0.5 * (b @ g - a @ f)
        f, g = f + half, g - half
    return golden.finite(f.tolist()), golden.finite(g.tolist())


def dual_potentials(problem, out, eps, b):
    f = problem.potential_fn_from_dual_vec(out.g - eps * jnp.log(b), axis=1)
    g = problem.potential_fn_from_dual_vec(out.f, axis=0)
    return potentials_module.DualPotentials(f, g, cost_fn=out.geom.cost_fn)


def clouds():
    rng = np.random.default_rng(1)
    x = np.round(rng.standard_normal((N, D)), 6)
    y = np.round(0.8 * rng.standard_normal((M, D)) + 0.5, 6)
    new = np.round(rng.standard_normal((NEW, D)), 6)
    a, b = np.round(rng.uniform(0.5, 1.5, N), 3), np.round(rng.uniform(0.5, 1.5, M), 3)
    named = {
        "SqEuclidean": costs.SqEuclidean(),
        "PNorm 1.5": costs.PNormP(1.5),
        "Elastic L1 0.3": costs.RegTICost(regularizers.L1(), lam=0.3),
        "Euclidean": costs.Euclidean(),
    }
    cases = []
    for name, cost in named.items():
        for eps, tau in ((0.5, (1.0, 1.0)), (0.1, (1.0, 1.0)), (0.3, (0.9, 0.7))):
            geom = pointcloud.PointCloud(x, y, cost_fn=cost, epsilon=eps)
            balanced = tau == (1.0, 1.0)
            p, q = (a / a.sum(), b / b.sum()) if balanced else (a, b)
            problem, out = solve(geom, p, q, tau)
            f, g = potentials(out, eps, p, q, balanced)
            case = {"cost": name, "eps": eps, "tau": list(tau), "f": f, "g": g}
            if balanced and name != "Euclidean":
                dual = dual_potentials(problem, out, eps, q)
                images = np.asarray(dual.transport(jnp.asarray(new), forward=True))
                back = np.asarray(dual.transport(jnp.asarray(new), forward=False))
                case["forward"] = golden.finite(images.ravel().tolist())
                case["backward"] = golden.finite(back.ravel().tolist())
            cases.append(case)
    arrays = {"x": x.ravel(), "y": y.ravel(), "a": a, "b": b, "at": new.ravel()}
    return {"d": D, **{key: v.tolist() for key, v in arrays.items()}, "cases": cases}


def grids():
    rng = np.random.default_rng(2)
    sizes = (4, 3)
    xs = [np.round(np.sort(rng.uniform(0, 1, n)), 3) for n in sizes]
    n = int(np.prod(sizes))
    a, b = np.round(rng.uniform(0.1, 1.0, n), 3), np.round(rng.uniform(0.1, 1.0, n), 3)
    a, b = a / a.sum(), b / b.sum()
    eps = 0.05
    geom = grid.Grid(x=[jnp.asarray(x) for x in xs], cost_fns=[costs.SqEuclidean()], epsilon=eps)
    _, out = solve(geom, a, b)
    f, g = potentials(out, eps, a, b, True)
    axes = {f"axis{k}": x.tolist() for k, x in enumerate(xs)}
    return {"eps": eps, **axes, "a": a.tolist(), "b": b.tolist(), "f": f, "g": g}


def main():
    golden.write("ott", ["numpy", "jax", "ott-jax"], {"clouds": clouds(), "grid": grids()})


if __name__ == "__main__":
    main()
