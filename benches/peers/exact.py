"""Compares exact plans of brenier with POT's emd and scipy's linear_sum_assignment.

    pip install -r benches/peers/requirements-exact.txt
    python benches/peers/exact.py --record target/peer-exact.jsonl

Builds the bench `peer_exact` and starts it as a server. Every side gets the same points (float64,
one thread) and makes the matrix of squared distances itself; its time is CPU time and includes the
matrix. After a warm-up the sides are asked in turn, round after round; what counts is the ratio
within a round, ours over theirs. Costs have to agree to 1e-9. Prints a Markdown table and, with
--record, appends one line of JSON.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
import ot
from scipy.optimize import linear_sum_assignment

import record
import steps

# Name: dimension, points of each side, calls in a round, whether weights are equal.
CASES = {
    "d=2,n=256": (2, 256, 20, True),
    "d=2,n=1024": (2, 1024, 2, True),
    "d=2,n=2048": (2, 2048, 1, True),
    "d=64,n=256": (64, 256, 20, True),
    "d=64,n=1024": (64, 1024, 2, True),
    "d=2,n=256,weights": (2, 256, 20, False),
    "d=2,n=1024,weights": (2, 1024, 2, False),
}


def problem(d, n, equal):
    """Normal clouds, the target narrower and 1 away; equal or log-normal weights."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, d))
    y = 0.8 * rng.standard_normal((n, d)) + 1 / np.sqrt(d)
    a, b = np.ones((2, n)) if equal else np.exp(rng.standard_normal((2, n)))
    return x, y, a / a.sum(), b / b.sum()


def timed(solve, repeats):
    """Median milliseconds of CPU time, and the cost."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        cost = solve()
        times.append(1e3 * (time.process_time() - start))
    return statistics.median(times), cost


def pot(x, y, a, b):
    matrix = ot.dist(x, y)
    return float((ot.emd(a, b, matrix, numItermax=10**7, numThreads=1) * matrix).sum())


def scipy(x, y, a, b):
    matrix = ot.dist(x, y)
    return float(matrix[linear_sum_assignment(matrix)].mean())


class Ours:
    """The bench, and a folder for the problems it reads."""

    def __init__(self, executable):
        self.folder = tempfile.TemporaryDirectory()
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([executable], stdin=pipe, stdout=pipe, text=True)

    def time(self, name, arrays, repeats):
        path = pathlib.Path(self.folder.name) / f"{name}.bin"
        if not path.exists():
            path.write_bytes(b"".join(array.astype("<f8").tobytes() for array in arrays))
        n, d = arrays[0].shape
        self.process.stdin.write(f"{path} {n} {d} {repeats}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if len(answer) != 3:
            sys.exit(f"ours answered {answer} to {name}")
        return float(answer[0]), float(answer[1]), answer[2]

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.folder.cleanup()


def compare(name, ours, rounds, with_scipy):
    d, n, repeats, equal = CASES[name]
    arrays = problem(d, n, equal)
    peers = {"POT": pot}
    if with_scipy and equal and not (d == 2 and n > 1024):
        peers["scipy"] = scipy
    times = {side: [] for side in ("ours", *peers)}
    for round in range(rounds + 1):
        ms, cost, form = ours.time(name, arrays, repeats)
        answers = {"ours": ms}
        for peer, solve in peers.items():
            answers[peer], other = timed(lambda: solve(*arrays), repeats)
            if abs(cost - other) > 1e-9 * abs(other):
                sys.exit(f"{name}: a cost of {cost} where {peer} finds {other}")
        # The first round warms up.
        if round > 0:
            for side, ms in answers.items():
                times[side].append(ms)
    row = {"case": name, "form": form}
    for side, values in times.items():
        row[f"{side}_ms"] = statistics.median(values)
        if side != "ours":
            ratios = [a / b for a, b in zip(times["ours"], values)]
            row[f"{side}_ratio"] = statistics.median(ratios)
            row[f"{side}_ratios"] = [round_to(r) for r in ratios]
    return row


def round_to(value):
    return round(value, 4)


def table(rows):
    yield "| case | form | ours, ms | POT, ms | ratio | min..max | scipy, ms | ratio |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for row in rows:
        low, high = min(row["POT_ratios"]), max(row["POT_ratios"])
        other = "- | -"
        if "scipy_ms" in row:
            other = f"{row['scipy_ms']:.2f} | {row['scipy_ratio']:.3f}"
        yield (
            f"| {row['case']} | {row['form']} | {row['ours_ms']:.2f} | {row['POT_ms']:.2f} "
            f"| {row['POT_ratio']:.3f} | {low:.3f}..{high:.3f} | {other} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--no-scipy", action="store_true", help="leave scipy out")
    parser.add_argument("--record", metavar="FILE", help="append the results as a line of JSON")
    args = parser.parse_args()
    ours = Ours(steps.build_ours("peer_exact"))
    rows = [compare(name, ours, args.rounds, not args.no_scipy) for name in args.cases]
    ours.close()
    print(f"1 thread, CPU time, {args.rounds} rounds, {record.cpu_name()}\n")
    print("\n".join(table(rows)))
    if args.record:
        settings = {"threads": 1, "clock": "cpu", "rounds": args.rounds}
        record.append(args.record, ("POT", "numpy", "scipy"), **settings, cases=rows)


if __name__ == "__main__":
    main()
