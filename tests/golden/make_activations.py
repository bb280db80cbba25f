"""Makes activations.json: activations and their first two derivatives by torch in float64.

At kinks the derivatives are those torch takes: at 0 the slope of relu is 0, that of leaky_relu 0.2
and the second derivative of celu 0. Compare by absolute error (all are good to 1e-14): in the
tails torch's own rounding leaves values below 1e-16 with few or no right digits.
"""

import functools

import torch
from torch.nn import functional as F

import golden

POSITIVE = [1e-3, 0.125, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0]
POSITIVE += [10.0, 12.0, 20.0, 100.0]
ACTIVATIONS = {
    "relu": ({}, F.relu),
    "leaky_relu": ({"negative_slope": 0.2}, F.leaky_relu),
    "celu": ({"alpha": 1.0}, F.celu),
    "softplus": ({"beta": 1.0, "threshold": 100.0}, F.softplus),
    "silu": ({}, F.silu),
    "gelu": ({"approximate": "none"}, F.gelu),
}


def derivative(values, z):
    """The derivative of each value by its z; zero where the values do not depend on z."""
    if not values.requires_grad:
        return torch.zeros_like(z)
    (grad,) = torch.autograd.grad(
        values.sum(), z, create_graph=True, allow_unused=True, materialize_grads=True
    )
    return grad


def main():
    grid = [-p for p in reversed(POSITIVE)] + [0.0] + POSITIVE
    activations = {}
    for name, (options, function) in ACTIVATIONS.items():
        z = torch.tensor(grid, dtype=torch.float64, requires_grad=True)
        value = functools.partial(function, **options)(z)
        first = derivative(value, z)
        second = derivative(first, z)
        lists = {"value": value, "first": first, "second": second}
        numbers = {key: golden.finite(t.detach().tolist()) for key, t in lists.items()}
        activations[name] = {"options": options, **numbers}
    golden.write("activations", ["torch"], {"z": grid, "activations": activations})


if __name__ == "__main__":
    main()
