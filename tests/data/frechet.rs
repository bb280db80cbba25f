//! Distances between samples against scipy, and the laws of scores.

use crate::common;
use crate::common::{golden, numbers};
use brenier::error::Error;
use brenier::random::Key;
use brenier::score::*;
use brenier::solver::Gaussian;
use serde_json::Value;

/// The sample that `make_frechet.py` describes.
fn sample(n: usize, d: usize, parameters: &Value) -> Vec<f32> {
    let [p, s, m] = numbers(parameters)[..] else { panic!("three parameters") };
    (0..n * d)
        .map(|k| {
            let (i, j) = ((k / d) as f64, (k % d) as f64);
            ((0.7 * i + 1.3 * j + p).sin() + s * (i * (j + 1.0)).cos() + m) as f32
        })
        .collect()
}

fn normal(rows: &[f32], d: usize) -> Gaussian {
    let mut moments = Moments::new(d).unwrap();
    moments.add(rows).unwrap();
    moments.finish().unwrap()
}

fn close(found: f64, wanted: &Value, tolerance: f64) {
    let wanted = wanted.as_f64().unwrap();
    assert!((found / wanted - 1.0).abs() < tolerance, "{found} {wanted}");
}

#[test]
fn scipy_and_scikit_learn_agree() {
    let size = |case: &Value, name: &str| case[name].as_u64().unwrap() as usize;
    for case in golden("frechet.json")["cases"].as_array().unwrap() {
        let (n, m, d) = (size(case, "n"), size(case, "m"), size(case, "d"));
        let (x, y) = (sample(n, d, &case["first"]), sample(m, d, &case["second"]));
        // A sine may differ in its last bit, hence a coordinate of f32 in rare cases; sums are in f64.
        let distance = frechet_distance(&normal(&x, d), &normal(&y, d)).unwrap();
        close(distance, &case["frechet"], 1e-6);
        close(mmd(&x, &y, d, &GAMMAS, Pairs::All).unwrap(), &case["mmd"], 1e-7);
        close(energy_distance(&x, &y, d, Pairs::All).unwrap(), &case["energy"], 1e-7);
        let scores = marker_scores(&x, &y, d).unwrap();
        for (score, w1) in scores.iter().zip(numbers(&case["w1"])) {
            assert!((score.w1 / w1 - 1.0).abs() < 1e-7);
        }
        close(r2_of_means(&x, &y, d).unwrap(), &case["r2"], 1e-6);
    }
}

#[test]
fn statistics_of_other_tools() {
    let case = &golden("frechet.json")["cases"][0];
    let ours = normal(&sample(200, 3, &case["first"]), 3);
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/arrays/fid.npz");
    let theirs = load_statistics(&path).unwrap();
    assert!((&ours.mean - &theirs.mean).amax() < 1e-9);
    assert!((&ours.covariance - &theirs.covariance).amax() < 1e-9);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("statistics.npz");
    save_statistics(&path, &ours).unwrap();
    assert_eq!(load_statistics(&path).unwrap(), ours);
    let wrong = brenier::data::Array::new(vec![2], vec![0.0, f64::NAN]).unwrap();
    brenier::data::write_npz(&path, &[("mu", &wrong)]).unwrap();
    assert!(load_statistics(&path).unwrap_err().to_string().contains("no array sigma"));
    brenier::data::write_npz(&path, &[("mu", &wrong), ("sigma", &wrong)]).unwrap();
    assert!(matches!(load_statistics(&path), Err(Error::Format { .. })));
}

#[test]
fn moments_do_not_depend_on_batches_and_keep_digits() {
    let (n, d) = (1300, 5);
    // Far from zero: the naive formula E x² − (E x)² in f32 would lose everything.
    let rows: Vec<f32> = Key::new(0).normal(n * d).iter().map(|v| 1000.0 + v).collect();
    let whole = normal(&rows, d);
    for batch in [1, 7, 512, 600] {
        let mut moments = Moments::new(d).unwrap();
        rows.chunks(batch * d).for_each(|b| moments.add(b).unwrap());
        assert_eq!(moments.len(), n);
        assert_eq!(moments.finish().unwrap(), whole, "{batch}");
    }
    for i in 0..d {
        for j in 0..d {
            let column = |k: usize| rows.iter().skip(k).step_by(d).map(|&v| f64::from(v));
            let mean = |k: usize| column(k).sum::<f64>() / n as f64;
            let (a, b) = (mean(i), mean(j));
            let sum: f64 = column(i).zip(column(j)).map(|(x, y)| (x - a) * (y - b)).sum();
            assert!((whole.covariance[(i, j)] - sum / (n - 1) as f64).abs() < 1e-11);
        }
    }
    let mut moments = Moments::new(2).unwrap();
    assert!(moments.add(&[1.0]).is_err() && moments.add(&[1.0, f32::NAN]).is_err());
    moments.add(&[1.0, 2.0]).unwrap();
    assert!(matches!(moments.finish(), Err(Error::Shape { .. })));
    assert!(Moments::new(0).is_err());
}

#[test]
fn laws_of_the_frechet_distance() {
    let d = 12;
    // Fewer points than dimensions in the second: a singular covariance.
    let (x, y) = (Key::new(1).normal(50 * d), Key::new(2).normal(6 * d));
    let (p, q) = (normal(&x, d), normal(&y, d));
    let there = frechet_distance(&p, &q).unwrap();
    let back = frechet_distance(&q, &p).unwrap();
    // Square roots of eigenvalues of rounding size in one of the two orders.
    assert!((there / back - 1.0).abs() < 1e-6, "{there} {back}");
    assert!(frechet_distance(&p, &p).unwrap() < 1e-12 * p.total_variance());
    // A shift adds its square.
    let mut shifted = q.clone();
    shifted.mean[3] += 5.0;
    let grown = frechet_distance(&p, &shifted).unwrap() - there;
    let difference = shifted.mean[3] - p.mean[3];
    let wanted = difference.powi(2) - (difference - 5.0).powi(2);
    assert!((grown - wanted).abs() < 1e-10);
    // The solver's formula, by other means, where S is regular.
    let other = p.squared_distance(&q).unwrap();
    assert!((there / other - 1.0).abs() < 1e-6);
    let mut broken = p.clone();
    broken.covariance[(0, 0)] = f64::NAN;
    assert!(matches!(frechet_distance(&broken, &q), Err(Error::NonFinite { .. })));
    broken.covariance[(0, 0)] = -1.0;
    assert!(matches!(frechet_distance(&q, &broken), Err(Error::InvalidConfig { .. })));
    broken.covariance[(0, 0)] = 1.0;
    broken.covariance[(0, 1)] += 1.0;
    assert!(matches!(frechet_distance(&q, &broken), Err(Error::InvalidConfig { .. })));
    assert!(frechet_distance(&p, &normal(&x, d / 2)).is_err());
}

#[test]
fn unbiased_sums_have_mean_zero_under_equality() {
    let (n, d) = (60, 3);
    let mut sums = [0.0; 2];
    let mut squares = [0.0; 2];
    let repeats = 200;
    for k in 0..repeats {
        let [a, b] = Key::new(k).split();
        let (x, y) = (a.normal(n * d), b.normal(n * d));
        let values = [
            mmd(&x, &y, d, &GAMMAS, Pairs::Distinct).unwrap(),
            energy_distance(&x, &y, d, Pairs::Distinct).unwrap(),
        ];
        for (v, (sum, square)) in values.iter().zip(sums.iter_mut().zip(&mut squares)) {
            *sum += v;
            *square += v * v;
        }
        assert!(mmd(&x, &y, d, &GAMMAS, Pairs::All).unwrap() > 0.0);
        assert!(energy_distance(&x, &x, d, Pairs::All).unwrap().abs() < 1e-12);
    }
    for (sum, square) in sums.iter().zip(squares) {
        // Five standard errors of the mean of the repeats.
        assert!(sum.abs() < 5.0 * f64::sqrt(square), "{sum} {square}");
    }
    assert!(mmd(&[1.0], &[2.0], 1, &[1.0], Pairs::Distinct).is_err());
    assert!(mmd(&[1.0], &[2.0], 1, &[], Pairs::All).is_err());
    assert!(mmd(&[1.0], &[2.0], 1, &[-1.0], Pairs::All).is_err());
    assert!(energy_distance(&[f32::NAN], &[2.0], 1, Pairs::All).is_err());
    assert!(energy_distance(&[1.0, 2.0], &[2.0], 2, Pairs::All).is_err());
}

#[test]
fn sums_over_pairs_do_not_depend_on_threads() {
    let (x, y) = (Key::new(3).normal(700 * 7), Key::new(4).normal(500 * 7));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let energy = energy_distance(&x, &y, 7, Pairs::All).unwrap();
            (energy, mmd(&x, &y, 7, &GAMMAS, Pairs::Distinct).unwrap())
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn the_published_distances_of_single_cells() {
    let Some(folder) = common::data("singlecell") else { return };
    let mut npz = brenier::data::Npz::open(&folder.join("cytof_bcrxl.npz")).unwrap();
    let cells: brenier::data::Array<f32> = npz.array("asinh5").unwrap();
    let condition: brenier::data::Array<u8> = npz.array("condition").unwrap();
    let of = |c: u8| -> Vec<usize> {
        condition.values.iter().enumerate().filter(|(_, &v)| v == c).map(|(i, _)| i).collect()
    };
    let [control, treated] = [0, 1].map(|c| cells.select(&of(c)).unwrap().values);
    // The description of the set says 0.777.
    let distance = energy_distance(&control, &treated, 24, Pairs::Distinct).unwrap();
    assert!((distance - 0.777).abs() < 2e-3, "{distance}");
}
