"""Compares flow matching steps of brenier with torchcfm, POT and PyTorch.

    pip install -r benches/peers/requirements-flow.txt
    python benches/peers/flow.py --record target/peer-flow.jsonl

Builds the bench `peer_flow` and starts it and flow_torch.py, which describes the cases, as servers. After
a warm-up they are asked in turn, round after round; what counts is the ratio within a round, ours over
theirs. Prints a Markdown table and, with --record, appends one line of JSON.
"""

import argparse
import statistics
import sys

import record
import steps

# Repeats in a round, and the ratio to stay under.
CASES = {
    "independent2": (200, 1 / 3),
    "exact2": (40, 1 / 3),
    "independent64": (40, None),
    "exact64": (10, None),
    "pairs2": (40, 1 / 2),
    "pairs64": (10, 1 / 2),
    "pairs2,1024": (2, None),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--ours", metavar="EXECUTABLE", help="instead of building the bench")
    parser.add_argument("--record", metavar="FILE", help="append the results as a line of JSON")
    args = parser.parse_args()
    executable = args.ours or steps.build_ours("peer_flow")
    ours = steps.Server("ours", [executable], 1, "cpu")
    torch = steps.Server("torch", [sys.executable, str(steps.HERE / "flow_torch.py")], 1, "cpu")
    rows = []
    for case in args.cases:
        repeats, target = CASES[case]
        times = {"ours": [], "torch": []}
        for round in range(args.rounds + 1):
            for server in (ours, torch):
                ms = server.time(case, repeats)
                # The first round warms up.
                if round > 0:
                    times[server.name].append(ms)
        ratios = [a / b for a, b in zip(times["ours"], times["torch"])]
        rows.append(
            {
                "case": case,
                "ours_ms": statistics.median(times["ours"]),
                "torch_ms": statistics.median(times["torch"]),
                "ratio": statistics.median(ratios),
                "target": target,
                "ratios": [round_to(r) for r in ratios],
            }
        )
    ours.close()
    torch.close()
    print(f"1 thread, CPU time, {args.rounds} rounds, {record.cpu_name()}\n")
    print("\n".join(steps.table(rows)))
    if args.record:
        packages = ("torch", "torchcfm", "POT", "numpy")
        settings = {"threads": 1, "clock": "cpu", "rounds": args.rounds}
        record.append(args.record, packages, **settings, cases=rows)


def round_to(value):
    return round(value, 4)


if __name__ == "__main__":
    main()
