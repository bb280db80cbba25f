"""Makes state_dicts/: networks as PyTorch saves them, and what they give at points by name.

`unet.safetensors` is a state dict as it is; `resnet.safetensors` that of a network inside of
DataParallel, in 16 bits.
"""

import pathlib

import torch
from safetensors.torch import save_file

import golden
import make_image

FOLDER = pathlib.Path(__file__).parent / "state_dicts"


def saved(name, net, shape, of=lambda state: state):
    state = net.state_dict()
    for key in state:
        if not key.endswith("num_batches_tracked"):
            # Numbers that 16 bits hold.
            state[key] = make_image.parameter(key, tuple(state[key].shape)).half().float()
    net.load_state_dict(state)
    save_file(of(net.state_dict()), FOLDER / f"{name}.safetensors")
    x = make_image.tensor("x", *shape).float()
    with torch.no_grad():
        y = net.eval()(x)
    return {"name": name, "y": golden.finite(y.double().reshape(-1).tolist())}


def parallel(state):
    return {f"module.{k}": v.half() for k, v in state.items()}


def main():
    torch.set_default_dtype(torch.float32)
    FOLDER.mkdir(exist_ok=True)
    cases = [
        saved("unet", make_image.UNet(1, 1, [4, 4, 6]), (1, 1, 8, 8)),
        saved("resnet", make_image.ResNetD(2, [2, 3, 4, 4]), (2, 2, 16, 16), parallel),
    ]
    golden.write("state_dict", ["torch", "safetensors"], {"cases": cases})


if __name__ == "__main__":
    main()
