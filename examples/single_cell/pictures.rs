//! Densities of markers, and methods against each other.

use std::path::Path;

use brenier::plot::{Curve, CurvePicture, ScatterPicture};
use brenier::prelude::*;

use crate::cells::{Cells, Part};
use crate::scores::Scores;

/// Bins of a histogram.
const BINS: usize = 40;

/// Densities of the four markers that the perturbation moves most: control, observed and predicted.
pub fn histograms<const N: usize>(
    out: &Path,
    cells: &Cells<N>,
    part: &Part<N>,
    seen: &[(String, Vec<f32>)],
) -> Result<()> {
    let column = |v: &[f32], k: usize| v.iter().skip(k).step_by(N).copied().collect::<Vec<f32>>();
    let mean = |v: &[f32]| v.iter().sum::<f32>() / v.len() as f32;
    let shift = |k: &usize| {
        (mean(&column(&part.test_target, *k)) - mean(&column(&part.test_source, *k))).abs()
    };
    let mut order: Vec<usize> = (0..N).collect();
    order.sort_by(|a, b| shift(b).total_cmp(&shift(a)));
    for k in order.into_iter().take(4) {
        let all = [column(&part.test_target, k), column(&part.test_source, k)].concat();
        let from = all.iter().copied().fold(f32::INFINITY, f32::min);
        let step = (all.iter().copied().fold(f32::NEG_INFINITY, f32::max) - from) / BINS as f32;
        let density = |name: &str, v: Vec<f32>| {
            let mut counts = [0.0; BINS];
            let share = 1.0 / (v.len() as f64 * f64::from(step));
            for value in v {
                counts[(((value - from) / step).max(0.0) as usize).min(BINS - 1)] += share;
            }
            let at = |(i, c): (usize, f64)| (f64::from(from + step * (i as f32 + 0.5)), c);
            Curve { name: name.into(), points: counts.into_iter().enumerate().map(at).collect() }
        };
        let mut curves = vec![
            density("control", column(&part.test_source, k)),
            density("observed", column(&part.test_target, k)),
        ];
        let shown = ["mean-shift", "mlp", "mg-squared", "icnn", "ot-fm"];
        let shown = seen.iter().filter(|(name, _)| shown.contains(&name.as_str()));
        curves.extend(shown.map(|(name, v)| density(name, column(v, k))));
        let marker = &cells.markers[k];
        CurvePicture {
            title: format!("{marker} of held-out cells"),
            x_label: marker.clone(),
            y_label: "density".into(),
            curves,
            ..Default::default()
        }
        .write_svg(out.join(format!("histogram-{}.svg", marker.replace('/', "-"))))?;
    }
    Ok(())
}

/// The divergence of the Monge gap against that of other methods, a dot a split and seed: below the
/// diagonal the Monge gap is better.
pub fn scatter(out: &Path, set: &str, all: &[Scores]) -> Result<()> {
    let of = |name: &'static str| all.iter().filter(move |s| s.method == name);
    let against = |name: &'static str| {
        let pairs = of("mg-squared").flat_map(|s| {
            let same = of(name).filter(|o| o.seed == s.seed && o.split == s.split);
            same.map(|o| (o.divergence, s.divergence))
        });
        Curve { name: name.into(), points: pairs.collect() }
    };
    let groups = ["mean-shift", "linear", "mlp", "icnn", "ot-fm"].map(against);
    let groups: Vec<Curve> = groups.into_iter().filter(|g| !g.points.is_empty()).collect();
    if groups.is_empty() {
        return Ok(());
    }
    ScatterPicture {
        title: format!("{set}, divergence on held-out cells"),
        x_label: "method".into(),
        y_label: "Monge gap".into(),
        groups,
        caption: "Below the line, the Monge gap is better.".into(),
        ..Default::default()
    }
    .write_svg(out.join("scatter.svg"))
}
