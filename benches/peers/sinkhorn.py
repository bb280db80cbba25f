"""Compares brenier's Sinkhorn with POT, ott-jax and geomloss on the same problems, interleaved.

    pip install -r benches/peers/requirements-sinkhorn.txt
    pip install --no-deps -r benches/peers/requirements.txt      # torch, for POT's batched solver
    python benches/peers/sinkhorn.py --record target/peer-sinkhorn.jsonl

Builds the bench `peer_sinkhorn` and starts it as a server. The problems: x ~ N(0, I) and
y ~ N(1/sqrt(d), 0.64 I), uniform weights, squared distances, float32, epsilon relative to the mean
cost. A time is wall-clock time on two threads from the points to the potentials. Sides that stop at a
tolerance stop at an L1 marginal error of 1e-3, which is recomputed in float64 from the potentials of
every side; POT, which stops on the L2 norm, gets the L2 error that corresponds. The sides are asked in
turn, round after round; what counts is the ratio within a round, theirs over ours.
"""

import argparse
import functools
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

THREADS = 2
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[variable] = str(THREADS)
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np

import record
import steps

warnings.filterwarnings("ignore")

# Rates of two threads of the processor of the record (AMD EPYC, Zen 5): multiply-adds, powers of two, and
# bytes from the third-level cache and from memory, per second.
FMA, EXP2, CACHE, MEMORY = 272e9, 40.6e9, 230e9, 53e9
TOLERANCE = 1e-3
PAUSE = 0.3


def case(n, d, epsilon, peers, goal, batch=1, iterations=None, tau=None, stored=True, scale=1, rounds=5):
    return dict(locals())


FIXED = ("POT stabilized", "POT scaling")
WITH_GEOMLOSS = (*FIXED, "geomloss")
TO_TOLERANCE = ("POT scaling", "ott-jax Anderson", "ott-jax momentum")
CASES = {
    "n=256,d=2,its=100": case(256, 2, 0.05, WITH_GEOMLOSS, 4, iterations=100),
    "n=1024,d=2,its=100": case(1024, 2, 0.05, WITH_GEOMLOSS, 3, iterations=100),
    "n=1024,d=16,its=100": case(1024, 16, 0.05, WITH_GEOMLOSS, 3, iterations=100),
    "n=1024,d=64,its=100": case(1024, 64, 0.05, WITH_GEOMLOSS, 3, iterations=100),
    "n=1024,d=256,its=100": case(1024, 256, 0.05, WITH_GEOMLOSS, 3, iterations=100),
    "n=4096,d=2,its=100": case(4096, 2, 0.05, WITH_GEOMLOSS, 3, iterations=100, rounds=3),
    "n=4096,d=64,its=100": case(4096, 64, 0.05, WITH_GEOMLOSS, 1.8, iterations=100, rounds=3),
    "n=4096,d=256,its=100": case(4096, 256, 0.05, FIXED, 1.8, iterations=100, rounds=3),
    "online,n=16384,d=2,its=100": case(
        16384, 2, 0.05, ("ott-jax online",), 35, iterations=100, stored=False, scale=20, rounds=1
    ),
    "online,n=16384,d=64,its=100": case(
        16384, 64, 0.05, ("ott-jax online",), 10, iterations=100, stored=False, scale=20, rounds=1
    ),
    "batch=64,n=64,its=100": case(64, 2, 0.05, ("POT batch",), 6, batch=64, iterations=100),
    "batch=512,n=64,its=100": case(64, 2, 0.05, ("POT batch",), 6, batch=512, iterations=100),
    "batch=512,n=128,its=100": case(
        128, 2, 0.05, ("POT loop",), 15, batch=512, iterations=100, rounds=3
    ),
    "batch=512,n=256,its=100": case(
        256, 2, 0.05, ("POT loop",), 15, batch=512, iterations=100, rounds=3
    ),
    "n=1024,eps=0.05,tol": case(1024, 2, 0.05, TO_TOLERANCE, 4),
    "n=1024,eps=0.01,tol": case(1024, 2, 0.01, TO_TOLERANCE[1:], 4),
    "n=4096,eps=0.05,tol": case(4096, 2, 0.05, ("POT scaling", "ott-jax momentum"), 6, rounds=3),
    "n=4096,eps=0.01,tol": case(4096, 2, 0.01, ("ott-jax momentum",), 6, rounds=3),
    "n=1024,tau=0.95,tol": case(1024, 2, 0.05, ("POT invariant", "POT unbalanced"), 4, tau=0.95),
    "n=4096,tau=0.95,tol": case(
        4096, 2, 0.05, ("POT invariant", "POT unbalanced"), 4, tau=0.95, rounds=3
    ),
}


def clouds(c):
    rng = np.random.default_rng(0)
    shape = (c["batch"], c["n"], c["d"])
    x = rng.standard_normal(shape)
    y = 0.8 * rng.standard_normal(shape) + 1 / math.sqrt(c["d"])
    mean = np.mean([distances(x[k], y[k]).mean() for k in range(min(c["batch"], 64))])
    return x.astype(np.float32), y.astype(np.float32), c["epsilon"] * float(mean)


def distances(x, y):
    x, y = x.astype(np.float64), y.astype(np.float64)
    return (x * x).sum(1)[:, None] + (y * y).sum(1)[None, :] - 2 * (x @ y.T)


def errors(x, y, f, g, epsilon, tau):
    """L1 and L2 distance of the marginals of exp((f + g - C) / epsilon) to what they should be."""
    n = len(x)
    rows, columns = np.zeros(n), np.zeros(n)
    with np.errstate(all="ignore"):
        for i in range(0, n, 1024):
            part = np.exp((f[i : i + 1024, None] + g[None] - distances(x[i : i + 1024], y)) / epsilon)
            rows[i : i + 1024] = part.sum(1)
            columns += part.sum(0)
        wanted_rows, wanted_columns = np.full(n, 1 / n), np.full(n, 1 / n)
        if tau is not None:
            rho = epsilon * tau / (1 - tau)
            wanted_rows, wanted_columns = np.exp(-f / rho) / n, np.exp(-g / rho) / n
        both = rows - wanted_rows, columns - wanted_columns
        l1 = sum(float(np.abs(v).sum()) for v in both)
        return l1, max(float(np.sqrt((v * v).sum())) for v in both)


# Every side below is a pair of a call, which is timed, and a function from its result to f and g with
# P = exp((f + g - C) / epsilon).


def pot_stabilized(c, x, y, epsilon):
    import ot

    a = np.full(c["n"], 1 / c["n"], np.float32)

    def call():
        # The default tau of 1e3 breaks beyond a thousand points.
        options = {"tau": 1e8, "print_period": 10**9, "numItermax": c["iterations"], "stopThr": 0.0}
        return ot.sinkhorn(
            a, a, ot.dist(x[0], y[0]), epsilon, method="sinkhorn_stabilized", log=True, **options
        )

    return call, lambda r: (epsilon * wide(r[1]["logu"]), epsilon * wide(r[1]["logv"]))


def pot_scaling(c, x, y, epsilon):
    import ot

    a = np.full(c["n"], 1 / c["n"], np.float32)
    iterations, threshold = c["iterations"] or 4000, 0.0
    if c["iterations"] is None:
        threshold = l2_threshold(c, x, y, epsilon)

    def call():
        options = {"numItermax": iterations, "stopThr": threshold}
        return ot.sinkhorn(a, a, ot.dist(x[0], y[0]), epsilon, log=True, **options)

    return call, lambda r: (epsilon * log(r[1]["u"]), epsilon * log(r[1]["v"]))


def l2_threshold(c, x, y, epsilon):
    """The L2 error at which the L1 error of plain iterations falls below the tolerance."""
    n = c["n"]
    kernel = np.exp(-distances(x[0], y[0]) / epsilon)
    v = np.ones(n)
    for k in range(4000):
        u = 1 / (n * (kernel @ v))
        v = 1 / (n * (kernel.T @ u))
        if k % 10 == 0:
            error = u * (kernel @ v) - 1 / n
            if np.abs(error).sum() <= TOLERANCE:
                return float(np.linalg.norm(error)) * 1.0005
    sys.exit("plain iterations do not reach the tolerance")


def pot_loop(c, x, y, epsilon):
    import ot

    a = np.full(c["n"], 1 / c["n"], np.float32)

    def call():
        options = {"numItermax": c["iterations"], "stopThr": 0.0, "log": True}
        pairs = zip(x, y)
        return [ot.sinkhorn(a, a, ot.dist(p, q), epsilon, **options)[1] for p, q in pairs]

    return call, lambda r: (epsilon * log(r[0]["u"]), epsilon * log(r[0]["v"]))


def pot_batch(c, x, y, epsilon):
    import torch
    from ot.batch import dist_batch, solve_batch

    torch.set_num_threads(THREADS)
    x, y = torch.tensor(x), torch.tensor(y)

    def call():
        options = {"max_iter": c["iterations"], "tol": -1.0, "method": "sinkhorn", "grad": "detach"}
        with torch.no_grad():
            return solve_batch(dist_batch(x, y), epsilon, **options)

    return call, lambda r: tuple(epsilon * log(p[0]) for p in r.potentials)


def pot_unbalanced(method, c, x, y, epsilon):
    import ot

    n, tau = c["n"], c["tau"]
    a = np.full(n, 1 / n, np.float32)

    def solve(iterations):
        return ot.unbalanced.sinkhorn_unbalanced(
            a,
            a,
            ot.dist(x[0], y[0]),
            epsilon,
            epsilon * tau / (1 - tau),
            method=method,
            reg_type="entropy",
            numItermax=iterations,
            stopThr=0.0,
            log=True,
        )

    def potentials(r):
        return epsilon * wide(r[1]["logu"]), epsilon * wide(r[1]["logv"])

    # It stops on changes of the scalings: give it the least number of iterations that suffices.
    for iterations in (5, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 100, 150, 200, 300):
        f, g = potentials(solve(iterations))
        if errors(x[0], y[0], f, g, epsilon, tau)[0] <= TOLERANCE:
            break
    return (lambda: solve(iterations)), potentials


def ott(options, c, x, y, epsilon):
    import jax
    import jax.numpy as jnp
    from jax.interpreters import batching
    from ott.geometry import pointcloud
    from ott.problems.linear import linear_problem
    from ott.solvers.linear import acceleration, sinkhorn

    if not hasattr(batching, "is_vmappable"):
        # ott-jax 0.6.0 asks for a helper that newer versions of jax lack.
        batching.is_vmappable = lambda _: False
    settings = {"threshold": TOLERANCE, "max_iterations": 4000, "inner_iterations": 10}
    if c["iterations"] is not None:
        count = c["iterations"] // c["scale"]
        settings = {"min_iterations": count, "max_iterations": count, "threshold": -1.0}
        settings["inner_iterations"] = min(count, 10)
    if "momentum" in options:
        settings["momentum"] = acceleration.Momentum(start=0, value=options["momentum"])
    if "anderson" in options:
        settings["anderson"] = acceleration.AndersonAcceleration(memory=options["anderson"])
    solver = sinkhorn.Sinkhorn(**settings)
    block = {2: c["n"], 64: 1024}[c["d"]] if "online" in options else None
    x, y = jnp.asarray(x[0]), jnp.asarray(y[0])

    @jax.jit
    def run(x, y, epsilon):
        geometry = pointcloud.PointCloud(x, y, epsilon=epsilon, batch_size=block)
        out = solver(linear_problem.LinearProblem(geometry))
        return out.f, out.g

    def call():
        return jax.block_until_ready(run(x, y, jnp.float32(epsilon)))

    return call, lambda r: (wide(r[0]), wide(r[1]))


def geomloss(c, x, y, epsilon):
    """Its annealing as long as the iterations of the case; it has no other way to fix their number."""
    import torch
    from geomloss import SamplesLoss

    torch.set_num_threads(THREADS)
    n = c["n"]
    x, y = torch.tensor(x[0]), torch.tensor(y[0])
    # |x - y|^2 at epsilon is |x - y|^2 / 2 at half of it, which is the square of the blur.
    blur = math.sqrt(epsilon / 2)
    both = torch.cat([x, y])
    diameter = float((both.max(0).values - both.min(0).values).norm())
    # Temperatures fall from the squared diameter by the squared ratio.
    scaling = (blur / diameter) ** (1 / (c["iterations"] - 2))
    options = {"blur": blur, "diameter": diameter, "scaling": scaling, "backend": "tensorized"}
    loss = SamplesLoss("sinkhorn", p=2, debias=False, potentials=True, **options)

    def call():
        with torch.no_grad():
            return loss(x, y)

    shift = epsilon * math.log(n)
    return call, lambda r: tuple(2 * wide(v.double()) - shift for v in r)


def wide(v):
    return np.asarray(v, np.float64).ravel()


def log(v):
    with np.errstate(all="ignore"):
        return np.log(wide(v))


PEERS = {
    "POT stabilized": pot_stabilized,
    "POT scaling": pot_scaling,
    "POT loop": pot_loop,
    "POT batch": pot_batch,
    "POT invariant": functools.partial(pot_unbalanced, "sinkhorn_translation_invariant"),
    "POT unbalanced": functools.partial(pot_unbalanced, "sinkhorn"),
    "ott-jax Anderson": functools.partial(ott, {"anderson": 5}),
    "ott-jax momentum": functools.partial(ott, {"momentum": 1.5}),
    "ott-jax online": functools.partial(ott, {"online": True}),
    "geomloss": geomloss,
}


class Ours:
    """The bench, and a folder for problems and potentials."""

    def __init__(self, executable):
        self.folder = tempfile.TemporaryDirectory()
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([executable], stdin=pipe, stdout=pipe, text=True)

    def side(self, c, x, y, epsilon):
        folder = pathlib.Path(self.folder.name)
        points, potentials = folder / "points", folder / "potentials"
        points.write_bytes(np.concatenate([x, y], axis=1).astype("<f4").tobytes())
        request = {key: c[key] for key in ("n", "d", "batch", "iterations", "tau", "stored")}
        request |= {"points": str(points), "potentials": str(potentials), "epsilon": epsilon}
        request["tolerance"] = TOLERANCE

        def call(repeats):
            self.process.stdin.write(json.dumps(request | {"repeats": repeats}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
            if not line:
                sys.exit(f"ours failed at {request}")
            return json.loads(line)

        def read(_):
            # The potentials are relative to the product of the weights.
            both = np.frombuffer(potentials.read_bytes()[: 16 * c["n"]], "<f8")
            f, g = both.reshape(2, c["n"])
            return f - epsilon * math.log(c["n"]), g - epsilon * math.log(c["n"])

        return call, read

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.folder.cleanup()


def timed(call, least):
    """Median milliseconds of at least two calls and of `least` seconds."""
    times = []
    while len(times) < 2 or (sum(times) < least and len(times) < 200):
        start = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - start)
        if times[-1] > 20:
            break
    return 1e3 * statistics.median(times), result


def floor_ms(c, iterations):
    """An iteration: every pair once, its power of two online, one read of it stored."""
    pairs = c["batch"] * c["n"] ** 2
    online = pairs * (c["d"] / FMA + 1 / EXP2 + 2 / FMA)
    inside = c["n"] ** 2 * 4 <= 24 << 20
    stored = pairs * max(4 / (CACHE if inside else MEMORY), 2 / FMA)
    if c["n"] ** 2 * 4 <= 512 << 10:
        # In the cache of the core itself.
        stored = pairs * 2 / FMA
    fill = pairs * (c["d"] / FMA + 1 / EXP2)
    best = iterations * online
    if c["stored"]:
        best = min(best, fill + iterations * stored)
    return 1e3 * best


def compare(name, ours, rounds, with_peers):
    c = CASES[name]
    x, y, epsilon = clouds(c)
    call, read = ours.side(c, x, y, epsilon)
    first = call(1)
    repeats = max(1, min(100, int(200 / first["ms"])))
    sides = {}
    if with_peers:
        for peer in c["peers"]:
            sides[peer] = PEERS[peer](c, x, y, epsilon)
            sides[peer][0]()
    times = {side: [] for side in ("ours", *sides)}
    row = {"case": name, "goal": c["goal"], "errors": {}}
    for _ in range(rounds or c["rounds"]):
        # The threads of a peer's linear algebra spin for a tenth of a second after their last call.
        time.sleep(PAUSE)
        row |= call(repeats)
        times["ours"].append(row.pop("ms"))
        for peer, (run, potentials) in sides.items():
            ms, result = timed(run, 0.2)
            times[peer].append(ms * c["scale"])
            row["errors"][peer] = errors(x[0], y[0], *potentials(result), epsilon, c["tau"])[0]
    f, g = read(None)
    tau = c["tau"]
    if tau is None:
        row["errors"]["ours"] = errors(x[0], y[0], f, g, epsilon, None)[0]
    else:
        row["errors"]["ours"] = row["error"]
    row["ours_ms"] = statistics.median(times["ours"])
    row["ours_range"] = [min(times["ours"]), max(times["ours"])]
    row["floor_ms"] = floor_ms(c, row["iterations"])
    row["peers"] = {}
    for peer in sides:
        ratios = [b / a for a, b in zip(times["ours"], times[peer])]
        row["peers"][peer] = {
            "ms": statistics.median(times[peer]),
            "ratio": statistics.median(ratios),
            "ratios": [round(r, 3) for r in ratios],
        }
    return row


def best(row):
    """The quickest peer that solved the problem."""
    def solved(peer):
        error = row["errors"][peer]
        return math.isfinite(error) and ("tol" not in row["case"] or error <= 1.1 * TOLERANCE)

    good = [peer for peer in row["peers"] if solved(peer)]
    return min(good, key=lambda peer: row["peers"][peer]["ms"], default=None)


def table(rows):
    yield "| problem | ours, ms | iterations, form | floor, ms | × floor | best peer | its ms | × faster (min … max) | goal |"
    yield "|---|---:|---|---:|---:|---|---:|---:|---:|"
    for row in rows:
        peer = best(row)
        theirs = "| | |"
        if peer:
            p = row["peers"][peer]
            theirs = f"{peer} | {p['ms']:.4g} | **{p['ratio']:.2f}** ({min(p['ratios']):.2f} … {max(p['ratios']):.2f})"
        yield (
            f"| `{row['case']}` | {row['ours_ms']:.4g} | {row['iterations']}, {row['form']} "
            f"| {row['floor_ms']:.3g} | {row['ours_ms'] / row['floor_ms']:.2f} | {theirs} | {row['goal']} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, help="rounds of every case")
    parser.add_argument("--cases", nargs="*", default=list(CASES), help="cases, or parts of names")
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--executable", help="of an earlier build, instead of building")
    parser.add_argument("--record", metavar="FILE", help="append the results as lines of JSON")
    args = parser.parse_args()
    ours = Ours(args.executable or steps.build_ours("peer_sinkhorn"))
    names = [name for name in CASES if any(part in name for part in args.cases)]
    rows = []
    for name in names:
        rows.append(compare(name, ours, args.rounds, not args.ours_only))
        row = rows[-1]
        print("\n".join(list(table([row]))[-1:]), {k: f"{v:.1e}" for k, v in row["errors"].items()}, flush=True)
        if args.record:
            packages = ("POT", "numpy", "ott-jax", "jax")
            record.append(args.record, packages, threads=THREADS, clock="wall", **row)
    ours.close()
    print(f"\n{THREADS} threads, wall time, {record.cpu_name()}\n")
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
