"""Makes frechet.json: Frechet distances of fitted normal distributions by scipy's sqrtm, and distances by
sums over pairs by numpy and scikit-learn, in float64.

The samples are not stored: x[i, j] = sin(0.7 i + 1.3 j + p) + s * cos(i * (j + 1)) + m, rounded to float32,
for i < n, j < d and the parameters p, s, m in the file.
"""

import numpy as np
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance
from sklearn.metrics.pairwise import rbf_kernel

import golden

GAMMAS = [2.0, 1.0, 0.5, 0.1, 0.01, 0.005]


def sample(n, d, p, s, m):
    i, j = np.arange(n)[:, None], np.arange(d)[None, :]
    x = np.sin(0.7 * i + 1.3 * j + p) + s * np.cos(i * (j + 1.0)) + m
    return x.astype(np.float32).astype(np.float64)


def frechet(x, y):
    """As pytorch-fid computes it, without its multiple of the identity."""
    mu, nu = x.mean(0), y.mean(0)
    s, t = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = sqrtm(s @ t)
    assert np.abs(root.imag).max() < 1e-6
    return float(np.sum((mu - nu) ** 2) + np.trace(s) + np.trace(t) - 2 * np.trace(root.real))


def mmd(x, y):
    k = [rbf_kernel(x, x, g).mean() - 2 * rbf_kernel(x, y, g).mean() + rbf_kernel(y, y, g).mean() for g in GAMMAS]
    return float(np.mean(k))


def energy(x, y):
    return float(2 * cdist(x, y).mean() - cdist(x, x).mean() - cdist(y, y).mean())


def main():
    cases = []
    for n, m, d in [(200, 300, 3), (400, 350, 16), (1000, 900, 40)]:
        first, second = (0.1, 0.8, 0.0), (1.9, 1.1, 0.3)
        x, y = sample(n, d, *first), sample(m, d, *second)
        cases.append(
            {
                "n": n, "m": m, "d": d, "first": list(first), "second": list(second),
                "frechet": frechet(x, y), "mmd": mmd(x, y), "energy": energy(x, y),
                "w1": [wasserstein_distance(x[:, j], y[:, j]) for j in range(3)],
                "r2": float(np.corrcoef(x.mean(0), y.mean(0))[0, 1] ** 2),
            }
        )
    golden.write("frechet", ["numpy", "scipy", "scikit-learn"], {"cases": cases})
    # The statistics of the first case as pytorch-fid stores them.
    x = sample(200, 3, 0.1, 0.8, 0.0)
    np.savez_compressed(golden.HERE / "arrays/fid.npz", mu=x.mean(0), sigma=np.cov(x, rowvar=False))


if __name__ == "__main__":
    main()
