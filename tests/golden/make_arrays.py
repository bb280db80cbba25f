"""Makes the files of arrays/: arrays as NumPy writes them, for the readers.

Every array holds 0, 1, ..., 5 in the order of its indices, as [2, 3], but for the scalar 7.
"""

import pathlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent / "arrays"


def main():
    HERE.mkdir(exist_ok=True)
    base = np.arange(6).reshape(2, 3)
    for kind in ("|u1", "<i2", ">i4", "<u8", "<f2", ">f4", "<f8"):
        name = kind.replace("|", "n").replace("<", "l").replace(">", "b")
        np.save(HERE / f"{name}.npy", base.astype(kind))
    np.save(HERE / "fortran.npy", np.asfortranarray(base.astype("<f4")))
    np.save(HERE / "scalar.npy", np.float64(7))
    np.save(HERE / "text.npy", np.array(["a", "b"]))
    np.save(HERE / "record.npy", np.zeros(2, dtype=[("x", "<f4"), ("y", "<i4")]))
    with open(HERE / "version2.npy", "wb") as f:
        np.lib.format.write_array(f, base.astype("<f4"), version=(2, 0))
    np.savez(HERE / "stored.npz", x=base.astype("<f4"), y=np.arange(2, dtype="u1"))
    np.savez_compressed(HERE / "deflated.npz", x=base.astype("<f4"), y=np.arange(2, dtype="u1"))


if __name__ == "__main__":
    main()
