//! Settings in layers, and a run from end to end where the data are.

use std::path::{Path, PathBuf};

use brenier::train::read_settings;
use serde_json::Value;

use crate::common::data;
use crate::program::{example, printed, read};
use crate::settings::Settings;

#[test]
fn settings_of_the_methods_fit() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/emnist_translation/settings");
    let none: [&str; 0] = [];
    let of = |method: &str| {
        let files = ["base", "emnist", method].map(|n| folder.join(n).with_extension("toml"));
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        read_settings(&Settings::default(), &files, &none).unwrap()
    };
    let methods = ["fm", "ot-fm", "uot-fm"].map(of);
    assert!(methods[0].flow_matching() != methods[1].flow_matching());
    assert_eq!(methods[2].method.tau, [0.9, 1.0]);
    // Everything but the pairs is the same.
    assert_eq!(methods[0].training, methods[2].training);
    let refused = read_settings(&Settings::default(), &[], &["training.batchsize=1"]);
    assert!(refused.unwrap_err().to_string().contains("training.batch_size"));
}

#[test]
fn a_run_trains_and_any_stored_step_is_evaluated() {
    let Some(data) = data("images").filter(|d| d.join("emnist_018_OIB.npz").is_file()) else {
        println!("skipped: no emnist_018_OIB.npz");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("runs/uot-fm-s3");
    let program = |mode: &str, sets: &[&str]| {
        let mut program = example("emnist_translation");
        program.arg(mode).arg("--data").arg(&data).arg("--out").arg(folder.path());
        for set in sets {
            program.args(["--set", set]);
        }
        program
    };
    let score = |step: u64| -> Option<Value> {
        let path = run.join(format!("scores-{step}.json"));
        path.exists().then(|| serde_json::from_str(&read(path)).unwrap())
    };
    let short = ["training.steps=4", "training.checkpoint_every=2", "training.warm_up=0"];
    let sets = [&short[..], &["evaluation.euler_steps=2"]].concat();
    printed(program("train", &sets).args(["--config", "uot-fm", "--seed", "3"]));
    let last = score(4).unwrap();
    assert!(last["frechet_mean"].is_number() && last["seed"] == 3, "{last}");
    assert_eq!(last["evaluations"], 2.0);
    assert!(score(2).is_none());
    let sets = ["evaluation.euler_steps=3"];
    printed(program("eval", &sets).args(["--step", "2", "--run"]).arg(&run));
    assert_eq!(score(2).unwrap()["evaluations"], 3.0);
    assert!(run.join("images-4.svg").is_file());
    let page = read(folder.path().join("report.html"));
    assert!(page.contains("images-4.svg") && page.contains("gradient norm"));
}
