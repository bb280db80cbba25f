"""Compares Sinkhorn divergences with gradients, and steps of the Monge gap, with those of ott-jax.

    pip install -r benches/peers/requirements-divergence.txt
    python benches/peers/divergence.py --record target/peer-divergence.jsonl

Builds the bench `peer_divergence` and starts it as a server. Both sides get the same points in single
precision, two threads, and wall-clock time; ott-jax is compiled and warmed up first. Divergences: squared
distances, epsilon 0.05 of the mean cost, a marginal error of 1e-3, value and gradients in both clouds.
Steps: a perceptron 128-64-64 with GELU, Sinkhorn divergence and Monge gap with the peer's default epsilon
(0.05 of the standard deviation of the costs) and threshold (1e-3), Adam; eight batches in turn. The sides
are asked in turn, round after round; what counts is the ratio within a round, ours over theirs. Values
of divergences have to agree to 1e-3, and norms of gradients to 1e-2. Prints a Markdown table and, with
--record, appends one line of JSON.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import flax.linen  # noqa: F401  (ott.neural imports it lazily)
import jax
import jax.numpy as jnp
import numpy as np
import optax
from ott.geometry import pointcloud
from ott.neural.methods import monge_gap
from ott.neural.networks import potentials
from ott.tools import sinkhorn_divergence

import record
import steps

# Name: what, dimension, points of each side, calls in a round.
CASES = {
    "divergence,d=2,n=512": ("divergence", 2, 512, 20),
    "divergence,d=64,n=512": ("divergence", 64, 512, 20),
    "divergence,d=2,n=2048": ("divergence", 2, 2048, 3),
    "divergence,d=64,n=2048": ("divergence", 64, 2048, 3),
    "step,d=2,n=256": ("step", 2, 256, 24),
    "step,d=64,n=256": ("step", 64, 256, 24),
    "step,d=64,n=1024": ("step", 64, 1024, 8),
}
BATCHES = 8


def batches(d, n):
    """Normal clouds, the target narrower and 1 away, in single precision: [BATCHES, 2, n, d]."""
    rng = np.random.default_rng(0)
    points = rng.standard_normal((BATCHES, 2, n, d))
    points[:, 1] = 0.8 * points[:, 1] + 1 / np.sqrt(d)
    return points.astype(np.float32)


def divergence(points):
    """A function that returns the value and the norm of the gradient in the source."""
    x, y = (jnp.asarray(cloud) for cloud in points[0])
    epsilon = np.float32(0.05 * np.mean(((points[0, 0][:, None] - points[0, 1][None]) ** 2).sum(-1)))
    geometry, solve = pointcloud.PointCloud, {"threshold": 1e-3, "max_iterations": 4000}

    def value(x, y):
        run = sinkhorn_divergence.sinkhorn_divergence
        return run(geometry, x, y, epsilon=epsilon, solve_kwargs=solve)[0]

    both = jax.jit(jax.value_and_grad(value, argnums=(0, 1)))

    def call():
        found, (of_x, _) = jax.block_until_ready(both(x, y))
        return float(found), lambda: float(jnp.linalg.norm(of_x))

    return call


def step(points):
    """A function that makes a step on the next batch."""
    d = points.shape[-1]
    fit = sinkhorn_divergence.sinkdiv
    estimator = monge_gap.MongeGapEstimator(
        d,
        potentials.PotentialMLP(dim_hidden=[128, 64, 64], is_potential=False, act_fn=jax.nn.gelu),
        optimizer=optax.adam(1e-3),
        fitting_loss=lambda x, y: (fit(x, y, epsilon=None, relative_epsilon=None)[0], None),
        regularizer=lambda x, y: (
            monge_gap.monge_gap_from_samples(x, y, epsilon=None, relative_epsilon=None),
            None,
        ),
        regularizer_strength=1.0,
        num_train_iters=1000,
    )
    names = ("source", "target")
    given = [dict(zip(names, map(jnp.asarray, batch))) for batch in points]
    made = iter(range(10**9))

    def call():
        i = next(made)
        state, logs = estimator.step_fn(estimator.state_neural_net, given[i % BATCHES], None, False, i)
        estimator.state_neural_net = state
        loss = jax.block_until_ready(logs["train"]["total_loss"])
        return float(loss), lambda: float("nan")

    return call


def timed(call, repeats):
    """Median milliseconds, and what the last call returned."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        value, other = call()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times), value, other()


class Ours:
    """The bench, and a folder for the points it reads."""

    def __init__(self, executable):
        self.folder = tempfile.TemporaryDirectory()
        pipe, env = subprocess.PIPE, {"THREADS": "2"}
        self.process = subprocess.Popen([executable], stdin=pipe, stdout=pipe, text=True, env=env)

    def time(self, what, points, repeats):
        n, d = points.shape[-2:]
        path = pathlib.Path(self.folder.name) / f"{n}x{d}.bin"
        if not path.exists():
            path.write_bytes(points.tobytes())
        self.process.stdin.write(f"{what} {path} {n} {d} {repeats}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if len(answer) != 3:
            sys.exit(f"ours answered {answer} to {what} {n} {d}")
        return tuple(float(v) for v in answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.folder.cleanup()


def compare(name, ours, rounds):
    what, d, n, repeats = CASES[name]
    points = batches(d, n)
    call = {"divergence": divergence, "step": step}[what](points)
    times = {"ours": [], "ott": []}
    for round in range(rounds + 1):
        mine, theirs = ours.time(what, points, repeats), timed(call, repeats)
        if what == "divergence":
            for k, tolerance in ((1, 1e-3), (2, 1e-2)):
                if abs(mine[k] - theirs[k]) > tolerance * abs(theirs[k]):
                    sys.exit(f"{name}: {mine[1:]} where ott-jax finds {theirs[1:]}")
        # The first round compiles and warms up.
        if round > 0:
            times["ours"].append(mine[0])
            times["ott"].append(theirs[0])
    ratios = [a / b for a, b in zip(times["ours"], times["ott"])]
    return {
        "case": name,
        "ours_ms": statistics.median(times["ours"]),
        "ott_ms": statistics.median(times["ott"]),
        "ratio": statistics.median(ratios),
        "ratios": [float(f"{r:.4f}") for r in ratios],
    }


def table(rows):
    yield "| case | ours, ms | ott-jax, ms | ratio | min..max |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for row in rows:
        low, high = min(row["ratios"]), max(row["ratios"])
        yield (
            f"| {row['case']} | {row['ours_ms']:.2f} | {row['ott_ms']:.2f} "
            f"| {row['ratio']:.3f} | {low:.3f}..{high:.3f} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--record", metavar="FILE", help="append the results as a line of JSON")
    parser.add_argument("--ours", metavar="FILE", help="an executable to take in place of the bench")
    args = parser.parse_args()
    ours = Ours(args.ours or steps.build_ours("peer_divergence"))
    rows = [compare(name, ours, args.rounds) for name in args.cases]
    ours.close()
    print(f"2 threads, wall-clock time, {args.rounds} rounds, {record.cpu_name()}\n")
    print("\n".join(table(rows)))
    if args.record:
        names = ("jax", "jaxlib", "ott-jax", "numpy")
        settings = {"threads": 2, "clock": "wall", "rounds": args.rounds}
        record.append(args.record, names, **settings, cases=rows)


if __name__ == "__main__":
    main()
