#!/usr/bin/env bash
# For a machine with an NVIDIA GPU and its driver (CUDA 12.1 or later): runs the tests on the real device,
# the sanitizer where it is installed, times every kernel, and writes one file under docs/gpu-runs/.
# Clocks and settings of the GPU are read and never changed.
set -uo pipefail
cd "$(dirname "$0")/.."
export BRENIER_CUDA=real CARGO_TERM_COLOR=never
tests=(cuda cuda_costs cuda_half_step cuda_plan cuda_sinkhorn)
mkdir -p docs/gpu-runs
out=docs/gpu-runs/$(date -u +%Y-%m-%dT%H%M).txt
failed=0

step() { printf '\n== %s\n' "$*"; }
try() { "$@" || { echo "FAILED: $*"; failed=1; }; }

day() {
    step machine
    nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem,power.limit --format=csv
    git rev-parse HEAD
    step "tests with the embedded kernels"
    for test in "${tests[@]}"; do
        try cargo test --release --features cuda --test "$test" -- --test-threads=1
    done
    step "tests with kernels compiled by NVRTC, where it is installed"
    for test in "${tests[@]}"; do
        BRENIER_NVRTC=1 try cargo test --release --features cuda --test "$test" -- --test-threads=1
    done
    step sanitizer
    if command -v compute-sanitizer > /dev/null; then
        cargo test --release --features cuda --no-run --message-format=json 2> /dev/null |
            grep -o '"executable":"[^"]*/cuda_[a-z_]*-[^"]*"' | cut -d'"' -f4 | while read -r binary; do
            for tool in memcheck racecheck initcheck synccheck; do
                try compute-sanitizer --tool "$tool" --error-exitcode 1 "$binary" \
                    --test-threads=1 the_same_bits
            done
        done
    else
        echo "skipped: compute-sanitizer is not on the path"
    fi
    step "times of every kernel"
    try cargo run --release --features cuda --example gpu_day
    step "whole calls"
    try cargo bench --features cuda --bench cuda
    step "predicted (docs/gpu-model.md)"
    sed -n '/^## Half step/,/^An iteration/p' docs/gpu-model.md
    [ "$failed" = 0 ] && step green || step "FAILED, see above"
}

day 2>&1 | tee "$out"
echo "written: $out"
