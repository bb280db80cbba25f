//! Checkpoints: resumed runs are the runs that never stopped; bad files are refused by name.

use std::path::Path;

use brenier::error::CheckpointProblem;
use brenier::prelude::*;
use dfdx::prelude::Module;

type Trained<const H: usize> = Averaged<
    NotState<Mlp<2, H, 1, 1>, Displacement<Mlp<2, H, 1, 2>>>,
    Displacement<Mlp<2, H, 1, 2>>,
>;

fn config() -> NotConfig {
    let adam = AdamConfig {
        clip: Clip::Norm(1.0),
        schedule: Schedule::Cosine { warm_up: 3, total: 20, floor: 0.1 },
        decay: Decay::Decoupled(1e-2),
        ..AdamConfig::default()
    };
    NotConfig { map_steps: 2, map: adam.clone(), potential: adam, ..NotConfig::default() }
}

fn fresh<const H: usize>(seed: u64) -> Trained<H> {
    let [f, t] = Key::new(seed).split();
    Averaged::new(not_init(&config(), build(f), build(t)).unwrap())
}

/// Goes on from `state` to step `to`.
fn train(state: Trained<16>, to: u64) -> Trained<16> {
    let pair = KnownPair::<2>::random(Key::new(1)).unwrap();
    let batches = Sampled::new(pair.source().clone(), pair.target(), 32).unwrap();
    let batches = batches.with_source_parts(3).unwrap().batches(Key::new(2));
    let batches = batches.starting_at(state.step()).take((to - state.step()) as usize);
    let config = config();
    let step = with_ema(0.9, |s, b: &Batch<2>, k| not_step(&config, s, b, k)).unwrap();
    run(&step, state, batches, Key::new(3), &mut |_: &_, _: &_| Ok(())).unwrap()
}

fn save(path: &Path, state: &Trained<16>) {
    checkpoint::save(path, state, &config(), Key::new(3)).unwrap();
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, half, resumed) =
        (folder.path().join("whole"), folder.path().join("half"), folder.path().join("resumed"));
    save(&whole, &train(fresh(0), 8));
    save(&half, &train(fresh(0), 5));
    // The template has other weights: all of them must come from the file.
    let (state, read, key) = checkpoint::load::<_, NotConfig>(&half, fresh(99)).unwrap();
    assert_eq!((read, key, state.step()), (config(), Key::new(3), 5));
    save(&resumed, &train(state, 8));
    assert!(std::fs::read(whole).unwrap() == std::fs::read(resumed).unwrap());
}

fn problem(path: &Path) -> CheckpointProblem {
    let before = std::fs::read(path).unwrap();
    let error = checkpoint::load::<Trained<16>, NotConfig>(path, fresh(0)).unwrap_err();
    assert_eq!(std::fs::read(path).unwrap(), before, "a refused file was changed");
    match error {
        Error::Checkpoint { problem, .. } => problem,
        other => panic!("{other}"),
    }
}

#[test]
fn bad_files_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    save(&path, &train(fresh(0), 1));
    let good = std::fs::read(&path).unwrap();
    let with = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        problem(&path)
    };

    assert!(matches!(with(b""), CheckpointProblem::NotACheckpoint));
    assert!(matches!(with(b"PK\x03\x04 something else"), CheckpointProblem::NotACheckpoint));
    for cut in [9, 20, 24, good.len() - 1] {
        assert!(matches!(with(&good[..cut]), CheckpointProblem::Truncated { .. }), "{cut}");
    }
    // Every single flipped bit of the payload is seen by a CRC; so is a byte too many.
    for at in [24, 100, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 4;
        assert!(matches!(with(&bad), CheckpointProblem::Corrupted { .. }), "{at}");
    }
    assert!(matches!(with(&[&good[..], b"x"].concat()), CheckpointProblem::Corrupted { .. }));
    let mut newer = good.clone();
    newer[8..12].copy_from_slice(&(checkpoint::VERSION + 1).to_le_bytes());
    assert!(matches!(with(&newer), CheckpointProblem::NewerVersion { found: 2, supported: 1 }));
}

#[test]
fn another_network_or_configuration_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    save(&path, &train(fresh(0), 1));
    let error = checkpoint::load::<Trained<8>, NotConfig>(&path, fresh(0)).unwrap_err().to_string();
    assert!(error.contains("potential.parameters.first.weight has shape [16, 2]"), "{error}");
    assert!(error.contains("the module wants [8, 2]") && error.contains("average."), "{error}");
    let error = checkpoint::load::<Trained<16>, Vec<String>>(&path, fresh(0)).unwrap_err();
    assert!(matches!(error, Error::Checkpoint { problem: CheckpointProblem::Contents(_), .. }));
}

#[test]
fn unreadable_and_unwritable_paths_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let error = checkpoint::load::<Trained<16>, NotConfig>(&missing, fresh(0)).unwrap_err();
    assert!(error.to_string().contains("cannot read") && error.to_string().contains("missing"));
    // A folder stands where the file should go.
    std::fs::create_dir(&missing).unwrap();
    let error = checkpoint::save(&missing, &fresh::<16>(0), &config(), Key::new(0)).unwrap_err();
    assert!(matches!(error, Error::Io { .. }) && error.to_string().contains("missing"));
    // A file stands where its folder should be.
    let file = folder.path().join("file");
    std::fs::write(&file, "kept").unwrap();
    assert!(weights::save(&file.join("map.safetensors"), &fresh::<16>(0).average).is_err());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
}

#[test]
fn weights_survive_and_misfits_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.safetensors");
    let (original, mut other) = (fresh::<16>(0).average, fresh::<16>(1).average);
    weights::save(&path, &original).unwrap();
    let x = points::<2>(vec![0.5, -1.0]).unwrap();
    assert_ne!(rows(&original.forward(x.clone())), rows(&other.forward(x.clone())));
    weights::load(&path, &mut other).unwrap();
    assert_eq!(rows(&original.forward(x.clone())), rows(&other.forward(x.clone())));

    let mut narrow = fresh::<8>(0).average;
    let before = rows(&narrow.forward(x.clone()));
    let error = weights::load(&path, &mut narrow).unwrap_err().to_string();
    assert!(error.contains("0.first.weight has shape [16, 2]"), "{error}");
    assert_eq!(rows(&narrow.forward(x)), before);
    std::fs::write(&path, "no safetensors").unwrap();
    assert!(matches!(weights::load(&path, &mut narrow), Err(Error::Format { .. })));
}

#[test]
fn a_resumed_log_has_each_step_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    let config = config();
    let log = |state: Trained<16>, to: u64| {
        let pair = KnownPair::<2>::random(Key::new(1)).unwrap();
        let batches = Sampled::new(pair.source().clone(), pair.target(), 8).unwrap();
        let batches = batches.with_source_parts(3).unwrap().batches(Key::new(2));
        let from = state.step();
        let batches = batches.starting_at(from).take((to - from) as usize);
        let step = with_ema(0.9, |s, b: &Batch<2>, k| not_step(&config, s, b, k)).unwrap();
        let mut csv = CsvLog::resume(&path, from).unwrap();
        run(&step, state, batches, Key::new(3), &mut csv).unwrap()
    };
    let at_three = log(fresh(0), 3);
    let whole = {
        log(at_three.clone(), 6);
        std::fs::read_to_string(&path).unwrap()
    };
    // As if the run had been killed after step 6 and gone on from its checkpoint of step 3.
    log(at_three, 6);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
    let steps: Vec<_> = whole.lines().skip(1).filter_map(|l| l.split(',').next()).collect();
    assert_eq!(steps, ["1", "2", "3", "4", "5", "6"]);
    assert!(whole.starts_with("step,map_loss,potential_loss,transport_cost,"));
}

#[test]
fn a_transfer_takes_what_fits_and_names_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let trained = train(fresh(0), 4);
    save(&path, &trained);
    let values = |t: &Displacement<Mlp<2, 16, 1, 2>>| brenier::function::arrays(t);
    let mut map: Displacement<Mlp<2, 16, 1, 2>> = build(Key::new(5));
    let done = checkpoint::transfer::<NotConfig, _, _, _>(&path, "average.", &mut map).unwrap();
    assert_eq!((done.loaded.len(), done.kept.len()), (values(&map).len(), 0));
    assert_eq!(values(&map), values(&trained.average));

    // A network of another width: its last bias, [2], fits; nothing else of the last layer does.
    let mut wide: Displacement<Mlp<2, 24, 1, 2>> = build(Key::new(5));
    let before = brenier::function::arrays(&wide);
    let done = checkpoint::transfer::<NotConfig, _, _, _>(&path, "average.", &mut wide).unwrap();
    let after = brenier::function::arrays(&wide);
    assert!(!done.loaded.is_empty() && !done.kept.is_empty());
    for (b, a) in before.iter().zip(&after) {
        let loaded = done.loaded.contains(&a.name);
        let source = values(&trained.average).into_iter().find(|s| s.name == a.name).unwrap();
        assert_eq!(loaded, source.shape == a.shape, "{}", a.name);
        assert_eq!(&a.values, if loaded { &source.values } else { &b.values }, "{}", a.name);
    }
    let text = done.to_string();
    let all = after.len();
    assert!(
        text.starts_with(&format!("{} of {all} arrays loaded; not loaded: ", done.loaded.len()))
    );
    assert!(text.contains("there, [24"), "{text}");

    // Nothing of that name; a file that is no checkpoint.
    let done = checkpoint::transfer::<NotConfig, _, _, _>(&path, "mapp.", &mut map).unwrap();
    assert!(done.loaded.is_empty() && done.to_string().contains("is missing"), "{done}");
    std::fs::write(&path, "brenier").unwrap();
    assert!(checkpoint::transfer::<NotConfig, _, _, _>(&path, "average.", &mut map).is_err());
}
