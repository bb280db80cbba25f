//! Files of AnnData, as they are and damaged.

use std::path::{Path, PathBuf};

use brenier::data::{AnnData, Column};
use brenier::random::Key;
use brenier::Error;
use rand::Rng;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/arrays").join(name)
}

/// The matrix that `make_cells.py` describes.
fn matrix(factor: f32) -> Vec<f32> {
    let entry =
        |i: usize, j: usize| if (i + j).is_multiple_of(2) { (i + 10 * j) as f32 } else { 0.0 };
    (0..20).map(|p| factor * entry(p / 4, p % 4)).collect()
}

#[test]
fn dense_and_sparse_agree() {
    for name in ["cells_dense.h5ad", "cells_csr.h5ad"] {
        let cells = AnnData::open(&golden(name)).unwrap();
        assert_eq!(cells.cells().unwrap()[4], "cell4");
        assert_eq!(cells.genes().unwrap(), ["gene0", "gene1", "gene2", "gene3"]);
        let x = cells.matrix().unwrap();
        assert_eq!((x.shape, x.values), (vec![5, 4], matrix(1.0)), "{name}");
        // By columns in the first file, dense in the second.
        assert_eq!(cells.layer("counts").unwrap().values, matrix(2.0), "{name}");
        let pca = cells.embedding("X_pca").unwrap();
        assert_eq!((pca.shape.as_slice(), pca.values[3]), (&[5, 2][..], 1.25));
        assert!(pca.points::<2>().is_ok());
        let text = ["ctrl", "stim", "ctrl", "stim", "stim"].map(String::from).to_vec();
        assert_eq!(cells.column("condition").unwrap(), Column::Text(text));
        let depth = vec![0.0, 0.5, 1.0, 1.5, 2.0];
        assert_eq!(cells.column("depth").unwrap(), Column::Numbers(depth));
        assert_eq!(cells.column("batch").unwrap(), Column::Numbers(vec![0.0, 1.0, 0.0, 1.0, 0.0]));
        assert!(matches!(cells.column("patient"), Err(Error::Format { .. })));
        assert!(matches!(cells.layer("X"), Err(Error::Format { .. })));
    }
    assert!(matches!(AnnData::open(Path::new("/no/such/file")), Err(Error::Io { .. })));
    assert!(matches!(AnnData::open(&golden("lf8.npy")), Err(Error::Format { .. })));
}

/// Nothing of a damaged file may panic, whatever is read from it.
#[test]
fn damaged_files_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cells.h5ad");
    let attempt = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let Ok(cells) = AnnData::open(&path) else { return };
        let _ = (cells.matrix(), cells.layer("counts"), cells.embedding("X_pca"));
        let _ = (cells.column("condition"), cells.column("depth"), cells.cells());
    };
    for (k, name) in ["cells_dense.h5ad", "cells_csr.h5ad"].into_iter().enumerate() {
        let bytes = std::fs::read(golden(name)).unwrap();
        (0..bytes.len()).step_by(bytes.len().div_ceil(100)).for_each(|n| attempt(&bytes[..n]));
        let mut rng = Key::new(k as u64).rng();
        // What is not zero is where the structure is.
        let structure: Vec<usize> = (0..bytes.len()).filter(|&i| bytes[i] != 0).collect();
        for _ in 0..300 {
            let mut changed = bytes.clone();
            for _ in 0..rng.gen_range(1..4) {
                changed[structure[rng.gen_range(0..structure.len())]] = rng.gen();
            }
            attempt(&changed);
        }
    }
}
