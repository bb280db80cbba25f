//! Times of development: each inner time is left out and interpolated from its neighbours.

use std::fmt::Write;

use brenier::data::{Array, Npz};
use brenier::prelude::*;
use brenier::solver::{exact_between, exact_transport, ExactConfig};
use brenier::train::{write_atomically, MeanDeviation};

use crate::cells::Part;
use crate::methods::Method;
use crate::training::Training;
use crate::Arguments;

/// Principal components that are used.
const N: usize = 5;
/// Input of a velocity.
const I: usize = N + 8;
const METHODS: [Method; 9] = [
    Method::MeanShift,
    Method::Linear,
    Method::Mlp,
    Method::MgSquared,
    Method::Umg,
    Method::Icnn,
    Method::UotIcnn,
    Method::OtFm,
    Method::UotFm,
];

/// Cells at three times; that in the middle is left out.
struct Window {
    before: Vec<f32>,
    middle: Vec<f32>,
    after: Vec<f32>,
    hours: i64,
    /// When the middle is, between 0 and 1.
    share: f64,
}

impl Window {
    /// The transport distance of weighted cells to those left out.
    fn score(&self, x: &[f32], weights: &[f64]) -> Result<f64> {
        let total: f64 = weights.iter().sum();
        let source: Vec<f64> = weights.iter().map(|w| w / total).collect();
        let m = self.middle.len() / N;
        let costs = Euclidean.pairwise(&points::<N>(x.to_vec())?, &points(self.middle.clone())?);
        let target = vec![1.0 / m as f64; m];
        Ok(exact_transport(&rows(&costs), &source, &target, &ExactConfig::default())?.cost)
    }

    /// The plan of the squared distance, whose pairs move straight, with their masses.
    fn straight(&self) -> Result<f64> {
        let (x, y) = (points::<N>(self.before.clone())?, points::<N>(self.after.clone())?);
        let found = exact_between(&SqEuclidean, &x, &y, &ExactConfig::default())?;
        let (mut at, mut masses) = (Vec::new(), Vec::new());
        for t in found.into_optimal()?.plan {
            let x = &self.before[t.source * N..(t.source + 1) * N];
            let y = &self.after[t.target * N..(t.target + 1) * N];
            at.extend(x.iter().zip(y).map(|(x, y)| x + self.share as f32 * (y - x)));
            masses.push(t.mass);
        }
        self.score(&at, &masses)
    }

    /// A method's cells at the time left out: with equal weights and, where rescaling functions were
    /// learned, with weights that grow at a constant rate.
    fn learned(&self, method: Method, training: &Training) -> Result<(f64, Option<f64>)> {
        let part = Part::<N> {
            name: String::new(),
            source: self.before.clone(),
            target: self.after.clone(),
            test_source: Vec::new(),
            test_target: Vec::new(),
        };
        let learned = method.fit::<N, I>(&part, training)?;
        let at = (learned.way)(&self.before, self.share)?;
        let even = self.score(&at, &vec![1.0; at.len() / N])?;
        let Some(growth) = &learned.growth else { return Ok((even, None)) };
        let logs = growth(&self.before, &learned.moved(&self.before)?)?;
        let weights: Vec<f64> = logs.iter().map(|g| (self.share * g).exp()).collect();
        Ok((even, Some(self.score(&at, &weights)?)))
    }
}

pub fn protocol(a: &Arguments) -> anyhow::Result<()> {
    let mut archive = Npz::open(&a.data.join("hsmm_timecourse.npz"))?;
    let components: Array<f32> = archive.array("pca30")?;
    let hours: Array<i64> = archive.array("hours")?;
    let mut times = hours.values.clone();
    times.sort_unstable();
    times.dedup();
    let at = |time: i64| -> Vec<f32> {
        let rows = hours.values.iter().zip(components.values.chunks(components.rows().1));
        rows.filter(|(h, _)| **h == time).flat_map(|(_, row)| &row[..N]).copied().collect()
    };
    let methods = if a.methods.is_empty() { &METHODS[..] } else { &a.methods };
    let mut table = String::from("left_out,method,seed,emd\n");
    println!("distance (EMD, Euclidean, {N} components) of the interpolation to the time left out");
    for window in times.windows(3) {
        let [before, middle, after] = [window[0], window[1], window[2]].map(at);
        let share = (window[1] - window[0]) as f64 / (window[2] - window[0]) as f64;
        let w = Window { before, middle, after, hours: window[1], share };
        let mut show = |name: String, values: Vec<f64>| -> anyhow::Result<()> {
            for (seed, v) in a.seeds.iter().zip(&values) {
                writeln!(table, "{},{name},{seed},{v}", w.hours)?;
            }
            let over = MeanDeviation::of(values).map_or(String::new(), |m| m.to_string());
            println!("  {:>3} h   {name:<24} {over}", w.hours);
            Ok(())
        };
        let even = |x: &[f32]| w.score(x, &vec![1.0; x.len() / N]);
        for (name, value) in [
            ("straight line of plan", w.straight()?),
            ("time before", even(&w.before)?),
            ("time after", even(&w.after)?),
        ] {
            show(name.into(), vec![value; a.seeds.len()])?;
        }
        for &method in methods {
            let (mut plain, mut grown) = (Vec::new(), Vec::new());
            for &seed in &a.seeds {
                let training = Training { seed, ..a.training.clone() };
                let (even, weighted) = w.learned(method, &training)?;
                plain.push(even);
                grown.extend(weighted);
            }
            show(method.name(), plain)?;
            if !grown.is_empty() {
                show(format!("{}, growth", method.name()), grown)?;
            }
        }
    }
    write_atomically(&a.out.join("hsmm/scores.csv"), table.as_bytes())?;
    Ok(())
}
