//! Full disks, files at their size limit, read-only folders and disks: what was there stays, and the error
//! names the file and says why. The faults are done to child processes.
#![cfg(unix)]

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use brenier::data::{write_npy, write_npz, Array};
use brenier::prelude::*;
use brenier::train::read_log;

use crate::run::{bytes_of, config, fresh, At, Loss, Trained};

type Write1 = (&'static str, fn(&Path, bool) -> brenier::Result<()>);

/// Every kind of file that the library writes: small, or larger than the child may write.
const WRITERS: [Write1; 6] = [
    ("state", |path, large| match large {
        false => checkpoint::save(path, &fresh::<8>(1), &config(), Key::new(5)),
        true => checkpoint::save(path, &fresh::<256>(1), &config(), Key::new(5)),
    }),
    ("map.safetensors", |path, large| match large {
        false => weights::save(path, &build::<Mlp<2, 8, 1, 2>, f32, Cpu>(Key::new(1))),
        true => weights::save(path, &build::<Mlp<2, 256, 1, 2>, f32, Cpu>(Key::new(1))),
    }),
    ("array.npy", |path, large| write_npy(path, &array(large))),
    ("arrays.npz", |path, large| write_npz(path, &[("x", &array(large))])),
    ("report.html", |path, large| {
        let text = "a line of the report ".repeat(if large { 20_000 } else { 10 });
        brenier::plot::Report::new("faults").text(&text).write(path)
    }),
    ("log.csv", |path, large| {
        let (from, to) = if large { (4, 20_000) } else { (0, 4) };
        let mut log = CsvLog::resume(path, from)?;
        (from + 1..=to).try_for_each(|step| log.observe(&At(step), &Loss(1.0 / step as f64)))
    }),
];

fn array(large: bool) -> Array<f32> {
    let n = if large { 65_536 } else { 8 };
    Array::new(vec![n], Key::new(1).normal(n)).unwrap()
}

fn prepare(folder: &Path) {
    WRITERS.iter().for_each(|(name, write)| write(&folder.join(name), false).unwrap());
}

/// Tries to overwrite what [`prepare`] wrote, prints the errors, and finds the earlier files.
fn attempt(folder: &Path) {
    for (name, write) in WRITERS {
        let path = folder.join(name);
        let before = std::fs::read(&path).unwrap();
        let error = write(&path, true).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
        println!("fault {name}: {error}");
        let after = std::fs::read(&path).unwrap();
        match name {
            // A log grows where it is: its rows are there, and after them what could be written.
            "log.csv" => assert!(after.starts_with(&before)),
            _ => assert!(after == before, "{name} was changed"),
        }
    }
    let load = checkpoint::load::<Trained<8>, NotConfig>(&folder.join("state"), fresh(9)).unwrap();
    assert!(bytes_of(&load.0) == bytes_of(&fresh::<8>(1)));
    let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name());
    let mut names: Vec<_> = names.map(|n| n.into_string().unwrap()).collect();
    names.sort();
    let mut expected = WRITERS.map(|(name, _)| name);
    expected.sort_unstable();
    assert_eq!(names, expected, "a temporary file was left");
    println!("intact");
}

/// The part of the tests that runs in a child process.
#[test]
#[ignore = "run by the other tests in a process of its own"]
fn child() {
    let Some(folder) = std::env::var_os("BRENIER_FOLDER") else { return };
    let folder = Path::new(&folder);
    match std::env::var("BRENIER_FAULT").as_deref() {
        Ok("full") => {
            println!("begin");
            prepare(folder);
        }
        Ok("read-only") => {
            prepare(folder);
            let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(folder).status();
            if !remounted.is_ok_and(|status| status.success()) {
                return;
            }
            println!("begin");
        }
        _ => println!("begin"),
    }
    attempt(folder);
}

/// This program again, to run [`child`] after the `setup` of a shell.
fn again(fault: &str, folder: &Path, setup: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{setup} exec \"$0\" \"$@\"")]);
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", "disk::child", "--ignored", "--nocapture", "--test-threads", "1"]);
    command.env("BRENIER_FAULT", fault).env("BRENIER_FOLDER", folder);
    command
}

/// Runs it, and wants `reason` in every error.
fn expect(mut command: Command, reason: &str) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed = String::from_utf8_lossy(&output.stderr).into_owned();
    if !said.contains("begin") {
        println!("skipped: the fault cannot be made here: {}", failed.trim());
        return;
    }
    std::io::stdout().write_all(said.as_bytes()).unwrap();
    let errors: Vec<&str> = said.lines().filter(|l| l.contains("fault ")).collect();
    assert_eq!(errors.len(), WRITERS.len(), "{said}{failed}");
    assert!(errors.iter().all(|e| e.contains(reason)), "{reason}: {said}");
    assert!(output.status.success() && said.contains("intact"), "{said}{failed}");
}

#[test]
fn files_at_their_size_limit() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    // Blocks of 512 or of 1024 bytes.
    let setup = "trap '' XFSZ; ulimit -f 64 || exit 1;";
    expect(again("limit", folder.path(), setup), "File too large");
}

/// A file system in memory that only the child sees.
fn mounted(fault: &str, folder: &Path) -> Command {
    let setup = "mount -t tmpfs -o size=128k tmpfs \"$BRENIER_FOLDER\" || exit 1;";
    let inner = again(fault, folder, setup);
    let root = std::fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0);
    let mut command = Command::new("unshare");
    command.args(if root { &["--mount"][..] } else { &["--map-root-user", "--mount"] });
    command.arg(inner.get_program()).args(inner.get_args());
    command.env("BRENIER_FAULT", fault).env("BRENIER_FOLDER", folder);
    command
}

#[test]
fn a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    expect(mounted("full", folder.path()), "No space left on device");
}

#[test]
fn a_read_only_disk() {
    let folder = tempfile::tempdir().unwrap();
    expect(mounted("read-only", folder.path()), "Read-only file system");
}

#[test]
fn a_folder_that_may_not_be_written() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let mut command = again("folder", folder.path(), "");
    let uid = std::fs::metadata(folder.path()).unwrap().uid();
    if uid == 0 {
        // Root may write everywhere: the child is nobody.
        command.uid(65_534).gid(65_534);
    }
    for (name, _) in WRITERS {
        let path = folder.path().join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o444)).unwrap();
    }
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    expect(command, "Permission denied");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_log_of_a_full_disk_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    let (_, write) = WRITERS[5];
    write(&path, false).unwrap();
    // As a full disk leaves it: the last row is cut.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.truncate(bytes.len() - 2);
    std::fs::write(&path, &bytes).unwrap();
    let mut log = CsvLog::<Loss>::resume(&path, 4).unwrap();
    log.observe(&At(4), &Loss(0.25)).unwrap();
    let steps: Vec<f64> = read_log(&path).unwrap()[0].points.iter().map(|(s, _)| *s).collect();
    assert_eq!(steps, [1.0, 2.0, 3.0, 4.0]);
}
