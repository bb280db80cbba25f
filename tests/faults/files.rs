//! Damaged files are read or refused with a typed error, and stay as they are. Readers of data have more
//! of this in `tests/data/readers.rs` and `tests/data/h5ad.rs`.

use std::path::{Path, PathBuf};

use brenier::data::{read_npz, write_npz, Array};
use brenier::prelude::*;
use brenier::train::{read_log, read_settings};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bytes::{damage, damaged, Damage};
use crate::run::{bytes_of, config, folder, fresh, At, Loss, Trained};

/// A file that is damaged anew for each case.
struct Victim {
    _folder: tempfile::TempDir,
    path: PathBuf,
    good: Vec<u8>,
}

impl Victim {
    fn new(name: &str, make: impl FnOnce(&Path)) -> Self {
        let folder = folder();
        let path = folder.path().join(name);
        make(&path);
        let good = std::fs::read(&path).unwrap();
        Self { _folder: folder, path, good }
    }

    /// Writes `bytes`, reads them by `read`, and finds them again.
    fn read<T>(&self, bytes: &[u8], read: impl FnOnce(&Path) -> T) -> T {
        std::fs::write(&self.path, bytes).unwrap();
        let found = read(&self.path);
        assert_eq!(std::fs::read(&self.path).unwrap(), bytes, "the file was changed");
        found
    }
}

fn refused(error: &Error) -> bool {
    let known = matches!(
        error,
        Error::Format { .. } | Error::Checkpoint { .. } | Error::Shape { .. } | Error::Io { .. }
    );
    known && !error.to_string().is_empty()
}

fn each(property: impl Fn(&[Damage]) -> Result<(), TestCaseError>) {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner.run(&damage(), |damage| property(&damage)).unwrap();
}

#[test]
fn checkpoints() {
    let state = fresh::<8>(1);
    let save = |path: &Path| checkpoint::save(path, &state, &config(), Key::new(5)).unwrap();
    let victim = Victim::new("state", save);
    let load = |path: &Path| checkpoint::load::<Trained<8>, NotConfig>(path, fresh(2));
    each(|damage| {
        let bad = damaged(&victim.good, damage);
        match victim.read(&bad, load) {
            // The checksum sees every change of the payload; the magic and the version are not in it.
            Ok((read, _, _)) => {
                prop_assert_eq!(&bad[24..], &victim.good[24..]);
                prop_assert!(bytes_of(&read) == bytes_of(&state));
            }
            Err(e) => prop_assert!(matches!(e, Error::Checkpoint { .. }), "{}", e),
        }
        Ok(())
    });
}

/// A payload that is damaged and has the right checksum: what decodes it must hold by itself.
#[test]
fn checkpoints_with_a_forged_checksum() {
    let save =
        |path: &Path| checkpoint::save(path, &fresh::<8>(1), &config(), Key::new(5)).unwrap();
    let victim = Victim::new("state", save);
    each(|damage| {
        let payload = damaged(&victim.good[24..], damage);
        let mut bad = victim.good[..12].to_vec();
        bad.extend(crc32fast::hash(&payload).to_le_bytes());
        bad.extend((payload.len() as u64).to_le_bytes());
        bad.extend(payload);
        let load = |path: &Path| checkpoint::load::<Trained<8>, NotConfig>(path, fresh(2));
        if let Err(e) = victim.read(&bad, load) {
            prop_assert!(matches!(e, Error::Checkpoint { .. }), "{}", e);
        }
        let mut map: Mlp<2, 8, 1, 2> = build(Key::new(0));
        let transfer = |path: &Path| {
            checkpoint::transfer::<NotConfig, _, _, _>(path, "map.parameters.", &mut map)
        };
        if let Err(e) = victim.read(&bad, transfer) {
            prop_assert!(matches!(e, Error::Checkpoint { .. }), "{}", e);
        }
        Ok(())
    });
}

#[test]
fn weights_as_safetensors() {
    let net = || build::<Mlp<2, 8, 1, 2>, f32, Cpu>(Key::new(0));
    let victim = Victim::new("map.safetensors", |path| weights::save(path, &net()).unwrap());
    each(|damage| {
        let bad = damaged(&victim.good, damage);
        let before = brenier::function::arrays(&net());
        let mut module = net();
        if let Err(e) = victim.read(&bad, |path| weights::load(path, &mut module)) {
            prop_assert!(refused(&e), "{}", e);
            prop_assert_eq!(brenier::function::arrays(&module), before.clone());
        }
        let mut module = net();
        let by_name = |name: &str| Some(name.to_string());
        let read = |path: &Path| weights::load_state_dict(path, &mut module, by_name);
        if let Err(e) = victim.read(&bad, read) {
            prop_assert!(refused(&e), "{}", e);
            prop_assert_eq!(brenier::function::arrays(&module), before);
        }
        Ok(())
    });
}

#[test]
fn archives_of_arrays() {
    let array = Array::new(vec![4, 3], Key::new(1).normal(12)).unwrap();
    let write = |path: &Path| write_npz(path, &[("mu", &array), ("sigma", &array)]).unwrap();
    let victim = Victim::new("arrays.npz", write);
    each(|damage| {
        let read = victim.read(&damaged(&victim.good, damage), read_npz);
        if let Err(e) = read {
            prop_assert!(refused(&e), "{}", e);
        }
        Ok(())
    });
}

/// A damaged log is refused or read; a run that goes on with it keeps whole rows and adds its own.
#[test]
fn logs() {
    let log = |path: &Path| {
        let mut log = CsvLog::create(path).unwrap();
        (1..=4).for_each(|step| log.observe(&At(step), &Loss(1.0 / step as f64)).unwrap());
    };
    let victim = Victim::new("log.csv", log);
    each(|damage| {
        let bad = damaged(&victim.good, damage);
        if let Err(e) = victim.read(&bad, read_log) {
            prop_assert!(refused(&e), "{}", e);
        }
        match CsvLog::<Loss>::resume(&victim.path, 2) {
            Err(e) => {
                prop_assert!(refused(&e), "{}", e);
                prop_assert_eq!(std::fs::read(&victim.path).unwrap(), bad);
            }
            Ok(mut log) => {
                let rows = std::fs::read(&victim.path).unwrap();
                let lines = bad.split(|b| *b == b'\n').collect::<Vec<_>>();
                for row in rows.split(|b| *b == b'\n').filter(|row| !row.is_empty()) {
                    prop_assert!(lines.contains(&row), "a row that was not there");
                }
                log.observe(&At(3), &Loss(0.5)).unwrap();
                let last = std::fs::read_to_string(&victim.path);
                prop_assert!(last.map_or(true, |all| all.ends_with("\n3,0.5,-0.5\n")));
            }
        }
        Ok(())
    });
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    seed: u64,
    name: String,
    training: Training,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Training {
    rate: f64,
    sizes: Vec<usize>,
    resume: bool,
}

fn settings() -> Settings {
    let training = Training { rate: 1e-3, sizes: vec![64, 64], resume: false };
    Settings { seed: 1, name: "digits \"of\" MNIST".into(), training }
}

#[test]
fn settings_files() {
    let victim = Victim::new("run.toml", |path| {
        std::fs::write(path, toml::to_string(&settings()).unwrap()).unwrap();
    });
    each(|damage| {
        let none: [&str; 0] = [];
        let read = |path: &Path| read_settings(&settings(), &[path], &none);
        match victim.read(&damaged(&victim.good, damage), read) {
            Ok(_) => Ok(()),
            Err(e) => {
                prop_assert!(refused(&e) && e.to_string().contains("run.toml"), "{}", e);
                Ok(())
            }
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn settings_from_the_command_line(given in "(training|seed|name)?[.=a-z0-9\\[\\]{}\"\\-]{0,12}[\\x00-\\xff]{0,6}") {
        let none: [&Path; 0] = [];
        if let Err(e) = read_settings(&settings(), &none, &[&given]) {
            let invalid = matches!(e, Error::InvalidConfig { .. });
            prop_assert!(invalid, "{}", e);
        }
    }
}
