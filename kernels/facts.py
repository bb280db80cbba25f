#!/usr/bin/env python3
"""What the assembler says of the kernels: registers, spills, and the instructions of inner loops.

    kernels/facts.py           checks spills and register limits for sm_75 … sm_120
    kernels/facts.py --write   also writes docs/gpu-model.md

ptxas and nvdisasm come from wheels of PyPI. Where they cannot be had, this says so and ends well.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
WHEELS = ["nvidia-cuda-nvcc==13.5.37", "nvidia-cuda-nvdisasm==13.5.37"]
ARCHITECTURES = ["sm_75", "sm_80", "sm_90", "sm_100", "sm_120"]

# Modules that time is spent in, of every family of kernels, and the most registers a thread may take.
LIMITS = {
    "softmin-square-f32-d2": 72,
    "softmin-square-f32-d3": 72,
    "softmin-square-f32-d8": 96,
    "softmin-square-f32-d16": 128,
    "softmin-square-f32-d32": 128,
    "softmin-square-f32-d64": 168,
    "softmin-square-f32": 168,
    "softmin-distance-f32-d2": 64,
    "softmin-distance-f32-d3": 64,
    "softmin-distance-f32": 168,
    "softmin-product-f32-d2": 72,
    "softmin-product-f32-d3": 72,
    "softmin-product-f32-d8": 96,
    "softmin-product-f32-d16": 128,
    "softmin-product-f32-d32": 128,
    "softmin-product-f32-d64": 168,
    "softmin-product-f32": 168,
    "softmin-cosine-f32": 168,
    "softmin-power-f32": 168,
    "softmin-stored-f32": 128,
    "small_sinkhorn-square-f32": 128,
    "small_sinkhorn-distance-f32": 128,
    "small_sinkhorn-product-f32": 128,
    "small_sinkhorn-cosine-f32": 128,
    "small_sinkhorn-power-f32": 128,
    "softmin_tensor-square-f32": 192,
    "softmin_tensor-product-f32": 192,
    "update-f32": 64,
    "transport-square-f32": 240,
    "transport-distance-f32": 240,
    "transport-stored-f32": 128,
    "cost_matrix-square-f32": 160,
    "cost_matrix-distance-f32": 224,
    "sample-square-f32": 64,
    "contract-f32": 64,
    "points-f32": 64,
}
# Modules that not every architecture has the instructions for.
WITHOUT = {"softmin_tensor-square-f32": ["sm_75"], "softmin_tensor-product-f32": ["sm_75"]}

# (processors, clock in GHz, cycles of a processor per warp instruction of each pipe). A tensor instruction
# is m16n8k8 in TF32, 1024 products.
CARDS = {
    "H100": (132, 1.755, {"issue": 0.25, "fp32": 0.25, "alu": 0.5, "mufu": 2.0, "shared": 1.0, "tensor": 1.0}),
    "A100": (108, 1.410, {"issue": 0.25, "fp32": 0.5, "alu": 0.5, "mufu": 2.0, "shared": 1.0, "tensor": 2.0}),
}
CARD_ARCHITECTURE = {"H100": "sm_90", "A100": "sm_80"}
FP32 = ("FADD", "FMUL", "FFMA", "IMAD")
ALU = ("FMNMX", "FSETP", "FSEL", "ISETP", "IADD3", "LOP3", "SEL", "SHF", "LEA", "PRMT", "PLOP3", "VIADD")


def tools():
    cache = pathlib.Path(tempfile.gettempdir()) / "brenier-cuda-tools-13.5.37"
    binaries = cache / "nvidia/cu13/bin"
    if not (binaries / "nvdisasm").exists() or not (binaries / "ptxas").exists():
        download = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", str(cache)] + WHEELS
        done = subprocess.run(download, capture_output=True, text=True)
        if done.returncode != 0:
            print(f"skipped: {' '.join(download)} failed: {done.stderr.strip().splitlines()[-1:]}")
            return None
        for wheel in cache.glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(cache)
        for binary in binaries.iterdir():
            binary.chmod(0o755)
    return binaries


def assemble(binaries, module, architecture):
    """(registers, spilled bytes) of each entry, and the machine code."""
    code = pathlib.Path(tempfile.gettempdir()) / f"brenier-{module}-{architecture}.cubin"
    command = [binaries / "ptxas", f"-arch={architecture}", "-v", "-o", code, HERE / f"ptx/{module}.ptx"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    spills = [sum(map(int, m)) for m in re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill", done.stderr)]
    registers = [int(m) for m in re.findall(r"Used (\d+) registers", done.stderr)]
    return max(registers), sum(spills), code


def check(binaries):
    """The table of registers; fails where a hot kernel spills or takes too many."""
    wrong, table = [], []
    for module, limit in LIMITS.items():
        used = []
        for architecture in ARCHITECTURES:
            if architecture in WITHOUT.get(module, []):
                used.append("–")
                continue
            registers, spills, code = assemble(binaries, module, architecture)
            code.unlink()
            used.append(registers)
            if spills or registers > limit:
                wrong.append(f"{module} for {architecture}: {registers} registers of {limit}, {spills} bytes spilled")
        table.append((module, used, limit))
        print(f"{module:28} {' '.join(f'{r:>3}' for r in used)} registers of {limit}")
    if wrong:
        sys.exit("\n".join(wrong))
    return table


def instructions(binaries, code):
    """(opcode, target of a branch or None) per instruction, and the positions of labels."""
    text = subprocess.run([binaries / "nvdisasm", "-c", code], capture_output=True, text=True, check=True)
    program, labels = [], {}
    for line in text.stdout.splitlines():
        label = re.match(r"\s*(\.L_x_\d+):", line)
        if label:
            labels[label.group(1)] = len(program)
        operation = re.match(r"\s*/\*[0-9a-f]+\*/\s+(?:@!?U?P\d+\s+)?([A-Z][A-Z0-9_.]*)(.*)", line)
        if operation:
            target = re.search(r"\(\.L_x_\d+\)", operation.group(2))
            target = target.group(0)[1:-1] if target and operation.group(1).startswith("BRA") else None
            program.append((operation.group(1), target))
    return program, labels


def loops(program, labels):
    """Back edges as (first, last), outermost first."""
    edges = []
    for at, (_, target) in enumerate(program):
        if target is not None and labels[target] < at:
            edges.append((labels[target], at))
    return sorted(edges, key=lambda e: e[0] - e[1])


def count(program, first, last, holes=(), wide_accesses=False):
    """Instructions of first..last without the holes, by pipe."""
    pipes = {"issue": 0, "fp32": 0, "alu": 0, "mufu": 0, "shared": 0, "tensor": 0}
    for at in range(first, last + 1):
        if any(a <= at <= b for a, b in holes):
            continue
        operation = program[at][0].split(".")[0]
        pipes["issue"] += 1
        pipes["fp32"] += operation in FP32
        pipes["alu"] += operation in ALU
        pipes["mufu"] += operation == "MUFU"
        # Fragments of 16 bytes differ between lanes; all other accesses are broadcasts or single words.
        wide = ".128" in program[at][0] and wide_accesses
        pipes["shared"] += (operation in ("LDS", "STS")) * (4 if wide else 1)
        pipes["tensor"] += operation == "HMMA"
    return pipes


def per_pair(binaries, module, architecture, d):
    """Instructions per pair of a half step, by pipe."""
    _, _, code = assemble(binaries, module, architecture)
    program, labels = instructions(binaries, code)
    code.unlink()
    found = loops(program, labels)
    add = lambda a, b, times: {k: a[k] + times * b[k] for k in a}
    if "tensor" in module:
        # Tiles of 64 columns by 16 rows of a warp. Inside, a loop over two tiles of 8 columns fills the
        # fragments, and in it one takes 2 chunks at a time. Blocks out of line close further loops, which
        # start later than the outermost.
        counts = {e: count(program, *e, wide_accesses=True) for e in found}
        outer = min((e for e in found if counts[e]["tensor"] > 0), key=lambda e: e[0])
        fill, inner = [e for e in found if counts[e]["tensor"] == 0][:2]
        if not fill[0] < inner[0] < inner[1] < fill[1]:
            sys.exit(f"{module}: the loops are not those that the model knows")
        total = count(program, *outer, [fill], wide_accesses=True)
        total = add(total, count(program, *fill, [inner], wide_accesses=True), 2)
        total = add(total, counts[inner], 2 * d / 16)
        pairs = 16 * 64 // 32
    elif d <= 32:
        # Tiles of 64 columns; inside, 8 columns at a time.
        outer = found[0]
        inner = [e for e in found[1:] if count(program, *e)["mufu"] > 0][0]
        own = 2 if d <= 16 else 1
        total = add(count(program, *outer, [inner]), count(program, *inner), 8)
        pairs = 64 * own
    else:
        # Tiles of 128 columns; inside, chunks of 8 coordinates; inside, 4 at a time.
        outer, middle, inner = found[0], found[1], found[2]
        total = count(program, *outer, [middle])
        chunk = add(count(program, *middle, [inner]), count(program, *inner), 2)
        total = add(total, chunk, d / 8)
        pairs = 4 * 8
    return {k: v / pairs for k, v in total.items()}


def seconds(card, pipes, n):
    processors, clock, cycles = CARDS[card]
    per_warp = {k: cycles[k] * v for k, v in pipes.items()}
    bound = max(per_warp, key=per_warp.get)
    return n * n / 32 * per_warp[bound] / (processors * clock * 1e9), bound


MODEL = """# Predicted, not measured

No kernel of this repository has run on a GPU. The figures below come from a static model; `kernels/facts.py
--write` makes this page from the committed PTX. `kernels/gpu_day.sh` is what measures on a GPU; until a file
under `gpu-runs/` says otherwise it has only been tried with `--emulated`: its tests, timings and benchmarks
run to the end on the emulated device, where times mean nothing.

The model: ptxas 13.5.37 assembles the PTX; the instructions of the inner loops are counted by pipe; a
processor takes {issue} cycles per warp instruction to issue it, on an H100 {h100} per FP32 instruction and
on an A100 {a100}, 0.5 per comparison or integer instruction, 2 per exponential, 1 per access to shared memory
(4 where lanes read 16 bytes each), and on tensor cores 1 or 2 per m16n8k8 product in TF32. The busiest pipe gives the time, for a full chip at {h} GHz ({hp} processors) and {a} GHz ({ap}).
These rates are the vendor's and were not checked. The result is a **lower bound**: dependencies, bank
conflicts, tails of the grid and clocks under load are left out. We expect 1.3 to 2 times as much, which is
a guess until measured.

## Half step, squared Euclidean cost in f32, exact differences

| d | instructions per pair: all, FP32, exponentials | bound by | H100, n = m = 4096 | 16 384 | 65 536 | A100, 16 384 |
|---|---|---|---|---|---|---|
{rows}

An iteration is two half steps. Device memory does not matter: a half step reads O(n + m) numbers, and
tiles again from the second-level cache. Columns are split over blocks until there are two blocks per
processor, so that small problems fill the chip. Where a tolerance ends the iterations, a kernel of one block
per problem adds up the errors and chooses the over-relaxation (`control_rounds`); the host looks at the
outcome every eighth iteration. A small problem does all of this inside its block.

## Beside FlashSinkhorn

Published times on an A100 of 10 alternating iterations at d = 64 in f32 (TF32 tensor cores), and what the
model says of 20 half steps of ours:

| n = m | FlashSinkhorn, measured | differences, lower bound | products, lower bound | tensor cores, lower bound |
|---|---|---|---|---|
{flash}

Differences would be slower: they cost two FP32 instructions per coordinate and pair. Products of points
(`softmin-product`) halve that. On tensor cores (`softmin_tensor-square`, three TF32 products each, which
keep the accuracy of f32 products; `CudaOptions::tensor_cores`) a pair costs 3 · 64 products at 512 per
cycle and processor. Busiest there: {busiest}.
The differences stay the default, since they lose nothing for points that are close together.
FlashSinkhorn's figures are measured and ours are bounds, so this table says where time must go, and not
who is ahead; where even the bound of the tensor cores is above its figure, one TF32 product per
coordinate, which has 10 bits, would have to do instead of three.

## Registers

Hot kernels, for {architectures}; none spills.

| module | registers | limit |
|---|---|---|
{registers}
"""


def write(binaries, table):
    def row(d):
        pipes = {card: per_pair(binaries, f"softmin-square-f32-d{d}", CARD_ARCHITECTURE[card], d) for card in CARDS}
        h = pipes["H100"]
        times = [seconds("H100", h, n)[0] * 1e3 for n in (4096, 16384, 65536)]
        times.append(seconds("A100", pipes["A100"], 16384)[0] * 1e3)
        figures = " | ".join(f"{t:.3g} ms" for t in times)
        counts = f"{h['issue']:.1f}, {h['fp32']:.1f}, {h['mufu']:.2f}"
        return f"| {d} | {counts} | {seconds('H100', h, 1)[1]} | {figures} |"

    def twenty(module, n):
        pipes = per_pair(binaries, module, "sm_80", 64)
        return 20 * seconds("A100", pipes, n)[0] * 1e3

    published = {10_000: 8.3, 20_000: 21.7, 50_000: 102.6}
    modules = ["softmin-square-f32-d64", "softmin-product-f32-d64", "softmin_tensor-square-f32"]
    flash = [
        f"| {n:,} | {ms} ms | ".replace(",", " ") + " | ".join(f"{twenty(m, n):.1f} ms" for m in modules) + " |"
        for n, ms in published.items()
    ]
    h, a = CARDS["H100"], CARDS["A100"]
    tensor = per_pair(binaries, "softmin_tensor-square-f32", "sm_80", 64)
    cycles = {k: a[2][k] * v for k, v in tensor.items()}
    busiest = ", ".join(f"{k} {v / 32:.2f}" for k, v in sorted(cycles.items(), key=lambda e: -e[1])[:3])
    text = MODEL.format(
        issue=h[2]["issue"],
        h100=h[2]["fp32"],
        a100=a[2]["fp32"],
        h=h[1],
        hp=h[0],
        a=a[1],
        ap=a[0],
        rows="\n".join(row(d) for d in (2, 3, 8, 16, 32, 64)),
        flash="\n".join(flash),
        busiest=f"{busiest} cycles per pair",
        architectures=", ".join(ARCHITECTURES),
        registers="\n".join(f"| `{m}` | {', '.join(map(str, used))} | {limit} |" for m, used, limit in table),
    )
    (HERE.parent / "docs/gpu-model.md").write_text(text)


def main():
    binaries = tools()
    if binaries is None:
        return
    table = check(binaries)
    if "--write" in sys.argv[1:]:
        write(binaries, table)


if __name__ == "__main__":
    main()
