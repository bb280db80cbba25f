"""Makes flow.json: points and velocities of the probability paths of torchcfm, in float64.

Points, targets and noise have few digits, so that the file holds them exactly. On the path of the
target, whose noise stands for the source, the source is the noise.
"""

import torch
import torchcfm

import golden

torch.manual_seed(0)


def rounded(*shape):
    return (torch.randn(*shape, dtype=torch.float64) * 64).round() / 64


N, D = 5, 3
PATHS = [
    ("straight", torchcfm.ConditionalFlowMatcher, 0.25),
    ("bridge", torchcfm.SchrodingerBridgeConditionalFlowMatcher, 0.5),
    ("variance_preserving", torchcfm.VariancePreservingConditionalFlowMatcher, 0.25),
    ("target", torchcfm.TargetConditionalFlowMatcher, 0.125),
]
t = torch.tensor([0.0625, 0.25, 0.5, 0.75, 0.9375], dtype=torch.float64)
x0, x1, noise = rounded(N, D), rounded(N, D), rounded(N, D)
cases = []
for name, matcher, sigma in PATHS:
    matcher = matcher(sigma=sigma)
    source = noise if name == "target" else x0
    x = matcher.sample_xt(source, x1, t, noise)
    u = matcher.compute_conditional_flow(source, x1, t, x)
    cases.append(
        {
            "path": name,
            "sigma": sigma,
            "source": golden.finite(source.ravel().tolist()),
            "points": golden.finite(x.ravel().tolist()),
            "velocities": golden.finite(u.ravel().tolist()),
        }
    )
golden.write(
    "flow",
    ["torch", "torchcfm"],
    {
        "dimension": D,
        "times": t.tolist(),
        "targets": golden.finite(x1.ravel().tolist()),
        "noise": golden.finite(noise.ravel().tolist()),
        "cases": cases,
    },
)
