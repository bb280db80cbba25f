//! Scores of a map on held-out pairs, and the maps that need no training.

use brenier::prelude::*;
use brenier::solver::Gaussian;
use nalgebra::DMatrix;
use serde::Serialize;

use crate::data::Data;

/// What is reported of a map.
#[derive(Clone, Debug, Serialize)]
pub struct Scores {
    pub name: String,
    pub seed: u64,
    /// mean −cos(x, T(x)).
    pub cost: f64,
    /// mean cos(T(x), the true image).
    pub to_image: f64,
    /// mean cos(T(x), the text of another pair).
    pub to_other_text: f64,
    /// Shares of texts whose true image is among the nearest 1, 5, 10 of T(x).
    pub top1: f64,
    pub top5: f64,
    pub top10: f64,
    /// mean |T(x) − T*(x)|² to the exact map of the weight and to the extremal map; NaN where they are not
    /// known.
    pub to_exact: f64,
    pub to_extremal: f64,
}

pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let sum = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    sum(a, b) / (sum(a, a) * sum(b, b)).sqrt().max(f64::MIN_POSITIVE)
}

/// The mean over rows of width `d` of their squared distances.
pub fn mean_square(a: &[f32], b: &[f32], d: usize) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    squares.sum::<f64>() / (a.len() / d) as f64
}

/// The rows of `of` in the order of their cosine to a vector, the largest first.
pub fn nearest(to: &[f32], of: &[f32]) -> Vec<usize> {
    let cosines: Vec<f64> = of.chunks(to.len()).map(|v| cosine(to, v)).collect();
    let mut order: Vec<usize> = (0..cosines.len()).collect();
    order.sort_by(|a, b| cosines[*b].total_cmp(&cosines[*a]));
    order
}

/// The scores of the images of the held-out source; NaN where there are no pairs.
pub fn scores(data: &Data, name: impl Into<String>, seed: u64, moved: &[f32]) -> Scores {
    let d = data.width;
    let n = moved.len() / d;
    let row = |v: &[f32], i: usize| v[i * d..(i + 1) * d].to_vec();
    let mean = |f: &dyn Fn(usize) -> f64| (0..n).map(f).sum::<f64>() / n as f64;
    let paired = |v: f64| if data.paired { v } else { f64::NAN };
    let ranks: Vec<usize> = if data.paired && !data.synthetic {
        let rank = |i| nearest(&row(moved, i), &data.test_target).iter().position(|j| *j == i);
        (0..n).map(|i| rank(i).unwrap_or(n)).collect()
    } else {
        Vec::new()
    };
    let top = |k| match ranks.len() {
        0 => f64::NAN,
        n => ranks.iter().filter(|r| **r < k).count() as f64 / n as f64,
    };
    let image =
        |i| if data.paired { cosine(&row(moved, i), &row(&data.test_target, i)) } else { 0.0 };
    Scores {
        name: name.into(),
        seed,
        cost: -mean(&|i| cosine(&row(&data.test_source, i), &row(moved, i))),
        to_image: paired(mean(&image)),
        to_other_text: mean(&|i| cosine(&row(moved, i), &row(&data.test_source, (i + n / 2) % n))),
        top1: top(1),
        top5: top(5),
        top10: top(10),
        to_exact: f64::NAN,
        to_extremal: match data.synthetic {
            true => mean_square(moved, &data.test_target, d),
            false => f64::NAN,
        },
    }
}

/// Identity, shift of the mean, optimal maps between Gaussians with covariances S + r s I (s the mean
/// variance), and the nearest target of training; and the true images themselves.
pub fn baselines(data: &Data) -> Result<Vec<Scores>> {
    let d = data.width;
    let x = &data.test_source;
    let (p, q) = (Gaussian::fit(&data.source, d)?, Gaussian::fit(&data.target, d)?);
    let shift: Vec<f32> = (&q.mean - &p.mean).iter().map(|v| *v as f32).collect();
    let shifted: Vec<f32> =
        x.chunks(d).flat_map(|x| x.iter().zip(&shift).map(|(x, s)| x + s)).collect();
    let mut all = vec![scores(data, "identity", 0, x), scores(data, "mean shift", 0, &shifted)];
    for ridge in [0.01, 0.1, 1.0, 10.0] {
        let ridged = |g: &Gaussian| {
            let added = ridge * g.total_variance() / d as f64;
            let covariance = &g.covariance + DMatrix::identity(d, d) * added;
            Gaussian { mean: g.mean.clone(), covariance }
        };
        let map = ridged(&p).optimal_map(&ridged(&q))?;
        all.push(scores(data, format!("linear, ridge {ridge}"), 0, &map.apply(x)));
    }
    if !data.synthetic {
        let one = |x: &[f32]| {
            let j = nearest(x, &data.target)[0];
            data.target[j * d..(j + 1) * d].to_vec()
        };
        let found: Vec<f32> = x.chunks(d).flat_map(one).collect();
        all.push(scores(data, "nearest neighbour", 0, &found));
    }
    if data.paired {
        let name = if data.synthetic { "extremal map" } else { "ground truth" };
        all.push(scores(data, name, 0, &data.test_target));
    }
    Ok(all)
}
