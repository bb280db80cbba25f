"""Makes arrays/cells_*.h5ad: one small set of cells as AnnData writes it, with a dense and with a sparse matrix.

X[i, j] = i + 10 j where i + j is even, 0 elsewhere; 5 cells, 4 genes.
"""

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

import golden


def main():
    i, j = np.arange(5)[:, None], np.arange(4)[None, :]
    x = np.where((i + j) % 2 == 0, i + 10 * j, 0).astype("<f4")
    obs = pd.DataFrame(
        {
            "condition": pd.Categorical(["ctrl", "stim", "ctrl", "stim", "stim"]),
            "depth": np.arange(5) * 0.5,
            "batch": np.arange(5, dtype="i4") % 2,
        },
        index=[f"cell{k}" for k in range(5)],
    )
    var = pd.DataFrame(index=[f"gene{k}" for k in range(4)])
    forms = {"dense": (x, sp.csc_matrix(2 * x)), "csr": (sp.csr_matrix(x), 2 * x)}
    for name, (matrix, counts) in forms.items():
        cells = anndata.AnnData(X=matrix, obs=obs.copy(), var=var.copy())
        cells.obsm["X_pca"] = (i + 0.25 * np.arange(2)[None, :]).astype("<f8")
        cells.layers["counts"] = counts
        cells.write_h5ad(golden.HERE / f"arrays/cells_{name}.h5ad", compression="gzip")


if __name__ == "__main__":
    main()
