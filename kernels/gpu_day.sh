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
tests=(cuda cuda_costs cuda_couplings cuda_half_step cuda_plan cuda_sinkhorn cuda_tensor)
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
    for test in "${tests[@]}"; do
        try cargo test --release --features cuda --test "$test" -- --test-threads=1
    done
    step "tests with kernels compiled by NVRTC, where it is installed"
    for test in "${tests[@]}"; do
        if [ "$BRENIER_CUDA" = emulated ]; then
            echo "skipped: the emulated device runs no machine code"
            break
        fi
        BRENIER_NVRTC=1 try cargo test --release --features cuda --test "$test" -- --test-threads=1
    done
    step sanitizer
    binaries=$(cargo test --release --features cuda "${tests[@]/#/--test=}" --no-run --message-format=json \
        2> /dev/null | grep -o '"executable":"[^"]*/cuda[a-z_]*-[^"]*"' | cut -d'"' -f4)
    echo "$binaries" | sed 's|.*/||'
    if command -v compute-sanitizer > /dev/null; then
        for binary in $binaries; do
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
