//! Times of development: each inner time is left out and interpolated from its neighbours.

use std::fmt::Write;

use brenier::data::{Array, Npz};
use brenier::prelude::*;
use brenier::solver::{exact_between, ExactConfig};
use brenier::train::{write_atomically, MeanDeviation};

use crate::cells::Part;
use crate::methods::{Method, Training};
use crate::Arguments;

/// Principal components that are used.
const N: usize = 5;
const METHODS: [Method; 6] = [
    Method::MeanShift,
    Method::Linear,
    Method::MgSquared,
    Method::Umg,
    Method::Icnn,
    Method::UotIcnn,
];

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
    let mut table = String::from("left_out,method,seed,emd\n");
    println!("distance (EMD, Euclidean, {N} components) of the interpolation to the time left out");
    for window in times.windows(3) {
        let [before, middle, after] = [window[0], window[1], window[2]].map(at);
        let share = (window[1] - window[0]) as f64 / (window[2] - window[0]) as f64;
        let truth = points::<N>(middle)?;
        let score = |x: Vec<f32>| -> Result<f64> {
            Ok(exact_between(&Euclidean, &points::<N>(x)?, &truth, &ExactConfig::default())?.cost)
        };
        // The plan of the squared distance, whose pairs move straight; each pair as often as its mass is
        // a multiple of a ten-thousandth.
        let (x, y) = (points::<N>(before.clone())?, points::<N>(after.clone())?);
        let plan =
            exact_between(&SqEuclidean, &x, &y, &ExactConfig::default())?.into_optimal()?.plan;
        let between = |x: &[f32], y: &[f32]| -> Vec<f32> {
            x.iter().zip(y).map(|(x, y)| x + share as f32 * (y - x)).collect()
        };
        let row = |v: &[f32], i: usize| v[i * N..(i + 1) * N].to_vec();
        let mut straight = Vec::new();
        for t in &plan {
            let copies = (t.mass * 2000.0).round() as usize;
            let point = between(&row(&before, t.source), &row(&after, t.target));
            straight.extend(point.repeat(copies));
        }
        let mut show = |name: String, values: Vec<f64>| -> anyhow::Result<()> {
            for (seed, v) in a.seeds.iter().zip(&values) {
                writeln!(table, "{},{name},{seed},{v}", window[1])?;
            }
            let over = MeanDeviation::of(values).map_or(String::new(), |m| m.to_string());
            println!("  {:>3} h   {name:<22} {over}", window[1]);
            Ok(())
        };
        show("straight line of plan".into(), vec![score(straight)?; a.seeds.len()])?;
        show("time before".into(), vec![score(before.clone())?; a.seeds.len()])?;
        show("time after".into(), vec![score(after.clone())?; a.seeds.len()])?;
        for method in METHODS {
            let mut values = Vec::new();
            for &seed in &a.seeds {
                let part = Part::<N> {
                    name: String::new(),
                    source: before.clone(),
                    target: after.clone(),
                    test_source: Vec::new(),
                    test_target: Vec::new(),
                };
                let training = Training { steps: a.steps, quick: a.quick, seed };
                let moved = method.fit(&part, training)?(&before)?;
                values.push(score(between(&before, &moved))?);
            }
            show(method.name(), values)?;
        }
    }
    write_atomically(&a.out.join("hsmm/scores.csv"), table.as_bytes())?;
    Ok(())
}
