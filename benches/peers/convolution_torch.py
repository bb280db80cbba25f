"""Times convolutions and training steps of image networks in PyTorch, on request.

The protocol is that of steps_torch.py, to whose cases these are added: conv64, conv128, down, few,
conv3d (forward and backward of one convolution), not2d, not3d, not64 (one map step and one potential
step of strong neural OT). With FORM=compile networks are compiled, with LAYOUT=last they and their
data are channels last.
"""

import os
import pathlib
import sys

import torch
from torch.nn import functional as F

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "golden"))

import steps_torch
from make_image import ResNetD, UNet

COMPILED = os.environ.get("FORM") == "compile"
LAST = os.environ.get("LAYOUT") == "last"


def laid_out(t):
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    return t.to(memory_format=formats[t.dim()]) if LAST else t


def convolution(x_shape, w_shape, **how):
    x = laid_out(torch.randn(x_shape)).requires_grad_()
    w = laid_out(torch.randn(w_shape) * 0.05).requires_grad_()
    b = torch.zeros(w_shape[0], requires_grad=True)
    apply = F.conv2d if len(x_shape) == 4 else F.conv3d
    with torch.no_grad():
        seed = torch.randn_like(apply(x, w, b, **how))

    def step():
        x.grad = w.grad = b.grad = None
        apply(x, w, b, **how).backward(seed)

    return step


def strong_not(transport, potential, shape):
    def prepared(net):
        net = net.float()
        if LAST:
            dims = {4: torch.channels_last, 5: torch.channels_last_3d}
            net = net.to(memory_format=dims[len(shape)])
        return torch.compile(net) if COMPILED else net

    transport, potential = prepared(transport), prepared(potential)
    transport_opt = steps_torch.adam(transport.parameters(), 1e-4)
    potential_opt = steps_torch.adam(potential.parameters(), 1e-4)
    x0, x1, y = (laid_out(torch.randn(shape)) for _ in range(3))

    def step():
        potential.requires_grad_(False)
        transport.train()
        transport_opt.zero_grad(set_to_none=True)
        z = transport(x0)
        loss = ((x0 - z) ** 2).flatten(1).sum(1).mean() - potential(z).mean()
        loss.backward()
        transport_opt.step()
        potential.requires_grad_(True)
        potential_opt.zero_grad(set_to_none=True)
        transport.eval()
        with torch.no_grad():
            z = transport(x1)
        (potential(z).mean() - potential(y).mean()).backward()
        potential_opt.step()

    return step


steps_torch.CASES.update({
    "conv64": lambda: convolution((64, 64, 32, 32), (64, 64, 3, 3), padding=1),
    "conv128": lambda: convolution((64, 128, 16, 16), (128, 128, 3, 3), padding=1),
    "down": lambda: convolution((64, 64, 32, 32), (128, 64, 4, 4), stride=2, padding=1),
    "few": lambda: convolution((64, 3, 32, 32), (64, 3, 3, 3), padding=1),
    "conv3d": lambda: convolution((16, 32, 16, 16, 16), (32, 32, 3, 3, 3), padding=1),
    "not2d": lambda: strong_not(
        UNet(3, 3, [32, 64, 128]), ResNetD(3, [64, 128, 256, 512, 512]), (16, 3, 32, 32)),
    "not3d": lambda: strong_not(
        UNet(3, 3, [32, 64, 128], 3), ResNetD(3, [32, 64, 128, 128], 3), (8, 3, 16, 16, 16)),
    "not64": lambda: strong_not(
        UNet(3, 3, [48, 96, 192, 384]), ResNetD(3, [64, 128, 256, 512, 512, 512]), (16, 3, 64, 64)),
})

if __name__ == "__main__":
    torch.set_default_dtype(torch.float32)
    steps_torch.main()
