//! The guard against divergence: what it sees, what it does, what it leaves alone.

use brenier::error::Error;
use brenier::function::{Persist, Record};
use brenier::neural::{Readings, Slowed, State};
use brenier::prelude::*;
use brenier::train::Divergence;

/// A toy: x ← x − rate · x, with a loss that the test can spoil at a step.
#[derive(Clone, Debug, PartialEq)]
struct Toy {
    step: u64,
    x: f64,
    rate: f64,
}

impl State for Toy {
    fn step(&self) -> u64 {
        self.step
    }
}
impl Slowed for Toy {
    fn slow_down(&mut self, factor: f64) {
        self.rate *= factor;
    }
}
impl Persist for Toy {
    fn save(&self, record: &mut Record, path: &str) {
        self.step.save(record, &format!("{path}step"));
        record.put_array(&format!("{path}x"), &[1], &[self.x]);
    }
    fn load(&mut self, record: &Record, path: &str, problems: &mut Vec<String>) {
        self.step.load(record, &format!("{path}step"), problems);
        match record.array(&format!("{path}x")) {
            Ok((_, values)) => self.x = values[0],
            Err(problem) => problems.push(problem),
        }
    }
}

#[derive(Debug)]
struct Loss(f64);
impl Readings for Loss {
    fn readings(&self) -> Vec<(&'static str, f64)> {
        vec![("constant", 1.0), ("loss", self.0)]
    }
}

fn toy() -> Toy {
    Toy { step: 0, x: 1.0, rate: 0.01 }
}

/// The toy's step, whose loss at step s is `spoil(s, batch, rate, loss)`; the batch is its number.
fn spoilt(
    spoil: impl Fn(u64, u64, f64, f64) -> f64,
) -> impl Fn(Toy, &u64, Key) -> Result<(Toy, Loss)> {
    move |t: Toy, batch: &u64, _: Key| {
        let wobble = 1.0 + 0.1 * ((t.step * 7919 % 13) as f64 / 13.0 - 0.5);
        let loss = spoil(t.step, *batch, t.rate, t.x * wobble);
        if loss.is_nan() {
            return Err(Error::NonFinite {
                what: "loss".into(),
                value: loss,
                step: Some(t.step),
                remedy: "none",
            });
        }
        let x = t.x - t.rate * t.x;
        Ok((Toy { step: t.step + 1, x, rate: t.rate }, Loss(loss)))
    }
}

fn config() -> GuardConfig {
    GuardConfig { every: 10, window: 20, ..GuardConfig::default() }
}

fn guarded(
    config: GuardConfig,
    spoil: impl Fn(u64, u64, f64, f64) -> f64,
    proxy: impl Fn(&Toy) -> Result<f64>,
    batches: u64,
) -> Result<(Guarded<Toy>, Vec<Rollback>)> {
    let step = guard(config, proxy, spoilt(spoil))?;
    let mut seen = Vec::new();
    let mut watch = |_: &Guarded<Toy>, m: &GuardMetrics<Loss>| {
        seen.extend(m.rollback.clone());
        Ok(())
    };
    let state = run(&step, Guarded::new(toy()), (0..batches).map(Ok), Key::new(0), &mut watch)?;
    Ok((state, seen))
}

fn no_proxy(_: &Toy) -> Result<f64> {
    Ok(0.0)
}

#[test]
fn a_run_that_does_not_diverge_is_left_alone() {
    let (state, seen) = guarded(config(), |_, _, _, loss| loss, no_proxy, 300).unwrap();
    let (plain, _) = (0..300).fold((toy(), ()), |(t, ()), b| {
        (spoilt(|_, _, _, loss| loss)(t, &b, Key::new(0)).unwrap().0, ())
    });
    assert_eq!(state.state, plain);
    assert!(seen.is_empty() && state.history().is_empty() && state.rate_factor() == 1.0);
}

#[test]
fn a_nan_goes_back_to_the_last_snapshot() {
    // Batch 57 is the bad one, whatever the step.
    let spoil = |_, batch, _, loss| if batch == 57 { f64::NAN } else { loss };
    let (state, seen) = guarded(config(), spoil, no_proxy, 80).unwrap();
    let back = &seen[0];
    assert_eq!((seen.len(), back.at, back.to, back.rate_factor), (1, 57, 50, 0.5));
    assert_eq!(back.cause, Divergence::NonFinite { what: "loss".into() });
    assert_eq!((state.history(), state.rollbacks()), (&seen[..], 1));
    // 50 steps at the old rate, then 22 at half of it.
    let exact = 0.99f64.powi(50) * 0.995f64.powi(22);
    assert_eq!(state.step(), 72);
    assert!((state.state.x - exact).abs() < 1e-12);
}

#[test]
fn readings_out_of_range_are_a_divergence_if_they_stay() {
    // One odd batch is nothing; a loss that leaves its range from step 60 on is, while the rate is high.
    let one = |step, _, _, loss: f64| if step == 60 { 100.0 * loss } else { loss };
    assert!(guarded(config(), one, no_proxy, 100).unwrap().1.is_empty());
    let stays =
        |step, _, rate, loss: f64| if step >= 60 && rate > 0.006 { 100.0 * loss } else { loss };
    let (state, seen) = guarded(config(), stays, no_proxy, 100).unwrap();
    assert_eq!(seen.len(), 1);
    // The fifth sign in a row; the snapshot of step 60 was taken before the first.
    assert_eq!((seen[0].at, seen[0].to), (64, 60));
    assert!(matches!(&seen[0].cause, Divergence::Outlier { reading: "loss", value, usual }
        if *value > 50.0 * usual));
    assert_eq!(state.step(), 95);
}

#[test]
fn a_worse_proxy_is_a_divergence() {
    let proxy = |t: &Toy| Ok(if t.step >= 70 && t.rate > 0.006 { 10.0 } else { t.x });
    let (state, seen) = guarded(config(), |_, _, _, loss| loss, proxy, 100).unwrap();
    assert_eq!((seen.len(), seen[0].at, seen[0].to), (1, 69, 60));
    let best = 0.99f64.powi(60);
    assert!(matches!(seen[0].cause, Divergence::Proxy { value: 10.0, best: b }
        if (b - best).abs() < 1e-12));
    assert!(state.state.x < best);
}

#[test]
fn too_many_rollbacks_are_an_error() {
    let spoil = |step, _, _, loss| if step >= 30 { f64::NAN } else { loss };
    let few = GuardConfig { rollbacks: 3, ..config() };
    let error = guarded(few, spoil, no_proxy, 500).unwrap_err();
    assert!(matches!(error, Error::Diverged { step: 30, rollbacks: 3, .. }), "{error}");
    assert!(error.to_string().contains("loss is not finite"), "{error}");
}

#[test]
fn other_errors_pass() {
    let step = guard(config(), no_proxy, |_: Toy, _: &u64, _| -> Result<(Toy, Loss)> {
        Batch::<1>::new(points(vec![1.0])?, points(vec![f32::NAN])?)?;
        Ok((toy(), Loss(0.0)))
    });
    let result = step.unwrap().step(Guarded::new(toy()), &0, Key::new(0));
    // A NaN in the data is one of the errors that a rollback answers.
    assert!(result.unwrap().1.rollback.is_some());
    let step = guard(config(), no_proxy, |_: Toy, _: &u64, _| -> Result<(Toy, Loss)> {
        points::<2>(vec![1.0])?;
        Ok((toy(), Loss(0.0)))
    });
    let error = step.unwrap().step(Guarded::new(toy()), &0, Key::new(0)).unwrap_err();
    assert!(matches!(error, Error::Shape { .. }));
}

#[test]
fn bad_configurations_are_refused() {
    for bad in [
        GuardConfig { every: 0, ..config() },
        GuardConfig { window: 3, ..config() },
        GuardConfig { outlier: f64::NAN, ..config() },
        GuardConfig { patience: 0, ..config() },
        GuardConfig { worse: 1.0, ..config() },
        GuardConfig { slow_down: 0.0, ..config() },
        GuardConfig { slow_down: 1.5, ..config() },
    ] {
        assert!(guard(bad.clone(), no_proxy, spoilt(|_, _, _, l| l)).is_err(), "{bad:?}");
    }
}

/// A run that rolled back, was saved, loaded and goes on is the run that never stopped.
#[test]
fn guarded_runs_resume() {
    let spoil = |step, batch, rate, loss: f64| match batch {
        25 => f64::NAN,
        _ if step > 40 && rate > 0.003 => 1e3 * loss,
        _ => loss,
    };
    let step = guard(config(), |t: &Toy| Ok(t.x), spoilt(spoil)).unwrap();
    let go = |state, from: u64, to: u64| {
        run(&step, state, (from..to).map(Ok), Key::new(0), &mut |_: &_, _: &_| Ok(())).unwrap()
    };
    let bytes = |state: &Guarded<Toy>| {
        let mut record = Record::default();
        state.save(&mut record, "");
        record
    };
    let whole = go(Guarded::new(toy()), 0, 90);
    assert_eq!(whole.rollbacks(), 2);
    for stop in [10, 30, 46, 60] {
        let saved = bytes(&go(Guarded::new(toy()), 0, stop));
        let mut loaded = Guarded::new(Toy { x: 5.0, ..toy() });
        let mut problems = Vec::new();
        loaded.load(&saved, "", &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        assert!(bytes(&go(loaded, stop, 90)) == bytes(&whole), "stopped at {stop}");
    }
}

/// Maximin training that is much too fast is lost; under guard it is saved.
#[test]
fn it_saves_a_run_of_an_estimator() {
    type Net = PotentialMap<Mlp<2, 32, 1, 1, Celu>>;
    let pair = KnownPair::<2>::random(Key::new(0)).unwrap();
    let [f, g, data, training, score] = Key::new(3).split();
    let adam = AdamConfig { betas: (0.9, 0.9), ..AdamConfig::with_rate(3.0) };
    let config: EnotConfig =
        EnotConfig { source: adam.clone(), target: adam, ..EnotConfig::default() };
    let fresh = || {
        let (f, g): (Net, Net) = (build(f), build(g));
        enot_init(&config, f, g).unwrap()
    };
    let error = |s: &EnotState<Net, Net>| {
        let map = s.source.params().map_for(&config.cost);
        map_error(&pair, &map, score, 1000).map(|e| e.l2_uvp)
    };
    let batches = || {
        let sampled = Sampled::new(pair.source().clone(), pair.target(), 128).unwrap();
        sampled.batches(data).take(1500)
    };
    let step = |s, b: &Batch<2>, k| enot_step(&config, s, b, k);
    let lost = run(&step, fresh(), batches(), training, &mut |_: &_, _: &_| Ok(()));
    let lost = lost.map_or(f64::INFINITY, |s| error(&s).unwrap_or(f64::INFINITY));
    let rules = GuardConfig {
        every: 50,
        window: 50,
        worse: 1.5,
        slow_down: 0.1,
        rollbacks: 12,
        ..GuardConfig::default()
    };
    let step = guard(rules, error, step).unwrap();
    let mut course = Course::default();
    let mut watch = |s: &Guarded<EnotState<Net, Net>>, m: &GuardMetrics<EnotMetrics>| {
        if let Some(back) = &m.rollback {
            println!("{back:?}");
        }
        if let Some(value) = m.proxy {
            course.add(s.step(), value);
        }
        Ok(())
    };
    let saved = run(&step, Guarded::new(fresh()), batches(), training, &mut watch).unwrap();
    let kept = error(&saved.state).unwrap();
    println!("lost {lost}, kept {kept}, {} rollbacks, {course:?}", saved.rollbacks());
    // The untrained map has 24.8 and the best affine one 13.2. Lost networks are far above, or dead and
    // as good as untrained.
    assert!(lost > 20.0 && kept < 10.0 && saved.rollbacks() > 0);
    assert!(course.held(1.5), "{course:?}");
}
