"""Strong neural optimal transport in PyTorch on a pair of the Wasserstein-2 benchmark, scored along the
way: the other side of

    cargo run --release --example w2_benchmark -- --data DIR --dim D --solver not --steps STEPS

with the same networks (perceptrons of three hidden layers of 128, the map as a displacement), batches of
512, ten map steps on fresh points before each step of the potential, fused Adam with rate 1e-3 along half
a cosine to a hundredth, and the running average (0.999) of the map. Samplers, losses and updates are
those of a usual eager implementation; random numbers differ. Prints step, CPU seconds of training
(scoring left out) and L2-UVP in percent at 2^14 points.

    THREADS=1 python benches/peers/w2_torch.py DIR D STEPS [EVALUATIONS]
"""

import copy
import json
import math
import os
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

BATCH, MAP_STEPS, RATE, FLOOR, DECAY = 512, 10, 1e-3, 0.01, 0.999


def tensors(path):
    """The arrays of a safetensors file, all in f32."""
    with open(path, "rb") as file:
        head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        body = file.read()
    head.pop("__metadata__", None)
    out = {}
    for name, entry in head.items():
        begin, end = entry["data_offsets"]
        flat = np.frombuffer(body[begin:end], dtype="<f4").reshape(entry["shape"])
        out[name] = torch.from_numpy(flat.copy())
    return out


class Pair:
    """Samples of P and the true map, as the benchmark's files define them."""

    def __init__(self, folder, d):
        self.arrays = tensors(f"{folder}/mix3to10_d{d}.safetensors")
        self.constants = c = np.load(f"{folder}/ref_d{d}.npz")
        f32 = lambda name: torch.from_numpy(np.asarray(c[name], dtype=np.float32))
        self.centers, self.maps = f32("mix_centers"), f32("mix_maps") * float(c["mix_std"])
        self.shift, self.scale = f32("bench_shift"), float(c["bench_scale"])
        self.variance, self.d = float(c["output_var"]), d
        check = (self.image(f32("x")) - f32("bench_map_f64")).abs().max()
        assert check < 1e-3, f"the map differs from the reference by {check}"

    def source(self, n):
        k = torch.randint(3, (n,))
        noise = torch.randn(n, self.d, 1)
        return self.centers[k] + (self.maps[k] @ noise).squeeze(-1)

    def target(self, n):
        return self.image(self.source(n))

    @torch.no_grad()
    def image(self, x):
        return self.scale * (self.gradient("v1", x) + self.gradient("v2", x) + self.shift)

    def gradient(self, net, x):
        a = lambda name: self.arrays[f"{net}.{name}"]
        slope = lambda z: torch.where(z > 0, torch.ones_like(z), z.exp())
        part = lambda i: f"quadratic_layers.{i}."
        roots = [x @ a(part(i) + "quadratic_decomposed")[:, 0, :] for i in range(3)]
        q = [
            u**2 + F.linear(x, a(part(i) + "weight"), a(part(i) + "bias")) for i, u in enumerate(roots)
        ]
        z1 = F.linear(q[0], a("convex_layers.0.weight")) + q[1]
        z2 = F.linear(F.celu(z1), a("convex_layers.1.weight")) + q[2]
        d2 = a("final_layer.weight") * slope(z2)
        d1 = (d2 @ a("convex_layers.1.weight")) * slope(z1)
        d0 = d1 @ a("convex_layers.0.weight")
        out = 0.01 * x
        for i, (u, d) in enumerate(zip(roots, (d0, d1, d2))):
            out = out + (2 * d * u) @ a(part(i) + "quadratic_decomposed")[:, 0, :].T
            out = out + d @ a(part(i) + "weight")
        return out


def perceptron(inputs, outputs):
    layers = []
    for i, o in zip((inputs, 128, 128, 128), (128, 128, 128, outputs)):
        layers += [nn.Linear(i, o), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Displacement(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.net = perceptron(d, d)

    def forward(self, x):
        return x + self.net(x)


def optimiser(net, updates):
    adam = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
    cosine = lambda k: FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * min(k / updates, 1)))
    return adam, torch.optim.lr_scheduler.LambdaLR(adam, cosine)


def update(loss, adam, schedule):
    adam.zero_grad(set_to_none=True)
    loss.backward()
    adam.step()
    schedule.step()


def main():
    folder, d, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    evaluations = int(sys.argv[4]) if len(sys.argv) > 4 else 40
    torch.set_num_threads(int(os.environ.get("THREADS", 1)))
    torch.manual_seed(0)
    pair = Pair(folder, d)
    f, t = perceptron(d, 1), Displacement(d)
    average = copy.deepcopy(t)
    of_map, of_potential = optimiser(t, steps * MAP_STEPS), optimiser(f, steps)
    held_out = pair.source(1 << 14)
    truth, seconds = pair.image(held_out), 0.0
    for step in range(steps):
        start = time.process_time()
        f.requires_grad_(False)
        for _ in range(MAP_STEPS):
            x = pair.source(BATCH)
            moved = t(x)
            cost = 0.5 * ((x - moved) ** 2).sum(1)
            update((cost - f(moved).squeeze(1)).mean(), *of_map)
        f.requires_grad_(True)
        with torch.no_grad():
            moved = t(pair.source(BATCH))
        update(f(moved).mean() - f(pair.target(BATCH)).mean(), *of_potential)
        decay = min(DECAY, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(t.parameters()), 1 - decay)
        seconds += time.process_time() - start
        if (step + 1) % max(steps // evaluations, 1) == 0:
            with torch.no_grad():
                error = ((average(held_out) - truth) ** 2).sum(1).mean()
            print(f"{step + 1} {seconds:.1f} {100 * error / pair.variance:.4f}", flush=True)


if __name__ == "__main__":
    main()
