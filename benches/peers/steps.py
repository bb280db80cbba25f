"""Compares the training steps of brenier with those of eager PyTorch with fused Adam.

    python benches/peers/steps.py --record target/peer-steps.jsonl

makes a virtual environment in target/peers-venv with the pinned packages of requirements.txt
(once; about 2.5 GB of downloads), builds the bench `peer_steps`, and starts it and
steps_torch.py. Both are servers with one protocol, described in steps_torch.py. After a warm-up
of every case they are asked in turn, ours then torch, round after round, so that a slow spell of
the machine falls on both; what counts is the ratio within a round, ours over torch. Prints a
Markdown table and, with --record, appends one line of JSON. Needs the standard library only.
"""

import argparse
import json
import math
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import venv

import record

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VENV = ROOT / "target" / "peers-venv"

# The two servers.
BENCH, TORCH = "peer_steps", "steps_torch.py"

# Steps in a round: about half a second of torch.
STEPS = {"mlp": 11, "small": 750, "icnn": 21, "not2": 24, "not64": 20}
# The ratio to stay under, by (threads, clock) and case.
TARGETS = {
    (1, "cpu"): {"mlp": 0.80, "small": 0.20, "icnn": 0.60, "not2": 0.50, "not64": 0.50},
    (2, "wall"): {"mlp": 1.00, "small": 1.00, "icnn": 1.00},
}


def peers_python():
    """The interpreter of the environment, which is made or completed first where it has to be."""
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = (HERE / "requirements.txt").read_text()
    stamp = VENV / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(VENV, clear=True, symlinks=os.name != "nt", with_pip=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        requirements = str(HERE / "requirements.txt")
        subprocess.run([*pip, "--no-cache-dir", "--no-deps", "-r", requirements], check=True)
        stamp.write_text(wanted)
    return str(python)


def build_ours(bench="peer_steps"):
    """Builds the bench and returns its executable."""
    command = ["cargo", "bench", "--no-run", "--bench", bench, "--message-format=json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    for line in done.stdout.splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("executable") and message["target"]["name"] == bench:
            return message["executable"]
    sys.exit(f"cargo named no executable for the bench {bench}")


class Server:
    """A process that answers `<case> <steps>` with the median milliseconds per step."""

    def __init__(self, name, command, threads, clock, **form):
        self.name = name
        env = {**os.environ, **form, "THREADS": str(threads), "CLOCK": clock}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=env)

    def time(self, case, steps):
        try:
            self.process.stdin.write(f"{case} {steps}\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().strip()
        except BrokenPipeError:
            answer = ""
        try:
            ms = float(answer)
        except ValueError:
            ms = math.nan
        if not 0 < ms < math.inf:
            sys.exit(f"{self.name} answered {answer!r} to `{case} {steps}`")
        return ms

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def measure(ours, torch, cases, rounds):
    """Milliseconds per step of both sides in every round, by case."""
    for case in cases:
        for server in (ours, torch):
            server.time(case, max(3, STEPS[case] // 4))
    times = {case: {"ours": [], "torch": []} for case in cases}
    for _ in range(rounds):
        for case in cases:
            for server in (ours, torch):
                times[case][server.name].append(server.time(case, STEPS[case]))
    return times


def summary(case, times, target):
    ratios = [a / b for a, b in zip(times["ours"], times["torch"])]
    return {
        "case": case,
        "steps": STEPS[case],
        "ours_ms": statistics.median(times["ours"]),
        "torch_ms": statistics.median(times["torch"]),
        "ratio": statistics.median(ratios),
        "target": target,
        "ratios": [round(r, 4) for r in ratios],
    }


def table(rows):
    yield "| case | ours, ms | torch, ms | ratio | min..max | target |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for row in rows:
        low, high = min(row["ratios"]), max(row["ratios"])
        target = "-" if row["target"] is None else f"{row['target']:.2f}"
        yield (
            f"| {row['case']} | {row['ours_ms']:.3f} | {row['torch_ms']:.3f} "
            f"| {row['ratio']:.3f} | {low:.3f}..{high:.3f} | {target} |"
        )


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def versions(python):
    code = "import platform, importlib.metadata as m; print(platform.python_version(), %s)"
    found = output(python, "-c", code % 'm.version("torch"), m.version("numpy")')
    names = ("python", "torch", "numpy")
    return {**dict(zip(names, (found or "").split())), "rustc": output("rustc", "--version")}


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", default=",".join(STEPS), help="comma-separated; all by default")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, choices=(1, 2), default=1)
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu")
    parser.add_argument("--record", metavar="FILE", help="append the results as a line of JSON")
    parser.add_argument("--ours", metavar="CMD", help="a server to take in place of the bench")
    args = parser.parse_args()
    args.cases = args.cases.split(",")
    unknown = [case for case in args.cases if case not in STEPS]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}")
    if args.rounds < 1:
        parser.error("--rounds must be at least 1")
    return args


def main():
    args = parse_args()
    python = peers_python()
    command = shlex.split(args.ours) if args.ours else [build_ours(BENCH)]
    ours = Server("ours", command, args.threads, args.clock)
    torch_command = [python, str(HERE / TORCH)]
    torch = Server("torch", torch_command, args.threads, args.clock)
    times = measure(ours, torch, args.cases, args.rounds)
    ours.close()
    torch.close()
    targets = TARGETS.get((args.threads, args.clock), {})
    rows = [summary(case, times[case], targets.get(case)) for case in args.cases]
    print(f"{args.threads} thread(s), {args.clock} time, {args.rounds} rounds, {record.cpu_name()}\n")
    print("\n".join(table(rows)))
    if args.record:
        settings = {"threads": args.threads, "clock": args.clock, "rounds": args.rounds}
        settings["ours"] = "other" if args.ours else BENCH
        record.append(args.record, versions(python), **settings, cases=rows)


if __name__ == "__main__":
    main()
