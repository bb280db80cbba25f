#!/usr/bin/env python3
"""Compiles tests/cuda/*.cu to tests/ptx/*.ptx with NVRTC 12.1 for compute_70.

    pip download --no-deps -d wheels nvidia-cuda-nvrtc-cu12==12.1.105
    python3 -m zipfile -e wheels/nvidia_cuda_nvrtc*.whl x
    tests/make_ptx.py x/nvidia/cuda_nvrtc/lib/libnvrtc.so.12

A file whose first line is `// options: ...` is compiled with these options beside the architecture;
`-arch=...` among them replaces it. With --check nothing is written; the exit status says whether the
committed files are what the compiler makes.
"""

import ctypes
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent


def compile_ptx(nvrtc, source, name, options):
    def check(result, what):
        if result != 0:
            raise RuntimeError(f"{what}: nvrtc error {result}")

    program = ctypes.c_void_p()
    check(
        nvrtc.nvrtcCreateProgram(
            ctypes.byref(program), source.encode(), name.encode(), 0, None, None
        ),
        name,
    )
    words = (ctypes.c_char_p * len(options))(*[o.encode() for o in options])
    result = nvrtc.nvrtcCompileProgram(program, len(options), words)
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    if log.value:
        print(log.value.decode(), file=sys.stderr)
    check(result, name)
    check(nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size)), name)
    text = ctypes.create_string_buffer(size.value)
    check(nvrtc.nvrtcGetPTX(program, text), name)
    return text.value.decode()


def main():
    args = [a for a in sys.argv[1:] if a != "--check"]
    nvrtc = ctypes.CDLL(str(pathlib.Path(args[0]).resolve()))
    # line information has the path of the working directory in it
    os.chdir("/")
    stale = []
    for path in sorted((HERE / "cuda").glob("*.cu")):
        source = path.read_text()
        options = ["-lineinfo"]
        first = source.splitlines()[0]
        if first.startswith("// options:"):
            options += first.split(":", 1)[1].split()
        if not any(o.startswith("-arch") for o in options):
            options.append("-arch=compute_70")
        ptx = compile_ptx(nvrtc, source, path.name, options)
        target = HERE / "ptx" / (path.stem + ".ptx")
        if "--check" in sys.argv:
            if not target.exists() or target.read_text() != ptx:
                stale.append(target.name)
        else:
            target.write_text(ptx)
    if stale:
        sys.exit("not what the compiler makes: " + ", ".join(stale))


if __name__ == "__main__":
    main()
