"""Compares whole steps of ENOT and of the Wasserstein-2 dual with those of ott-jax.

    pip install -r benches/peers/requirements-ott.txt
    python benches/peers/neural.py --record target/peer-neural.jsonl

Builds the bench `peer_neural`, and starts it and neural_ott.py. Both are servers with one protocol,
described in neural_ott.py, with the same networks, optimisers, batches of the same laws and the same
tolerance of the conjugate. After a warm-up (of theirs, the compilation) they are asked in turn, ours
then theirs, round after round; what counts is the ratio within a round, theirs over ours. Times are
wall time on `--threads` threads of as many cores. The largest residual of the conjugates at the
start is printed for both. Prints a Markdown table and, with --record, appends one line of JSON.
"""

import argparse
import os
import pathlib
import statistics
import sys

import record
import steps

HERE = pathlib.Path(__file__).resolve().parent

# Steps of a round of (ours, theirs): some tenths of a second.
STEPS = {
    "enot-256-2": (60, 30),
    "enot-256-64": (60, 30),
    "enot-1024-64": (20, 20),
    "dual-256-2": (30, 3),
    "dual-256-64": (20, 2),
    "dual-1024-64": (6, 1),
    "icnn-256-2": (10, 1),
}
# How many times faster ours should be.
TARGETS = {
    "enot-256-2": 2,
    "enot-256-64": 2,
    "enot-1024-64": 2,
    "dual-256-2": 5,
    "dual-256-64": 5,
    "dual-1024-64": 5,
    "icnn-256-2": 5,
}


def residual(server, case):
    """The largest residual that the server's conjugates have."""
    server.process.stdin.write(f"residual {case}\n")
    server.process.stdin.flush()
    return float(server.process.stdout.readline())


def measure(ours, theirs, case, rounds):
    sides = list(zip((ours, theirs), STEPS[case]))
    for server, count in sides:
        server.time(case, max(2, count // 4))
    times = {server.name: [] for server, _ in sides}
    for _ in range(rounds):
        for server, count in sides:
            times[server.name].append(server.time(case, count))
    ratios = [b / a for a, b in zip(times["ours"], times["ott"])]
    return {
        "case": case,
        "ours_ms": statistics.median(times["ours"]),
        "ott_ms": statistics.median(times["ott"]),
        "faster": statistics.median(ratios),
        "target": TARGETS[case],
        "ratios": [round(r, 3) for r in ratios],
        "ours_residual": residual(ours, case),
        "ott_residual": residual(theirs, case),
    }


def table(rows):
    yield "| case | ours, ms | ott-jax, ms | times faster | min..max | goal | residuals |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for row in rows:
        low, high = min(row["ratios"]), max(row["ratios"])
        both = "-"
        if row["ott_residual"] > 0:
            both = f"{row['ours_residual']:.1e}, {row['ott_residual']:.1e}"
        yield (
            f"| {row['case']} | {row['ours_ms']:.2f} | {row['ott_ms']:.1f} "
            f"| {row['faster']:.2f} | {low:.2f}..{high:.2f} | {row['target']} | {both} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", nargs="*", default=list(STEPS), choices=list(STEPS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--record", metavar="FILE", help="append the results as a line of JSON")
    parser.add_argument("--ours", metavar="CMD", help="a server to take in place of the bench")
    args = parser.parse_args()
    executable = args.ours or steps.build_ours("peer_neural")
    cores = sorted(os.sched_getaffinity(0))[: args.threads]
    os.sched_setaffinity(0, cores)
    ours = steps.Server("ours", [executable], args.threads, "wall")
    theirs = steps.Server("ott", [sys.executable, str(HERE / "neural_ott.py")], args.threads, "wall")
    rows = [measure(ours, theirs, case, args.rounds) for case in args.cases]
    ours.close()
    theirs.close()
    print(f"{args.threads} thread(s), wall time, {args.rounds} rounds, {record.cpu_name()}\n")
    print("\n".join(table(rows)))
    if args.record:
        names = ("ott-jax", "jax", "jaxlib", "jaxopt", "flax", "optax", "numpy")
        settings = {"threads": args.threads, "clock": "wall", "rounds": args.rounds}
        settings["ours"] = "other" if args.ours else "peer_neural"
        record.append(args.record, names, **settings, cases=rows)


if __name__ == "__main__":
    main()
