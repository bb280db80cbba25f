//! Plans that are run in part, and again.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::data;
use crate::program::{example, printed, read, refusal};

fn quickly(data: &Path, out: &Path, solvers: &str, steps: &str) -> Command {
    let mut program = example("w2_benchmark");
    program.args(["--quick", "--solver", solvers, "--steps", steps, "--data"]).arg(data);
    program.arg("--out").arg(out);
    program
}

/// A plan that is run again skips what is finished, and one of other settings is refused.
#[test]
fn a_plan_goes_on_where_it_stopped() {
    let Some(data) = data("w2bench") else { return };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let most = "mm,mm-r,mm-v2,w2-dual,amortised-dual,mm-b,ls,qc,enot,monge-gap";
    printed(&mut quickly(&data, out, most, "8"));
    let read = |name: &str| read(out.join(name));
    let (evaluations, runs) = (read("evaluations.csv"), read("runs.jsonl"));
    assert_eq!((evaluations.lines().count(), runs.lines().count()), (1 + 10 * 4, 10));
    assert_eq!(runs.matches("\"outcome\":\"Finished\"").count(), 10);
    assert!(runs.contains("\"epsilon\":") && read("divergence.svg").contains("ε = "));

    // One more run joins; the others are as they were, with their times.
    printed(&mut quickly(&data, out, &format!("{most},not"), "8"));
    assert_eq!(read("runs.jsonl").lines().count(), 11);
    let kept = read("evaluations.csv");
    assert!(evaluations.lines().all(|line| kept.lines().any(|l| l == line)));
    assert!(read("table.md").contains("| **w2-dual** |"));

    let refused = refusal(&mut quickly(&data, out, "enot", "9"));
    assert!(refused.contains("other settings"), "{refused}");
}

/// A process that is killed (SIGKILL) after its first score and before its last, and then started again,
/// ends with the same networks, bit for bit, and the same scores as one that was left alone.
#[cfg(unix)]
#[test]
fn a_killed_process_goes_on_to_the_same_bytes() {
    use std::os::unix::process::ExitStatusExt;
    let Some(data) = data("w2bench") else { return };
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let of_run = |out: &Path| out.join("runs").join("enot-d2-s0-quick");
    let (left_alone, resumed) = (of_run(whole.path()), of_run(killed.path()));
    let training = |out: &Path| quickly(&data, out, "enot", "400");
    printed(&mut training(whole.path()));

    let mut child = training(killed.path()).stdout(std::process::Stdio::null()).spawn().unwrap();
    while !resumed.join("checkpoint.bin").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the child ended without a checkpoint");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert!(!resumed.join("record.json").exists(), "killed too late: give it more steps");

    printed(&mut training(killed.path()));
    for name in ["map.safetensors", "potential.safetensors"] {
        let bytes = |folder: &Path| std::fs::read(folder.join(name)).unwrap();
        assert!(bytes(&left_alone) == bytes(&resumed), "{name}");
    }
    let scores = |folder: &Path| -> Vec<[Value; 3]> {
        let record: Value = serde_json::from_str(&read(folder.join("record.json"))).unwrap();
        let all = record["evaluations"].as_array().unwrap();
        all.iter().map(|e| ["step", "l2_uvp", "cosine"].map(|name| e[name].clone())).collect()
    };
    assert!(!scores(&resumed).is_empty());
    assert_eq!(scores(&left_alone), scores(&resumed));
}
