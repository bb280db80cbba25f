"""Makes adam.json: parameters after each of six steps of torch's Adam and AdamW in float64."""

import random

import torch

import golden

PARAMS, STEPS = 7, 6
CASES = [
    ("adam", {}, None),
    ("adam_l2", {"weight_decay": 0.1}, None),
    ("adamw", {"weight_decay": 0.1, "decoupled": True}, None),
    ("adam_betas", {"betas": (0.5, 0.9)}, None),
    ("adam_clipped", {}, 0.5),
]


def gradients():
    """Of several sizes, some with a norm under the clipping threshold; one entry is always 0."""
    rng = random.Random(0)
    scales = [1.0, 0.1, 3.0, 1e-3, 0.2, 10.0]
    rows = [[round(s * rng.gauss(0, 1), 8) for _ in range(PARAMS)] for s in scales]
    for row in rows:
        row[3] = 0.0
    return rows


def run(initial, grads, lr, betas, eps, weight_decay, decoupled, clip_norm):
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    param = torch.tensor(initial, dtype=torch.float64, requires_grad=True)
    opt = kind([param], lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, foreach=False)
    after = []
    for grad in grads:
        param.grad = torch.tensor(grad, dtype=torch.float64)
        if clip_norm is not None:
            torch.nn.utils.clip_grad_norm_([param], clip_norm)
        opt.step()
        after.append(golden.finite(param.detach().tolist()))
    return after


def main():
    initial = [0.5, -1.25, 2.0, 1.0, -0.001, 0.0, 10.0]
    grads = gradients()
    cases = []
    for name, changes, clip_norm in CASES:
        options = {"lr": 1e-2, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}
        options = {**options, "decoupled": False, **changes, "clip_norm": clip_norm}
        after = run(initial, grads, **options)
        cases.append({"name": name, **options, "params_after_step": after})
    content = {
        "clip_rule": "gradient * min(1, clip_norm / (norm + 1e-6)), norm over all entries",
        "initial": initial,
        "gradients": grads,
        "cases": cases,
    }
    golden.write("adam", ["torch"], content)


if __name__ == "__main__":
    main()
