//! The socket of the benchmark: trials that resume, reports, the published table, divergences of maps.

use std::cell::Cell;
use std::path::Path;

use brenier::prelude::*;
use brenier::score::benchmark::*;
use brenier::score::pair_divergence;

type Map = Displacement<Mlp<2, 16, 1, 2>>;
type Trained = Averaged<NotState<Mlp<2, 16, 1, 1>, Map>, Map>;

fn trial() -> Trial {
    Trial {
        batch: 64,
        source_parts: 3,
        steps: 50,
        evaluations: 5,
        points: 512,
        ..Trial::new("not", 3)
    }
}

/// A small run that is stopped by an error at one of its steps.
fn small(
    trial: &Trial,
    stop: Option<u64>,
    saved: Option<&Path>,
) -> Result<(Report, Option<Trained>)> {
    let pair = KnownPair::<2>::random(Key::new(0))?;
    let adam = AdamConfig::with_rate(1e-3);
    let config = NotConfig::<HalfSqEuclidean> {
        map_steps: 2,
        map: adam.clone(),
        potential: adam,
        ..NotConfig::default()
    };
    let state = not_init(&config, build(Key::new(1)), build(Key::new(2)))?;
    let step = |s: NotState<_, _>, b: &Batch<2>, k| {
        // An error that is not of numbers, as a killed process leaves no report either.
        if stop == Some(s.step) {
            return Err(points::<2>(vec![1.0]).expect_err("half a point"));
        }
        not_step(&config, s, b, k)
    };
    let contender = Contender {
        state: Averaged::new(state),
        step: with_ema(0.9, step)?,
        image: |s: &Trained, x| s.average.forward(x),
    };
    trial.run(&pair, contender, saved, |_| ())
}

fn scores(report: &Report) -> Vec<(u64, u64, u64)> {
    let bits = |e: &Evaluation| (e.step, e.l2_uvp.to_bits(), e.cosine.to_bits());
    report.evaluations.iter().map(bits).collect()
}

#[test]
fn a_trial_that_was_stopped_ends_as_one_that_was_not() {
    let whole = small(&trial(), None, None).unwrap().0;
    assert_eq!(whole.evaluations.iter().map(|e| e.step).collect::<Vec<_>>(), [10, 20, 30, 40, 50]);
    assert_eq!(whole.outcome, Outcome::Finished);

    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("run/checkpoint.bin");
    // Before the first score, between two of them, and at one.
    for stop in [4, 25, 40] {
        assert!(matches!(small(&trial(), Some(stop), Some(&saved)), Err(Error::Shape { .. })));
    }
    let resumed = small(&trial(), None, Some(&saved)).unwrap().0;
    assert_eq!(scores(&whole), scores(&resumed));
    assert!(resumed.evaluations.windows(2).all(|e| e[0].cpu_seconds <= e[1].cpu_seconds));
    // What is finished trains no more.
    let again = small(&trial(), Some(0), Some(&saved)).unwrap();
    assert_eq!((&again.0, again.1.unwrap().step()), (&resumed, 50));

    // Another trial does not go on from this file; another budget of time is no other trial.
    for other in [Trial { batch: 32, ..trial() }, Trial { seed: 4, ..trial() }] {
        let refused = small(&other, None, Some(&saved)).err();
        assert!(matches!(refused, Some(Error::InvalidConfig { .. })), "{refused:?}");
    }
    let longer = Trial { minutes: Some(1.0), ..trial() };
    assert_eq!(small(&longer, None, Some(&saved)).unwrap().0, resumed);
}

#[test]
fn a_budget_of_time_ends_a_trial_with_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("checkpoint.bin");
    let short = Trial { minutes: Some(1e-9), ..trial() };
    for _ in 0..2 {
        let (report, state) = small(&short, None, Some(&saved)).unwrap();
        assert_eq!((report.outcome, report.evaluations.len()), (Outcome::OutOfTime, 1));
        assert_eq!(state.unwrap().step(), 10);
    }
    let whole = small(&trial(), None, None).unwrap().0;
    assert_eq!(scores(&small(&trial(), None, Some(&saved)).unwrap().0), scores(&whole));
    for bad in [
        Trial { steps: 0, ..trial() },
        Trial { evaluations: 0, ..trial() },
        Trial { points: 0, ..trial() },
        Trial { minutes: Some(-1.0), ..trial() },
        Trial { batch: 0, ..trial() },
    ] {
        assert!(matches!(small(&bad, None, None), Err(Error::InvalidConfig { .. })), "{bad:?}");
    }
}

#[test]
fn a_step_that_diverges_is_reported() {
    let pair = KnownPair::<2>::random(Key::new(0)).unwrap();
    let steps = Cell::new(0);
    let config = NotConfig::<HalfSqEuclidean> { source: SourceUse::Whole, ..NotConfig::default() };
    let map: Map = build(Key::new(2));
    let contender = Contender {
        state: not_init(&config, build::<Mlp<2, 16, 1, 1>, f32, Cpu>(Key::new(1)), map).unwrap(),
        step: |s: NotState<_, _>, b: &Batch<2>, k| {
            steps.set(steps.get() + 1);
            if steps.get() == 15 {
                let (what, step, remedy) = ("loss".into(), Some(14), "none");
                return Err(Error::NonFinite { what, value: f64::NAN, step, remedy });
            }
            not_step(&config, s, b, k)
        },
        image: |s: &NotState<Mlp<2, 16, 1, 1>, Map>, x| s.map.params().forward(x),
    };
    let trial = Trial { source_parts: 1, ..trial() };
    let (report, state) = trial.run(&pair, contender, None, |_| ()).unwrap();
    assert!(state.is_none() && report.diverged() && report.evaluations.len() == 1);
    let Outcome::Failed(message) = report.outcome else { panic!("{:?}", report.outcome) };
    assert!(message.contains("step 14"), "{message}");
}

#[test]
fn last_best_and_max() {
    let at =
        |step, l2_uvp| Evaluation { step, seconds: 0.0, cpu_seconds: 0.0, l2_uvp, cosine: 1.0 };
    let mut report = Report {
        solver: "mine".into(),
        dimension: 8,
        seed: 0,
        settings: String::new(),
        outcome: Outcome::Finished,
        evaluations: vec![at(1, 90.0), at(2, 2.0), at(3, 1.0), at(4, 1.75), at(5, 1.5)],
    };
    let found = [report.last(), report.best(), report.max()].map(|e| e.unwrap().step);
    assert_eq!(found, [5, 3, 4]);
    assert!(!report.diverged());
    report.evaluations.push(at(6, 1.501));
    assert!(report.diverged());
    report.evaluations.push(at(7, f64::NAN));
    assert!(report.diverged());
    report.evaluations.clear();
    assert!(report.diverged() && report.row().value.is_nan());
}

#[test]
fn published_figures() {
    use PublishedScore::*;
    // The best of the benchmark's paper, as the acceptance table has them.
    let best = |d| {
        let scores = PUBLISHED.iter().filter(|row| row.source.contains("2106.01954"));
        scores.filter_map(|row| published(row.solver, d).l2_uvp()).fold(f64::INFINITY, f64::min)
    };
    assert_eq!([2, 4, 8, 32, 64, 128].map(best), [0.1, 0.3, 0.7, 2.8, 3.2, 2.0]);
    assert_eq!(published("ENOT", 64), Reached(0.56));
    assert_eq!(published("MM:R", 256), Diverged);
    assert_eq!(published("MMv2", 64), Unstable(10.1));
    assert_eq!(published("Monge gap", 2), Absent);
    assert_eq!(published("mine", 2), Absent);
}

#[test]
fn a_table_of_several_seeds() {
    let row = |name: &str, dimension, value| Row { name: name.into(), dimension, value };
    let rows = [row("b", 64, 1.0), row("a", 128, 12.345), row("b", 64, 2.0), row("b", 128, 0.0312)];
    let table = markdown_table(&rows, &[64, 128]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "| L2-UVP, % | D = 64 | 128 |",
            "|---|---:|---:|",
            "| **b** | 1.50 ± 0.71 | 0.031 |",
            "| **a** | – | 12.3 |",
        ]
    );
    assert!(lines.contains(&"| MM:R | 4.5 | diverges |"));
    assert!(lines.contains(&"| MM | 3.2 | 3.1 † |"));
    assert!(lines.contains(&"| Monge gap | 7.99 | 9.1 |"));
    // A dimension without published figures has none of their rows.
    assert_eq!(markdown_table(&rows, &[3]).lines().count(), 6);
}

/// A shift of all images by v changes a debiased divergence for |x − y|² by |m + v|² − |m|², where m is the
/// difference of the means of images and target, whatever ε is: the cross terms of the cost are constant.
#[test]
fn a_divergence_sees_a_shift() {
    let pair = KnownPair::<2>::random(Key::new(5)).unwrap();
    let (key, n, v) = (Key::new(6), 400, [0.5, -0.25]);
    let shifted = |by: [f32; 2]| {
        let map = |x| {
            let images = rows(&pair.transport(&x)?);
            points(images.iter().zip(by.iter().cycle()).map(|(y, v)| y + v).collect())
        };
        pair_divergence(&pair, map, key, n).unwrap()
    };
    let [source, target] = key.split();
    let mean = |sample: Points<2>| {
        let sum = |j| rows(&sample).iter().skip(j).step_by(2).map(|v| f64::from(*v)).sum::<f64>();
        [0, 1].map(|j| sum(j) / n as f64)
    };
    let images = mean(pair.transport(&pair.source().sample(source, n).unwrap()).unwrap());
    let target = mean(pair.target().sample(target, n).unwrap());
    let square = |v: [f32; 2]| {
        (0..2).map(|j| (images[j] - target[j] + f64::from(v[j])).powi(2)).sum::<f64>()
    };
    let (still, moved) = (shifted([0.0; 2]), shifted(v));
    let change = square(v) - square([0.0; 2]);
    // The solver stops at a marginal error of 1e-3.
    assert!(
        (moved.value - still.value - change).abs() < 0.02 * change,
        "{still:?} {moved:?} {change}"
    );
    assert_eq!((moved.epsilon, moved.points), (still.epsilon, n));
    assert!(pair_divergence(&pair, Ok, key, 1).is_err());
}
