"""Records runs of the benchmarks and compares two of them.

    cargo bench --bench ops -- --save-baseline before
    python benches/compare.py record before > before.jsonl
    … a change …
    cargo bench --bench ops -- --save-baseline after
    python benches/compare.py record after > after.jsonl
    python benches/compare.py compare before.jsonl after.jsonl

A record has a line for each benchmark: its name, the machine, and the nanoseconds an iteration of every sample.
A comparison prints medians and the ratio second / first with the interval that holds 95 % of the ratios of
resampled medians; a `*` marks intervals that leave out 1. They say how sure the ratio is for these two runs; a
machine that was busy during one of them shifts all of it, so record both in turn and more than once.
"""

import argparse
import json
import platform
import random
import statistics
import sys
from pathlib import Path

CRITERION = Path(__file__).resolve().parent.parent / "target" / "criterion"


def processor():
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} × {len(names)}" if names else platform.processor()


def record(baseline, folder):
    """Lines of a record, from what criterion keeps of a baseline."""
    found = sorted(folder.glob(f"**/{baseline}/sample.json"))
    if not found:
        sys.exit(f"no baseline '{baseline}' under {folder}: run cargo bench -- --save-baseline {baseline}")
    for path in found:
        sample = json.loads(path.read_text())
        name = json.loads((path.parent / "benchmark.json").read_text())["full_id"]
        each = [time / count for time, count in zip(sample["times"], sample["iters"])]
        yield {"name": name, "unit": "ns", "machine": processor(), "samples": [round(t, 2) for t in each]}


def read(path):
    """The benchmarks of a record by their names."""
    try:
        lines = [json.loads(line) for line in Path(path).read_text().splitlines() if line.strip()]
        return {line["name"]: line for line in lines if line["samples"]}
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        sys.exit(f"{path} is no record ({error!r}): make one with the command record")


def ratio(a, b, rng, draws=1000):
    """Median of `b` over that of `a`, with the interval of resampled medians."""
    medians = [
        statistics.median(rng.choices(b, k=len(b))) / statistics.median(rng.choices(a, k=len(a)))
        for _ in range(draws)
    ]
    medians.sort()
    cut = draws * 25 // 1000
    return statistics.median(b) / statistics.median(a), medians[cut], medians[-1 - cut]


def time(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"


def compare(first, second):
    first, second = read(first), read(second)
    both = sorted(first.keys() & second.keys())
    if not both:
        sys.exit("the two records have no benchmark in common")
    rng = random.Random(0)
    width = max(map(len, both))
    print(f"{'':{width}}  {'first':>9}  {'second':>9}  ratio")
    for name in both:
        a, b = first[name], second[name]
        middle, low, high = ratio(a["samples"], b["samples"], rng)
        mark = "*" if low > 1 or high < 1 else " "
        other = "" if a["machine"] == b["machine"] else "  (different machines)"
        medians = [time(statistics.median(side["samples"])) for side in (a, b)]
        print(f"{name:{width}}  {medians[0]:>9}  {medians[1]:>9}  {middle:.3f} ({low:.3f} … {high:.3f}){mark}{other}")
    for name in sorted(first.keys() ^ second.keys()):
        print(f"{name}: only in the {'first' if name in first else 'second'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("record", help="write what criterion kept of a baseline as JSON lines")
    one.add_argument("baseline")
    one.add_argument("--folder", type=Path, default=CRITERION, help="where criterion keeps its runs")
    two = commands.add_parser("compare", help="ratios of two records")
    two.add_argument("first")
    two.add_argument("second")
    args = parser.parse_args()
    if args.command == "record":
        for line in record(args.baseline, args.folder):
            print(json.dumps(line, ensure_ascii=False))
    else:
        compare(args.first, args.second)


if __name__ == "__main__":
    main()
