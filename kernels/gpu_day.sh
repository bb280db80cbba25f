#!/usr/bin/env bash
# For a machine with an NVIDIA GPU and its driver (CUDA 12.1 or later): runs the tests on the real device,
# the sanitizer where it is installed, times every kernel, and writes one file under docs/gpu-runs/.
# Clocks and settings of the GPU are read and never changed.
#
# With --emulated it tries itself without a GPU, on the emulated device and small sizes, and writes to target/:
# times mean nothing then.
set -uo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never
if [ "${1:-}" = --emulated ]; then
    export BRENIER_CUDA=emulated
    folder=target/gpu-runs bench=(-- --test)
else
    export BRENIER_CUDA=real
    folder=docs/gpu-runs bench=()
fi
mkdir -p "$folder"
out=$folder/$(date -u +%Y-%m-%dT%H%M).txt
failed=0

step() { printf '\n== %s\n' "$*"; }
try() { "$@" || { echo "FAILED: $*"; failed=1; }; }

day() {
    step machine
    if [ "$BRENIER_CUDA" = emulated ]; then
        echo "emulated device: a trial of this script, whose times mean nothing"
    else
        nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem,power.limit --format=csv
    fi
    git rev-parse HEAD
    step "tests with the embedded kernels"
    try cargo test --release --features cuda --test cuda -- --test-threads=1
    step "tests with kernels compiled by NVRTC, where it is installed"
    if [ "$BRENIER_CUDA" = emulated ]; then
        echo "skipped: the emulated device runs no machine code"
    else
        BRENIER_NVRTC=1 try cargo test --release --features cuda --test cuda -- --test-threads=1
    fi
    step sanitizer
    binary=$(cargo test --release --features cuda --test cuda --no-run --message-format=json \
        2> /dev/null | grep -o '"executable":"[^"]*/cuda-[^"]*"' | cut -d'"' -f4)
    echo "${binary##*/}"
    if command -v compute-sanitizer > /dev/null; then
        for tool in memcheck racecheck initcheck synccheck; do
            try compute-sanitizer --tool "$tool" --error-exitcode 1 "$binary" --test-threads=1 the_same_bits
        done
    else
        echo "skipped: compute-sanitizer is not on the path"
    fi
    step "times of every kernel"
    try cargo run --release --features cuda --example gpu_day
    step "whole calls"
    try cargo bench --features cuda --bench cuda "${bench[@]}"
    step "predicted (docs/gpu-model.md)"
    sed -n '/^## Half step/,/^An iteration/p' docs/gpu-model.md
    [ "$failed" = 0 ] && step green || step "FAILED, see above"
    return "$failed"
}

day 2>&1 | tee "$out"
status=$?
echo "written: $out"
exit "$status"
