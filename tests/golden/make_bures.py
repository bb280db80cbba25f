"""Makes bures.json: optimal maps and distances between normal distributions, by scipy in float64.

The map x -> A x + b takes N(m0, S0) to N(m1, S1) at the least mean of |x - y|^2, which is the
squared distance. POT, where it is installed, must agree.
"""

import numpy as np
from scipy.linalg import inv, sqrtm

import golden

try:
    import ot.gaussian
except ImportError:
    ot = None


def covariance(rng, d):
    """Symmetric, with eigenvalues from about 0.2 upwards; entries of six digits."""
    a = rng.standard_normal((d, d))
    c = np.round(a @ a.T / d + 0.2 * np.eye(d), 6)
    return (c + c.T) / 2


def bures(m0, s0, m1, s1):
    root = sqrtm(s0)
    middle = sqrtm(root @ s1 @ root)
    a = inv(root) @ middle @ inv(root)
    a = (a + a.T) / 2
    assert np.allclose(a @ s0 @ a, s1, rtol=1e-12, atol=1e-12)
    squared = np.sum((m0 - m1) ** 2) + np.trace(s0 + s1 - 2 * middle)
    return a, m1 - a @ m0, float(squared)


def check_with_pot(m0, s0, m1, s1, a, b, squared):
    pot_a, pot_b = ot.gaussian.bures_wasserstein_mapping(m0, m1, s0, s1)
    pot_distance = ot.gaussian.bures_wasserstein_distance(m0, m1, s0, s1)
    assert np.allclose(pot_a, a, rtol=1e-10, atol=1e-10)
    assert np.allclose(np.ravel(pot_b), b, rtol=1e-10, atol=1e-10)
    assert np.isclose(pot_distance**2, squared, rtol=1e-10)


def main():
    rng = np.random.default_rng(0)
    cases = []
    for d in (1, 2, 5):
        m0, m1 = np.round(rng.standard_normal((2, d)), 6)
        s0, s1 = covariance(rng, d), covariance(rng, d)
        a, b, squared = bures(m0, s0, m1, s1)
        if ot is not None:
            check_with_pot(m0, s0, m1, s1, a, b, squared)
        arrays = {"m0": m0, "s0": s0, "m1": m1, "s1": s1, "a": a, "b": b}
        lists = {key: array.tolist() for key, array in arrays.items()}
        cases.append({"d": d, **lists, "squared_distance": squared})
    packages = ["numpy", "scipy"] + (["POT"] if ot is not None else [])
    golden.write("bures", packages, {"cases": cases})


if __name__ == "__main__":
    main()
