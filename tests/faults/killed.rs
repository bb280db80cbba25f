//! Processes that are killed while they write.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use brenier::prelude::*;
use brenier::train::read_log;

use crate::run::{bytes_of, config, fresh, train, Trained};

fn save<const H: usize>(path: &Path, state: &Trained<H>) -> brenier::Result<()> {
    checkpoint::save(path, state, &config(), Key::new(0))
}

/// A run with a row for each step and a checkpoint for every third.
fn logged(folder: &Path, state: Trained<8>, to: u64) -> brenier::Result<Trained<8>> {
    let mut log = CsvLog::resume(&folder.join("log.csv"), state.step())?;
    let path = folder.join("state");
    let mut observer = |state: &Trained<8>, metrics: &NotMetrics| {
        log.observe(state, metrics)?;
        if state.step().is_multiple_of(3) {
            save(&path, state)?;
            println!("saved");
        }
        Ok(())
    };
    train(state, to, &mut observer)
}

/// The part of the tests that is killed.
#[test]
#[ignore = "run by the other tests in a process of its own"]
fn child() {
    let Some(folder) = std::env::var_os("BRENIER_FOLDER") else { return };
    let folder = PathBuf::from(folder);
    match std::env::var("BRENIER_FAULT").as_deref() {
        Ok("saving") => loop {
            for seed in [1, 2] {
                save(&folder.join("state"), &fresh::<256>(seed)).unwrap();
                println!("saved");
            }
        },
        Ok("training") => {
            logged(&folder, fresh(0), 1_000_000).unwrap();
        }
        _ => {}
    }
}

/// Runs the child until it has saved once and some time longer, and kills it.
fn kill(fault: &str, folder: &Path, after: Duration) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::child", "--ignored", "--nocapture"])
        .env("BRENIER_FAULT", fault)
        .env("BRENIER_FOLDER", folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("saved")), "the child saves nothing");
    // So that it does not wait for a reader.
    let reader = std::thread::spawn(move || lines.count());
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
}

#[test]
fn while_saving() {
    let good = [1, 2].map(|seed| bytes_of(&fresh::<256>(seed)));
    let mut cut = 0;
    for k in 0..24 {
        let folder = tempfile::tempdir().unwrap();
        kill("saving", folder.path(), Duration::from_micros(700 * k));
        let path = folder.path().join("state");
        let found = std::fs::read(&path).unwrap();
        assert!(good.contains(&found), "neither the earlier state nor the later one");
        checkpoint::load::<Trained<256>, NotConfig>(&path, fresh(3)).unwrap();
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        cut += usize::from(files > 1);
        // The next save is not disturbed by what a killed one left.
        save(&path, &fresh::<256>(1)).unwrap();
        assert!(std::fs::read(&path).unwrap() == good[0]);
    }
    println!("24 processes killed, {cut} of them in the middle of a file");
}

/// What the killed run had written is a run that goes on: the same bytes as if nothing had happened.
#[test]
fn while_training() {
    for k in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        kill("training", folder.path(), Duration::from_micros(1300 * k));
        let (path, log) = (folder.path().join("state"), folder.path().join("log.csv"));
        let (state, ..) = checkpoint::load::<Trained<8>, NotConfig>(&path, fresh(3)).unwrap();
        let (from, to) = (state.step(), state.step() + 4);
        let resumed = logged(folder.path(), state, to).unwrap();
        let whole = tempfile::tempdir().unwrap();
        assert!(bytes_of(&logged(whole.path(), fresh(0), to).unwrap()) == bytes_of(&resumed));
        let expected = std::fs::read(whole.path().join("log.csv")).unwrap();
        assert!(std::fs::read(&log).unwrap() == expected, "another log after step {from}");
        assert_eq!(read_log(&log).unwrap()[0].points.len() as u64, to);
    }
}
