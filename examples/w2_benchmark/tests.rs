//! Plans that are run in part, and again.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clap::Parser;

use crate::carry_out;
use crate::plan::{Arguments, Plan};
use crate::results::Record;

/// The folder that a child process trains into.
const CHILD: &str = "W2_BENCHMARK_CHILD";

/// The benchmark's files, if they are there.
fn data() -> Option<String> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").to_owned();
    let data = std::env::var("BRENIER_DATA").unwrap_or(beside) + "/w2bench";
    let there = Path::new(&data).is_dir();
    if !there {
        println!("skipped: no folder {data} (set BRENIER_DATA)");
    }
    there.then_some(data)
}

fn run(data: &str, out: &Path, solvers: &str, steps: &str) -> anyhow::Result<()> {
    let out = out.to_str().expect("a path of text");
    let flags = ["w2", "--data", data, "--solver", solvers, "--steps", steps, "--out", out];
    carry_out(&Plan::of(Arguments::parse_from(flags.into_iter().chain(["--quick"])))?)
}

/// A plan that is run again skips what is finished, and one of other settings is refused.
#[test]
fn a_plan_goes_on_where_it_stopped() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let most = "mm,mm-r,mm-v2,w2-dual,amortised-dual,mm-b,ls,qc,enot,monge-gap";
    run(&data, out, most, "8").unwrap();
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let (evaluations, runs) = (read("evaluations.csv"), read("runs.jsonl"));
    assert_eq!((evaluations.lines().count(), runs.lines().count()), (1 + 10 * 4, 10));
    assert_eq!(runs.matches("\"outcome\":\"Finished\"").count(), 10);
    assert!(runs.contains("\"epsilon\":") && read("divergence.svg").contains("ε = "));

    // One more run joins; the others are as they were, with their times.
    run(&data, out, &format!("{most},not"), "8").unwrap();
    assert_eq!(read("runs.jsonl").lines().count(), 11);
    let kept = read("evaluations.csv");
    assert!(evaluations.lines().all(|line| kept.lines().any(|l| l == line)));
    assert!(read("table.md").contains("| **w2-dual** |"));

    let refused = run(&data, out, "enot", "9").unwrap_err().to_string();
    assert!(refused.contains("other settings"), "{refused}");
}

/// A process that is killed (SIGKILL) after its first score and before its last, and then started again,
/// ends with the same networks, bit for bit, and the same scores as one that was left alone.
#[cfg(unix)]
#[test]
fn a_killed_process_goes_on_to_the_same_bytes() {
    use std::os::unix::process::ExitStatusExt;
    let Some(data) = data() else { return };
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let of_run = |out: &Path| out.join("runs").join("enot-d2-s0-quick");
    let (left_alone, resumed) = (of_run(whole.path()), of_run(killed.path()));
    train(&data, whole.path());

    let test = std::env::current_exe().unwrap();
    let mut child = Command::new(test)
        .args(["--exact", "tests::the_process_that_is_killed", "--ignored"])
        .env(CHILD, killed.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !resumed.join("checkpoint.bin").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the child ended without a checkpoint");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert!(!resumed.join("record.json").exists(), "killed too late: give it more steps");

    train(&data, killed.path());
    for name in ["map.safetensors", "potential.safetensors"] {
        let bytes = |folder: &Path| std::fs::read(folder.join(name)).unwrap();
        assert!(bytes(&left_alone) == bytes(&resumed), "{name}");
    }
    let scores = |folder: &Path| -> Vec<(u64, f64, f64)> {
        let report = Record::read(folder).unwrap().unwrap().report;
        report.evaluations.iter().map(|e| (e.step, e.l2_uvp, e.cosine)).collect()
    };
    assert_eq!(scores(&left_alone), scores(&resumed));
}

fn train(data: &str, out: &Path) {
    run(data, out, "enot", "400").unwrap();
}

#[test]
#[ignore = "started by the test that kills it"]
fn the_process_that_is_killed() {
    if let (Some(data), Ok(out)) = (data(), std::env::var(CHILD)) {
        train(&data, Path::new(&out));
    }
}
