//! A run from end to end, cut and resumed, on a few images that are made on the fly.

use std::path::Path;
use std::process::Command;

use brenier::prelude::*;

use crate::cifar;
use crate::program::{example, pixels, printed, read, refusal};
use crate::settings::{Pairs, Settings};

/// Batches of records, whose labels go round.
fn write_cifar(folder: &Path) {
    let names = (1..=5).map(|i| format!("data_batch_{i}.bin")).chain([cifar::TEST.into()]);
    for (i, name) in names.enumerate() {
        let mut bytes = Vec::new();
        for label in 0..20 {
            bytes.push(label % 10);
            bytes.extend(pixels(Key::new(i as u64).fold_in(label.into()), 3072));
        }
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

fn quickly(data: &Path, out: &Path, more: &[&str]) -> Command {
    let mut program = example("images_flow");
    program.arg("--quick").arg("--data").arg(data).arg("--out").arg(out).args(more);
    program
}

const CARS: [&str; 3] = ["cifar", "automobile", "truck"];

#[test]
fn cars_become_trucks_and_a_cut_run_goes_on() {
    let home = tempfile::tempdir().unwrap();
    write_cifar(home.path());
    let pair = cifar::read(home.path(), cifar::Class::Automobile, cifar::Class::Truck).unwrap();
    assert_eq!(pair.train.each_ref().map(|i| i.len()), [10, 10]);
    assert_eq!(pair.test.each_ref().map(|i| i.len()), [2, 2]);
    let [whole, cut] = ["whole", "cut"].map(|name| home.path().join(name));
    let by_transport = [&["--config", "ot-fm"][..], &CARS].concat();
    printed(&mut quickly(home.path(), &whole, &by_transport));
    let of_run = |out: &Path| out.join("cifar-automobile-truck-ot-fm-s0");
    let report = read(of_run(&whole).join("report.html"));
    for said in ["images-4.png", "path_energy", "training.batch_size", "Command"] {
        assert!(report.contains(said), "{said}");
    }

    // A run that cannot write its first picture, after it has stored the second step.
    let in_the_way = of_run(&cut).join("images-2.png");
    std::fs::create_dir_all(&in_the_way).unwrap();
    assert!(refusal(&mut quickly(home.path(), &cut, &by_transport)).contains("images-2.png"));
    std::fs::remove_dir(&in_the_way).unwrap();
    let velocity = "velocity-4.safetensors";
    assert!(of_run(&cut).join("checkpoint.bin").exists() && !of_run(&cut).join(velocity).exists());
    printed(&mut quickly(home.path(), &cut, &[&["--resume"][..], &by_transport].concat()));
    let read = |out: &Path| std::fs::read(of_run(out).join(velocity)).unwrap();
    assert!(read(&cut) == read(&whole), "the cut run ends elsewhere");
}

#[test]
fn settings_come_in_layers() {
    let home = tempfile::tempdir().unwrap();
    write_cifar(home.path());
    let sets = ["--config", "uot-fm", "--set", "training.steps=2"];
    printed(&mut quickly(home.path(), home.path(), &[&sets[..], &CARS].concat()));
    let text = read(home.path().join("cifar-automobile-truck-uot-fm-s0/settings.json"));
    let found: Settings = serde_json::from_str(&text).unwrap();
    assert_eq!((found.training.steps, found.method.pairs), (2, Pairs::Entropic));
    assert_eq!(found.method.tau, [0.95; 2]);
    let nothing = home.path().join("nothing");
    let refused =
        refusal(&mut quickly(home.path(), &nothing, &["--set", "training.step=7", "emoji"]));
    assert!(refused.contains("did you mean `training.steps`?"), "{refused}");
    // Without files nothing happens.
    let said = printed(&mut quickly(home.path(), &nothing, &["emoji"]));
    assert!(said.starts_with("skipped: ") && !nothing.exists(), "{said}");
}
