#!/usr/bin/env python3
"""Compiles kernels/*.cu to kernels/ptx/*.ptx with NVRTC 12.1.105, or checks that they are what it gives.

    kernels/build.py             writes kernels/ptx, kernels/ptx/PROVENANCE and src/cuda/embedded.rs
    kernels/build.py --check     compares; fails where a byte differs, and says so where the compiler
                                 cannot be had (then only the hashes of the sources are compared)

The compiler is the wheel nvidia-cuda-nvrtc-cu12 of PyPI: no GPU, driver or toolkit is needed. PTX of
this version for compute_70 loads with every driver from CUDA 12.1 on, on every GPU from sm_70 on.
"""

import ctypes
import hashlib
import pathlib
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
WHEEL = "nvidia-cuda-nvrtc-cu12==12.1.105"
ARCHITECTURE = "compute_70"
FORMS = ["square", "distance", "power", "product", "cosine"]
# What needs a later architecture.
ARCHITECTURES = {"softmin_tensor.cu": "compute_80"}
# Numbers of coordinates with a half step of their own, in f32.
DIMENSIONS = {"square": [2, 3, 8, 16, 32, 64], "distance": [2, 3], "product": [2, 3, 8, 16, 32, 64]}


def modules():
    """(name, source, options) of every module."""
    for bits in (32, 64):
        for op in ("contract", "points", "update"):
            yield f"{op}-f{bits}", f"{op}.cu", [f"-DPRECISION={bits}"]
        for form in FORMS + ["stored"]:
            for op in ("cost_matrix", "sample", "small_sinkhorn", "softmin", "transport"):
                if form == "stored" and op == "small_sinkhorn":
                    continue
                dimensions = [0]
                if op == "softmin" and bits == 32:
                    dimensions += DIMENSIONS.get(form, [])
                for d in dimensions:
                    name = f"{op}-{form}-f{bits}" + (f"-d{d}" if d else "")
                    options = [f"-DPRECISION={bits}", f"-DFORM={form.upper()}", f"-DDIM={d}"]
                    yield name, f"{op}.cu", options
    for form in ("square", "product"):
        options = ["-DPRECISION=32", f"-DFORM={form.upper()}"]
        yield f"softmin_tensor-{form}-f32", "softmin_tensor.cu", options


def sources():
    return sorted(HERE.glob("*.cu")) + sorted(HERE.glob("*.cuh"))


def compiler():
    """The folder of the compiler from its wheel, or None with a reason printed."""
    cache = pathlib.Path(tempfile.gettempdir()) / "brenier-nvrtc-12.1.105"
    lib = cache / "nvidia/cuda_nvrtc/lib/libnvrtc.so.12"
    if not lib.exists():
        download = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", str(cache), WHEEL]
        done = subprocess.run(download, capture_output=True, text=True)
        if done.returncode != 0:
            print(f"no compiler: {' '.join(download)} failed: {done.stderr.strip().splitlines()[-1:]}")
            return None
        for wheel in cache.glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(cache)
    return lib.parent


def library():
    folder = compiler()
    if folder is None:
        return None
    lib = folder / "libnvrtc.so.12"
    ctypes.CDLL(str(lib.with_name("libnvrtc-builtins.so.12.1")), mode=ctypes.RTLD_GLOBAL)
    return ctypes.CDLL(str(lib))


class Compiler:
    def __init__(self, nvrtc):
        self.nvrtc = nvrtc
        headers = [(p.name.encode(), p.read_bytes()) for p in sorted(HERE.glob("*.cuh"))]
        self.names = (ctypes.c_char_p * len(headers))(*[name for name, _ in headers])
        self.texts = (ctypes.c_char_p * len(headers))(*[text for _, text in headers])

    def check(self, status, program, source):
        if status == 0:
            return
        size = ctypes.c_size_t()
        self.nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        self.nvrtc.nvrtcGetProgramLog(program, log)
        sys.exit(f"{source}: NVRTC status {status}\n{log.value.decode()}")

    def compile(self, source, options):
        program = ctypes.c_void_p()
        text = (HERE / source).read_bytes()
        created = self.nvrtc.nvrtcCreateProgram(
            ctypes.byref(program), text, source.encode(), len(self.names), self.texts, self.names
        )
        self.check(created, program, source)
        options = [f"-arch={ARCHITECTURES.get(source, ARCHITECTURE)}"] + options
        array = (ctypes.c_char_p * len(options))(*[o.encode() for o in options])
        self.check(self.nvrtc.nvrtcCompileProgram(program, len(options), array), program, source)
        size = ctypes.c_size_t()
        self.check(self.nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size)), program, source)
        ptx = ctypes.create_string_buffer(size.value)
        self.check(self.nvrtc.nvrtcGetPTX(program, ptx), program, source)
        self.nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
        return ptx.raw[:-1]


def provenance():
    lines = [
        f"compiler: NVRTC 12.1.105 (wheel {WHEEL})",
        f"options: -arch={ARCHITECTURE} and those below; made by kernels/build.py",
        *(f"{source}: -arch={architecture}" for source, architecture in ARCHITECTURES.items()),
        "",
        "sha256 of the sources:",
    ]
    lines += [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}" for p in sources()]
    lines += ["", "modules:"]
    lines += [f"{name}: {source} {' '.join(options)}" for name, source, options in modules()]
    return "\n".join(lines) + "\n"


def table():
    lines = [
        "//! The compiled kernels. Written by `kernels/build.py`.",
        "",
        "/// Names of modules and their PTX, sorted.",
        "pub(super) const EMBEDDED: &[(&str, &str)] = &[",
    ]
    for name in sorted(name for name, _, _ in modules()):
        line = f'    ("{name}", include_str!("../../kernels/ptx/{name}.ptx")),'
        if len(line) > 100:
            line = f'    (\n        "{name}",\n        include_str!("../../kernels/ptx/{name}.ptx"),\n    ),'
        lines.append(line)
    return "\n".join(lines + ["];"]) + "\n"


def main():
    check = "--check" in sys.argv[1:]
    files = {HERE / "ptx/PROVENANCE": provenance().encode()}
    files[HERE.parent / "src/cuda/embedded.rs"] = table().encode()
    nvrtc = library()
    if nvrtc is not None:
        compiler = Compiler(nvrtc)
        for name, source, options in modules():
            files[HERE / f"ptx/{name}.ptx"] = compiler.compile(source, options)
    elif not check:
        sys.exit(1)
    else:
        print("skipped: the PTX itself; only the hashes of its sources are compared")
    if check:
        wrong = [p for p, text in files.items() if not p.exists() or p.read_bytes() != text]
        for path in wrong:
            print(f"differs from what kernels/build.py makes: {path.relative_to(HERE.parent)}")
        print(f"{len(files) - len(wrong)} of {len(files)} files are as made")
        sys.exit(1 if wrong else 0)
    for old in (HERE / "ptx").glob("*.ptx"):
        if old not in files:
            old.unlink()
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    print(f"{len(files)} files written")


if __name__ == "__main__":
    main()
