"""The ott-jax side of neural.py: a server that reads lines `<case> <steps>` from standard input and
answers each with the median milliseconds of a step; `residual <case>` is answered with the largest
norm of the gradient at the conjugates of the case. The environment variable CLOCK is `cpu` (time of
the process) or `wall`; the thread count is set by neural.py through the affinity of the process.
"""

import os
import statistics
import sys
import time
import warnings

warnings.filterwarnings("ignore")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
from ott.neural.methods import expectile_neural_dual, neuraldual
from ott.neural.networks import potentials

jax.config.update("jax_enable_x64", False)
CLOCK = time.process_time if os.environ.get("CLOCK") == "cpu" else time.perf_counter


def batches(n, d):
    def one(seed):
        rng = np.random.default_rng(seed)
        source = rng.standard_normal((n, d))
        target = d**-0.5 + 0.8 * rng.standard_normal((n, d))
        return {"source": jnp.asarray(source, jnp.float32), "target": jnp.asarray(target, jnp.float32)}

    return [one(seed) for seed in range(8)]


class Enot:
    """ExpectileNeuralDual with its defaults: MLP 128x4, ELU, tau 0.99, coefficient 1."""

    def __init__(self, n, d):
        self.solver = expectile_neural_dual.ExpectileNeuralDual(d, num_train_iters=10)
        self.batches, self.turn = batches(n, d), 0

    def step(self):
        s = self.solver
        s.state_f, s.state_g, loss, *_ = s.train_step(s.state_f, s.state_g, self.batches[self.turn % 8])
        self.turn += 1
        jax.block_until_ready((loss, s.state_f.params, s.state_g.params))

    def residual(self):
        return 0.0


class Dual:
    """W2NeuralDual with its default conjugate solver (L-BFGS, gtol 1e-5, 20 iterations)."""

    def __init__(self, n, d, icnn=False):
        mlp = lambda: potentials.PotentialMLP(dim_hidden=[64] * 4)
        nets = {} if icnn else {"neural_f": mlp(), "neural_g": mlp()}
        self.solver = neuraldual.W2NeuralDual(d, num_train_iters=10, **nets)
        self.batches, self.turn = batches(n, d), 0
        self.at_start = self.solve()

    def solve(self):
        s, y = self.solver, self.batches[0]["target"]
        g_value = s.state_g.potential_value_fn(s.state_g.params)
        f = s.state_f.potential_value_fn(s.state_f.params, g_value)
        start = s.state_g.potential_gradient_fn(s.state_g.params)(y)
        solve = lambda y, x: s.conjugate_solver.solve(f, y, x_init=x).grad
        x = jax.jit(jax.vmap(solve))(y, start)
        slope = jax.vmap(jax.grad(f))(x)
        return float(jnp.linalg.norm(slope - y, axis=-1).max())

    def step(self):
        s = self.solver
        s.state_f, s.state_g, loss, *_ = s.train_step_parallel(
            s.state_f, s.state_g, self.batches[self.turn % 8]
        )
        self.turn += 1
        jax.block_until_ready((loss, s.state_f.params, s.state_g.params))

    def residual(self):
        return self.at_start


CASES = {
    "enot-256-2": lambda: Enot(256, 2),
    "enot-256-64": lambda: Enot(256, 64),
    "enot-1024-64": lambda: Enot(1024, 64),
    "dual-256-2": lambda: Dual(256, 2),
    "dual-256-64": lambda: Dual(256, 64),
    "dual-1024-64": lambda: Dual(1024, 64),
    "icnn-256-2": lambda: Dual(256, 2, icnn=True),
}


def main():
    known = {}
    for line in sys.stdin:
        first, second = line.split()
        name = second if first == "residual" else first
        if name not in known:
            known[name] = CASES[name]()
            known[name].step()
        if first == "residual":
            print(known[name].residual(), flush=True)
            continue
        times = []
        for _ in range(int(second)):
            start = CLOCK()
            known[name].step()
            times.append(CLOCK() - start)
        print(1e3 * statistics.median(times), flush=True)


if __name__ == "__main__":
    main()
