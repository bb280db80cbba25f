"""Loads the map that `quickstart` has trained into PyTorch and checks that it gives the same images.

    cargo run --release --example quickstart
    pip install torch safetensors numpy
    python examples/load_map.py target/quickstart
"""

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "target/quickstart")


class Displacement(torch.nn.Module):
    """T(x) = x + network(x): `Displacement<Mlp<2, 128, 2, 2>>`, two layers in and two hidden ones."""

    def __init__(self, inputs, width, hidden, outputs):
        super().__init__()
        layers = [torch.nn.Linear(inputs, width)]
        layers += [torch.nn.Linear(width, width) for _ in range(hidden)]
        self.layers = torch.nn.ModuleList([*layers, torch.nn.Linear(width, outputs)])

    def forward(self, x):
        h = x
        for layer in self.layers[:-1]:
            h = torch.relu(layer(h))
        return x + self.layers[-1](h)


def renamed(name):
    """`0.first.weight`, `0.hidden.1.bias`, `0.last.weight` to places in the list."""
    _, place, *rest = name.split(".")
    index = {"first": 0, "hidden": None, "last": 3}[place]
    if index is None:
        index, rest = 1 + int(rest[0]), rest[1:]
    return f"layers.{index}.{rest[0]}"


network = Displacement(2, 128, 2, 2)
weights = load_file(folder / "map.safetensors")
network.load_state_dict({renamed(name): value for name, value in weights.items()})
arrays = np.load(folder / "images.npz")
with torch.no_grad():
    images = network(torch.from_numpy(arrays["x"])).numpy()
error = np.abs(images - arrays["image"]).max()
print(f"{len(images)} points, largest difference {error:.1e}")
# Sums of 128 products in another order, in single precision, of numbers of order one.
assert error < 1e-5, error
