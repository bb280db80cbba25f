"""Compares convolutions and training steps of image networks with those of PyTorch.

    python benches/peers/convolution.py --record target/peer-convolution.jsonl

As steps.py, which has the details and whose options it takes: both sides are servers that take
turns, with the same tuning of malloc. FORM=compile and LAYOUT=last choose PyTorch's form.
"""

import os

import steps

steps.STEPS.clear()
steps.STEPS.update({"conv64": 3, "conv128": 3, "down": 3, "few": 11, "conv3d": 5})
steps.STEPS.update({"not2d": 2, "not3d": 1, "not64": 1})
steps.TARGETS.clear()
steps.TARGETS.update({
    (1, "cpu"): {"conv64": 0.85, "conv128": 1.0, "down": 1.0, "few": 0.5, "conv3d": 1.0},
    (2, "wall"): {"not2d": 1.0, "not3d": 1.0},
})
steps.BENCH, steps.TORCH = "peer_convolution", "convolution_torch.py"

# Freed buffers stay with the process: else both sides would measure page faults.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 32)}
for name, value in MALLOC.items():
    os.environ.setdefault(name, value)

if __name__ == "__main__":
    steps.main()
