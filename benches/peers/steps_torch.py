"""Times single training steps in eager PyTorch with fused Adam, on request.

Reads lines `<case> <steps>` on standard input, runs that many steps of the case and answers with
one line: the median milliseconds per step. A case is built at its first use from a fixed seed and
keeps its state from line to line. The process ends with its input.

Environment: THREADS, the number of threads (default 1); CLOCK, `cpu` for the CPU time of the
process (the default) or `wall`.

Cases, all in float32:
  mlp    64-512-512-512-64 ReLU, batch 1024, mean squared error to a fixed target
  small  2-64-64-64-2 ReLU, batch 256, the same
  icnn   input-convex network in 64 dimensions, batch 1024, the same error on its input gradient
  not2   strong neural OT in 2 dimensions: ten steps of the map and one of the potential
  not64  the same in 64 dimensions

The forms are those that came out fastest, or level with the fastest, among the usual eager ones
(ReLU in place or not, squares by product or power, addmm or linear plus addition).
"""

import gc
import os
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


def relu_mlp(*widths):
    """Linear layers with biases, ReLU between them and none after the last."""
    layers = []
    for i, o in zip(widths, widths[1:]):
        layers += [nn.Linear(i, o), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def adam(params, lr):
    return torch.optim.Adam(params, lr=lr, fused=True)


def regression(dim, width, batch):
    net = relu_mlp(dim, width, width, width, dim)
    opt = adam(net.parameters(), 1e-3)
    x, target = torch.randn(batch, dim), torch.randn(batch, dim)

    def step():
        opt.zero_grad(set_to_none=True)
        F.mse_loss(net(x), target).backward()
        opt.step()

    return step


def icnn(dim=64, width=256, batch=1024):
    """v(x) = celu(q_0 C^T + q_1) w + 0.005 |x|^2 with q_i(x) = (x A_i)^2 + x B_i^T + c_i."""

    def normal(*shape):
        return (0.1 * torch.randn(shape)).requires_grad_()

    def uniform(*shape):
        return (0.1 * torch.rand(shape)).requires_grad_()

    a = [normal(dim, width) for _ in range(2)]
    b = [normal(width, dim) for _ in range(2)]
    c = [normal(width) for _ in range(2)]
    mix, out = uniform(width, width), uniform(width)
    params = [*a, *b, *c, mix, out]
    opt = adam(params, 1e-3)
    x, target = torch.randn(batch, dim, requires_grad=True), torch.randn(batch, dim)

    def quadratic(i):
        y = x @ a[i]
        return y * y + F.linear(x, b[i], c[i])

    def step():
        opt.zero_grad(set_to_none=True)
        h = F.celu(F.linear(quadratic(0), mix) + quadratic(1))
        v = h @ out + 0.005 * (x * x).sum(1)
        (grad,) = torch.autograd.grad(v.sum(), x, create_graph=True)
        F.mse_loss(grad, target).backward(inputs=params)
        opt.step()

    return step


def strong_not(dim, width=128, batch=256, map_steps=10):
    transport = relu_mlp(dim, width, width, width, dim)
    potential = relu_mlp(dim, width, width, width, 1)
    transport_opt = adam(transport.parameters(), 1e-4)
    potential_opt = adam(potential.parameters(), 1e-4)
    xs = torch.randn(map_steps + 1, batch, dim).unbind()
    y = torch.randn(batch, dim)

    def step():
        potential.requires_grad_(False)
        for x in xs[:-1]:
            transport_opt.zero_grad(set_to_none=True)
            z = transport(x)
            loss = ((x - z) ** 2).sum(1).mean() - potential(z).mean()
            loss.backward()
            transport_opt.step()
        potential.requires_grad_(True)
        potential_opt.zero_grad(set_to_none=True)
        with torch.no_grad():
            z = transport(xs[-1])
        loss = potential(z).mean() - potential(y).mean()
        loss.backward()
        potential_opt.step()

    return step


CASES = {
    "mlp": lambda: regression(64, 512, 1024),
    "small": lambda: regression(2, 64, 256),
    "icnn": icnn,
    "not2": lambda: strong_not(2),
    "not64": lambda: strong_not(64),
}
CLOCKS = {"cpu": time.process_time_ns, "wall": time.perf_counter_ns}


def median_ms(step, steps, clock):
    gc.collect()
    gc.disable()
    times = []
    for _ in range(steps):
        start = clock()
        step()
        times.append(clock() - start)
    gc.enable()
    return statistics.median(times) / 1e6


def main():
    torch.set_num_threads(int(os.environ.get("THREADS", "1")))
    torch.set_num_interop_threads(1)
    clock = CLOCKS[os.environ.get("CLOCK", "cpu")]
    built = {}
    for line in sys.stdin:
        case, steps = line.split()
        if case not in built:
            torch.manual_seed(0)
            built[case] = CASES[case]()
        print(f"{median_ms(built[case], int(steps), clock):.6f}", flush=True)


if __name__ == "__main__":
    main()
