//! A run from end to end, cut and resumed, on a few images that are made on the fly.

use std::path::Path;

use brenier::prelude::*;
use clap::Parser;

use crate::run::{run, settings};
use crate::settings::Pairs;
use crate::{cifar, Arguments, Small};

/// Batches of records, whose labels go round.
fn write_cifar(folder: &Path) {
    let names = (1..=5).map(|i| format!("data_batch_{i}.bin")).chain([cifar::TEST.into()]);
    for (i, name) in names.enumerate() {
        let mut bytes = Vec::new();
        for label in 0..20 {
            bytes.push(label % 10);
            let key = Key::new(i as u64).fold_in(label.into());
            bytes.extend(key.indices(3072, 256).iter().map(|v| *v as u8));
        }
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

fn arguments(data: &Path, out: &Path, more: &[&str]) -> Arguments {
    let (data, out) = (data.to_str().unwrap(), out.to_str().unwrap());
    let given = ["x", "--quick", "--data", data, "--out", out];
    Arguments::parse_from(given.iter().chain(more))
}

#[test]
fn cars_become_trucks_and_a_cut_run_goes_on() {
    let home = tempfile::tempdir().unwrap();
    write_cifar(home.path());
    let pair = cifar::read(home.path(), cifar::Class::Automobile, cifar::Class::Truck).unwrap();
    assert_eq!(pair.train.each_ref().map(|i| i.len()), [10, 10]);
    assert_eq!(pair.test.each_ref().map(|i| i.len()), [2, 2]);
    let classes = ["--config", "ot-fm", "cifar", "automobile", "truck"];
    let [whole, cut] = ["whole", "cut"].map(|name| home.path().join(name));
    run::<Small>(&arguments(home.path(), &whole, &classes)).unwrap();
    let name = "cifar-automobile-truck-ot-fm-s0";
    let read = |out: &Path, file: &str| std::fs::read(out.join(name).join(file)).unwrap();
    let report = String::from_utf8(read(&whole, "report.html")).unwrap();
    for said in ["images-4.png", "path_energy", "training.batch_size", "Command"] {
        assert!(report.contains(said), "{said}");
    }

    // A run whose last stored step is the second: the checkpoint of the middle is put in its place.
    let observed = std::cell::Cell::new(false);
    let short = settings(&arguments(home.path(), &cut, &classes)).unwrap();
    let sides = pair.train.each_ref().map(|i| {
        brenier::data::Samples::<3072>::new(i.rows(brenier::data::PixelRange::Symmetric)).unwrap()
    });
    let [p, q] = &sides;
    let stopped =
        crate::training::train::<3072, Small>(&short, 0, (p, q), &cut.join(name), &mut |_| {
            observed.set(true);
            points::<2>(vec![0.0]).map(drop)
        });
    assert!(stopped.is_err() && observed.get());
    let resumed = [&["--resume"][..], &classes].concat();
    run::<Small>(&arguments(home.path(), &cut, &resumed)).unwrap();
    let velocity = "velocity-4.safetensors";
    assert!(read(&cut, velocity) == read(&whole, velocity), "the cut run ends elsewhere");
}

#[test]
fn settings_come_in_layers() {
    let of = |more: &[&str]| {
        let all = [more, &["emoji"][..]].concat();
        settings(&arguments(Path::new("."), Path::new("."), &all))
    };
    let found = of(&["--config", "uot-fm", "--set", "training.steps=7"]).unwrap();
    assert_eq!((found.training.steps, found.method.pairs), (7, Pairs::Entropic));
    assert_eq!(found.method.tau, [0.95; 2]);
    let refused = of(&["--set", "training.step=7"]).unwrap_err().to_string();
    assert!(refused.contains("did you mean `training.steps`?"), "{refused}");
    // Without files nothing happens.
    let nothing = Path::new("no-such-folder");
    run::<Small>(&arguments(nothing, nothing, &["emoji"])).unwrap();
    assert!(!nothing.exists());
}
