//! Runs from end to end on a few images that are made on the fly.

use std::path::Path;
use std::process::Command;

use brenier::data::{ImageShape, Images};
use brenier::plot::ImageGrid;
use brenier::prelude::*;

use crate::pairs::Pair;
use crate::program::{example, pixels, printed};

/// An IDX file of bytes.
fn write_idx(path: &Path, axes: &[u32], bytes: &[u8]) {
    let mut file = vec![0, 0, 8, axes.len() as u8];
    axes.iter().for_each(|n| file.extend(n.to_be_bytes()));
    file.extend(bytes);
    std::fs::write(path, file).unwrap();
}

fn quickly(data: &Path, out: &Path) -> Command {
    let mut program = example("image_translation");
    program.args(["--quick", "--steps", "2", "--batch", "2", "--data"]).arg(data);
    program.arg("--out").arg(out);
    program
}

#[test]
fn shoes_become_bags_from_idx_files() {
    let folder = tempfile::tempdir().unwrap();
    for part in ["train", "t10k"] {
        let at = |kind: &str| folder.path().join(format!("{part}-{kind}-ubyte"));
        write_idx(&at("images-idx3"), &[8, 28, 28], &pixels(Key::new(1), 8 * 784));
        write_idx(&at("labels-idx1"), &[8], &[5, 8, 7, 8, 9, 8, 0, 1]);
    }
    let pair = Pair::clothes(folder.path(), 32).unwrap();
    assert_eq!(pair.train.each_ref().map(Images::len), [3, 3]);
    let out = folder.path().join("out");
    printed(quickly(folder.path(), &out).arg("clothes"));
    for file in ["checkpoint.bin", "scores.csv", "map.safetensors", "images.png"] {
        assert!(out.join("clothes").join(file).is_file(), "{file}");
    }
    // Without files nothing happens.
    let nothing = folder.path().join("nothing");
    let said = printed(quickly(&folder.path().join("none"), &nothing).arg("clothes"));
    assert!(said.starts_with("skipped: ") && !nothing.exists(), "{said}");
}

#[test]
fn any_two_folders_and_their_partners() {
    let home = tempfile::tempdir().unwrap();
    let shape = ImageShape { channels: 3, height: 40, width: 40 };
    for name in ["a", "b"] {
        for i in 0..20 {
            let image = Images::new(shape, pixels(Key::new(i), shape.numbers())).unwrap();
            let mut grid = ImageGrid::new([("", image)]);
            (grid.scale, grid.gap) = (1, 0);
            grid.write_png(home.path().join(format!("{name}/{i:02}.png"))).unwrap();
        }
    }
    let [a, b] = ["a", "b"].map(|n| home.path().join(n));
    let out = home.path().join("out");
    let pair = Pair::folders(&a, &b, 32, true).unwrap();
    assert_eq!(pair.train.each_ref().map(Images::len), [10, 8]);
    assert!(pair.paired && pair.test[0] == pair.test[1]);
    printed(quickly(home.path(), &out).arg("folders").args([&a, &b]));
    assert!(out.join("folders/images.png").is_file());
    assert!(Pair::folders(&a, home.path(), 32, true).is_err());
}
