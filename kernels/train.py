#!/usr/bin/env python3
"""Runs the steps of the estimators on dfdx's Cuda device, emulated: no GPU, driver or toolkit is needed.

    kernels/train.py [NAME…]     the tests of tests/dfdx_cuda_emulated.rs (those with NAME in their name)

dfdx compiles 49 files with nvcc when it is built, and some short ones with NVRTC when it runs. Both come from
wheels of PyPI (130 MB, kept in the folder of temporary files); where they cannot be had this says so and ends
well. For the driver and for cuBLAS dfdx is linked against empty archives: their functions come from
kernels/emulator.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

from build import compiler

ROOT = pathlib.Path(__file__).resolve().parent.parent
WHEELS = [
    "nvidia-cuda-nvcc==13.0.88",
    "nvidia-nvvm==13.0.88",
    "nvidia-cuda-crt==13.0.88",
    "nvidia-cuda-runtime==13.0.96",
    "nvidia-cuda-cccl==13.0.85",
]
EMPTY = ["cuda", "curand", "cublas", "cublasLt"]
# dfdx starts all compilers at once. Their output waits in files, so that none stops at a full pipe.
NVCC = """#!/bin/sh
exec 3> "{lock}"
flock 3
out=$(mktemp) err=$(mktemp)
"{nvcc}" "$@" > "$out" 2> "$err"
status=$?
cat "$out"; cat "$err" >&2
rm -f "$out" "$err"
exit $status
"""
NVIDIA_SMI = "#!/bin/sh\necho compute_cap\necho 9.0\n"


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def toolkit():
    """Folders of binaries, of what dfdx looks for and of NVRTC, or None with a reason printed."""
    nvrtc = compiler()
    if nvrtc is None:
        return None
    cache = pathlib.Path(tempfile.gettempdir()) / "brenier-nvcc-13.0.88"
    kit = cache / "nvidia/cu13"
    if not (cache / "complete").exists():
        download = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", str(cache)] + WHEELS
        done = subprocess.run(download, capture_output=True, text=True)
        if done.returncode != 0:
            print(f"skipped: {' '.join(download)} failed: {done.stderr.strip().splitlines()[-1:]}")
            return None
        for wheel in cache.glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(cache)
            wheel.unlink()
        for binary in [*(kit / "bin").iterdir(), *(kit / "nvvm/bin").iterdir()]:
            if binary.is_file():
                binary.chmod(0o755)
        (cache / "complete").touch()
    script(cache / "bin/nvcc", NVCC.format(lock=cache / "lock", nvcc=kit / "bin/nvcc"))
    script(cache / "bin/nvidia-smi", NVIDIA_SMI)
    (kit / "lib64").mkdir(exist_ok=True)
    for library in EMPTY:
        (kit / f"lib64/lib{library}.a").write_bytes(b"!<arch>\n")
    link = kit / "lib64/libnvrtc.so"
    link.unlink(missing_ok=True)
    link.symlink_to(nvrtc / "libnvrtc.so.12")
    return cache / "bin", kit, nvrtc


def main():
    found = toolkit()
    if found is None:
        return 0
    binaries, kit, nvrtc = found
    environment = dict(
        os.environ,
        PATH=f"{binaries}:{os.environ['PATH']}",
        CUDA_PATH=str(kit),
        LD_LIBRARY_PATH=f"{nvrtc}:{os.environ.get('LD_LIBRARY_PATH', '')}",
        BRENIER_EMULATOR_PRINT="1",
    )
    command = ["cargo", "test", "--release", "--features", "dfdx-cuda", "--test", "dfdx_cuda_emulated"]
    return subprocess.run(command + ["--"] + sys.argv[1:], cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
