"""Peak memory of training steps of image networks, beside PyTorch. Linux only.

    python benches/peers/memory.py --record target/peer-memory.jsonl

Each side is a process of its own (the servers of convolution.py) that runs a few steps of a case and
nothing else, with the settings of the allocator as they come. Its peak is VmHWM, the largest resident
set that the kernel saw; what the process held before the case, its code and libraries, is given too.
"""

import argparse
import os
import pathlib
import re

import convolution
import record
import steps
from images import FORMS

for name in convolution.MALLOC:
    os.environ.pop(name, None)


def resident(server, name):
    """MiB, from the kernel's account of a process."""
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(rf"^{name}:\s+(\d+) kB", status, re.M).group(1)) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--case", default="not64")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--forms", default="eager;eager, channels last", help="separated by `;`")
    parser.add_argument("--record", metavar="FILE", help="append the results as a line of JSON")
    parser.add_argument("--ours", metavar="EXE", help="a server to take in place of the bench")
    args = parser.parse_args()
    python = steps.peers_python()
    sides = {"ours": ([args.ours or steps.build_ours(steps.BENCH)], {})}
    for form in args.forms.split(";"):
        sides[form] = ([python, str(steps.HERE / steps.TORCH)], FORMS[form])
    peaks = {}
    for side, (command, form) in sides.items():
        server = steps.Server(side, command, args.threads, "wall", **form)
        # The smallest case: code and libraries are loaded, and threads started.
        server.time("few", 1)
        before = resident(server, "VmRSS")
        server.time(args.case, args.steps)
        peaks[side] = {"before": round(before), "peak": round(resident(server, "VmHWM"))}
        server.close()
        print(f"{side}: {peaks[side]['peak']} MiB, {peaks[side]['before']} before the case")
    if args.record:
        settings = {"case": args.case, "steps": args.steps, "threads": args.threads}
        record.append(args.record, steps.versions(python), **settings, MiB=peaks)


if __name__ == "__main__":
    main()
