"""Times flow matching steps with torchcfm, POT and eager PyTorch with fused Adam, on request.

The protocol and the cases are those of flow.rs, in float32 with one thread; times are CPU time.

  independent2, independent64  a step of I-CFM, batch 256: perceptrons 3-64x3-2 and 65-256x3-64
  exact2, exact64              a step of OT-CFM, by the exact plan of each batch
  pairs2, pairs64, pairs2,1024 costs, exact plan (POT's emd) and pairs alone

The form of the pairs is the fastest found: the plan of equal weights is a permutation, which is read off
by its largest entry in each row. With SAMPLE=1 pairs are drawn by torchcfm's OTPlanSampler.sample_plan
instead, as its examples do.
"""

import os
import statistics
import sys
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import ot
import torch
import torchcfm
from torch.nn import functional as F

torch.set_num_threads(1)
torch.manual_seed(0)
SAMPLER = torchcfm.OTPlanSampler("exact")


def mlp(dim, width):
    layers, widths = [], (dim + 1, width, width, width, dim)
    for i, o in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(i, o), torch.nn.SELU(inplace=True)]
    return torch.nn.Sequential(*layers[:-1])


def paired(x, y):
    if os.environ.get("SAMPLE") == "1":
        return SAMPLER.sample_plan(x, y)
    cost = torch.cdist(x, y) ** 2
    weights = ot.unif(len(x))
    plan = ot.emd(weights, weights, cost.numpy(), numThreads=1)
    return x, y[torch.from_numpy(plan.argmax(1))]


def step(dim, width, exact):
    net = mlp(dim, width)
    opt = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    matcher = torchcfm.ConditionalFlowMatcher(sigma=0.1)
    batches = [(torch.randn(256, dim), torch.randn(256, dim)) for _ in range(16)]
    count = 0

    def run():
        nonlocal count
        x, y = batches[count % len(batches)]
        count += 1
        if exact:
            x, y = paired(x, y)
        t, x, u = matcher.sample_location_and_conditional_flow(x, y)
        opt.zero_grad(set_to_none=True)
        F.mse_loss(net(torch.cat([x, t[:, None]], 1)), u).backward()
        opt.step()

    return run


def pairs(dim, n):
    batches = [(torch.randn(n, dim), torch.randn(n, dim)) for _ in range(4)]
    count = 0

    def run():
        nonlocal count
        count += 1
        paired(*batches[count % len(batches)])

    return run


CASES = {
    "independent2": lambda: step(2, 64, False),
    "exact2": lambda: step(2, 64, True),
    "independent64": lambda: step(64, 256, False),
    "exact64": lambda: step(64, 256, True),
    "pairs2": lambda: pairs(2, 256),
    "pairs64": lambda: pairs(64, 256),
    "pairs2,1024": lambda: pairs(2, 1024),
}


def main():
    made = {}
    for line in sys.stdin:
        case, repeats = line.split()
        run = made.setdefault(case, None) or CASES[case]()
        made[case] = run
        times = []
        for _ in range(int(repeats)):
            start = time.process_time()
            run()
            times.append(1e3 * (time.process_time() - start))
        print(statistics.median(times), flush=True)


if __name__ == "__main__":
    main()
