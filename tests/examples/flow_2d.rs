//! Runs that are finished, and others.

use crate::program::{example, printed, read, refusal};

#[test]
fn finished_runs_are_skipped_and_couplings_differ() {
    let folder = tempfile::tempdir().unwrap();
    let program = || {
        let mut program = example("flow_2d");
        program.args(["--quick", "--coupling", "exact,independent,unbalanced", "--out"]);
        program.arg(folder.path());
        program
    };
    printed(&mut program());
    let table = read(folder.path().join("runs.csv"));
    assert_eq!(table.lines().count(), 4);
    printed(&mut program());
    assert_eq!(read(folder.path().join("runs.csv")), table);
    assert!(refusal(program().args(["--points", "64"])).contains("other settings"));
    assert!(refusal(program().args(["--source", "moon"])).contains("one of"));
}
