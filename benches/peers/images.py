"""Compares whole training steps of image networks with PyTorch in each of its forms.

    python benches/peers/images.py --record target/peer-images.jsonl

The cases not2d, not3d and not64 of convolution.py, on two threads, by wall time. PyTorch runs eager or
compiled, channels first or last; ours and the four forms take turns, with a pause in which the threads
of the side before come to rest. The ratio of a round is ours over the form with the smallest median.
"""

import argparse
import statistics
import time

import convolution  # noqa: F401 (its cases and settings)
import record
import steps

FORMS = {
    "eager": {},
    "eager, channels last": {"LAYOUT": "last"},
    "compiled": {"FORM": "compile"},
    "compiled, channels last": {"FORM": "compile", "LAYOUT": "last"},
}
PAUSE = 0.3


def turn(server, case, number):
    time.sleep(PAUSE)
    return server.time(case, number)


def measure(servers, case, rounds):
    """Milliseconds of a step in every round, by side."""
    for server in servers:
        server.time(case, 2)
    return {
        s.name: times
        for s, times in zip(
            servers,
            zip(*([turn(s, case, steps.STEPS[case]) for s in servers] for _ in range(rounds))),
        )
    }


def summary(case, times):
    medians = {side: statistics.median(t) for side, t in times.items()}
    best = min(FORMS, key=medians.get)
    ratios = [a / b for a, b in zip(times["ours"], times[best])]
    return {
        "case": case,
        "steps": steps.STEPS[case],
        "ms": {side: round(ms, 3) for side, ms in medians.items()},
        "best": best,
        "ratio": statistics.median(ratios),
        "ratios": [round(r, 4) for r in ratios],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", default="not2d,not3d", help="comma-separated")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, choices=(1, 2), default=2)
    parser.add_argument("--record", metavar="FILE", help="append the results as a line of JSON")
    parser.add_argument("--ours", metavar="EXE", help="a server to take in place of the bench")
    args = parser.parse_args()
    python = steps.peers_python()
    ours = args.ours or steps.build_ours(steps.BENCH)
    torch = [python, str(steps.HERE / steps.TORCH)]
    servers = [steps.Server("ours", [ours], args.threads, "wall")]
    for form, settings in FORMS.items():
        servers.append(steps.Server(form, torch, args.threads, "wall", **settings))
    rows = [summary(c, measure(servers, c, args.rounds)) for c in args.cases.split(",")]
    for server in servers:
        server.close()
    print(f"{args.threads} threads, wall time, {args.rounds} rounds, {record.cpu_name()}\n")
    print(f"| case | ours | {' | '.join(FORMS)} | ratio to the best | min..max |")
    print(f"| --- |{' ---: |' * (len(FORMS) + 3)}")
    for row in rows:
        ms = " | ".join(f"{row['ms'][side]:.1f}" for side in ("ours", *FORMS))
        low, high = min(row["ratios"]), max(row["ratios"])
        print(f"| {row['case']} | {ms} | {row['ratio']:.3f} | {low:.3f}..{high:.3f} |")
    if args.record:
        settings = {"threads": args.threads, "clock": "wall", "rounds": args.rounds}
        record.append(args.record, steps.versions(python), **settings, cases=rows)


if __name__ == "__main__":
    main()
