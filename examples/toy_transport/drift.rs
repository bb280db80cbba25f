//! Whether training stays where it arrived: the weak quadratic cost and that of the distance kernel at γ = 1.

use std::fmt::Write;

use brenier::neural::WeakNotMetrics;
use brenier::plot::{Curve, CurvePicture, Scale};
use brenier::prelude::*;
use brenier::solver::Gaussian;
use brenier::train::Reached;

use crate::Arguments;

type Potential = Mlp<2, 64, 1, 1>;
type Map = Displacement<Joined<2, 4, Mlp<4, 64, 1, 2>>>;

const SCORED: usize = 1 << 13;

/// What a run shows along its way, at every twentieth part of it.
struct Seen {
    /// Squared Wasserstein-2 distance between Gaussians with the moments of images and target.
    error: Course,
    /// Mean square of what the conditional mean E T(x, ·) moved since the score before.
    moved: Course,
    curve: Vec<(f64, f64)>,
    means: Vec<(f64, f64)>,
}

pub fn show(arguments: &Arguments) -> anyhow::Result<()> {
    let steps = arguments.steps(10_000);
    println!("N(0, ¼I) to N(0, I), γ = 1, {steps} steps");
    let turns = Turns::with_rates(5, 5e-4, 5e-4);
    let noise = Noise { samples: 4, deviation: 1.0 };
    let gamma = Ramp::constant(1.0);
    let weak = WeakNotConfig { gamma, noise, turns: turns.clone() };
    let kernel =
        KernelNotConfig { gamma, noise, turns, ..KernelNotConfig::<DistanceKernel>::default() };
    let arms = [
        ("bilinear", watch(arguments, steps, noise, |s, b: &_, k| weak_not_step(&weak, s, b, k))?),
        (
            "distance",
            watch(arguments, steps, noise, |s, b: &_, k| kernel_not_step(&kernel, s, b, k))?,
        ),
    ];
    let mut table = String::from("kernel,step,moment_distance,mean_moved\n");
    let mut curves = [Vec::new(), Vec::new()];
    for (name, seen) in arms {
        let of = |r: Option<Reached>| r.map_or(f64::NAN, |r| r.value);
        for (what, c) in [("W2² of moments", &seen.error), ("mean moved", &seen.moved)] {
            let (best, last, max) = (of(c.best), of(c.last), of(c.max));
            println!("  {name:<9} {what:<15} best {best:.5}   last {last:.5}   max {max:.5}");
        }
        for ((step, error), (_, moved)) in seen.curve.iter().zip(&seen.means) {
            writeln!(table, "{name},{step},{error},{moved}")?;
        }
        curves[0].push(Curve { name: name.into(), points: seen.curve });
        curves[1].push(Curve { name: name.into(), points: seen.means });
    }
    let [errors, means] = curves;
    let picture = |curves, label: &str, file: &str| {
        CurvePicture {
            title: "Training with γ = 1 after it arrived".into(),
            x_label: "step".into(),
            y_label: label.into(),
            scale: Scale::Log,
            curves,
            ..Default::default()
        }
        .write_svg(arguments.out.join(file))
    };
    picture(errors, "W2² between moments", "drift-error.svg")?;
    picture(means, "E|change of E T(x, ·)|²", "drift-moved.svg")?;
    brenier::train::write_atomically(&arguments.out.join("drift.csv"), table.as_bytes())?;
    Ok(())
}

/// A run of a step; the first fifth, in which the map arrives, is not scored.
fn watch<St>(arguments: &Arguments, steps: u64, noise: Noise, step: St) -> anyhow::Result<Seen>
where
    St: Step<NotState<Potential, Map>, Batch<2>, Metrics = WeakNotMetrics>,
{
    let [init, data, training, score] = Key::new(arguments.seed).split();
    let source = GaussianMixture::<2>::isotropic(vec![0.0; 2], 0.5)?;
    let target = GaussianMixture::<2>::standard();
    let [f, t] = init.split();
    let config = WeakNotConfig { turns: Turns::with_rates(5, 5e-4, 5e-4), ..Default::default() };
    let state = weak_not_init(&config, build::<Potential, f32, Cpu>(f), build::<Map, f32, Cpu>(t))?;
    let batches = Sampled::new(source.clone(), target.clone(), 128)?
        .with_source_parts(6)?
        .batches(data)
        .take(steps as usize);

    let moments = Gaussian::fit(&rows(&target.sample(score, 1 << 16)?), 2)?;
    let x = source.sample(score.fold_in(1), SCORED)?;
    let z = noise.draw::<2, f32, Cpu>(&Cpu::default(), score.fold_in(2), SCORED);
    // 256 points with 64 images each, for conditional means.
    let few: Vec<f32> = rows(&x)[..512].chunks(2).flat_map(|p| p.repeat(64)).collect();
    let few: Points<2> = points(few)?;
    let many = noise.draw::<2, f32, Cpu>(&Cpu::default(), score.fold_in(3), 256 * 64);
    let mut seen =
        Seen { error: Course::default(), moved: Course::default(), curve: vec![], means: vec![] };
    let mut before: Option<Vec<f64>> = None;
    let mut look =
        every((steps / 20).max(1), |s: &NotState<Potential, Map>, _: &WeakNotMetrics| {
            if s.step < steps / 5 {
                return Ok(());
            }
            let map = s.map.params();
            let images = rows(&map.forward((x.clone(), z.clone())));
            let error = Gaussian::fit(&images, 2)?.squared_distance(&moments)?;
            let images = rows(&map.forward((few.clone(), many.clone())));
            let mean = |p: &[f32], k: usize| {
                p.iter().skip(k).step_by(2).map(|v| f64::from(*v)).sum::<f64>() / 64.0
            };
            let means: Vec<f64> =
                images.chunks(128).flat_map(|p| [mean(p, 0), mean(p, 1)]).collect();
            seen.error.add(s.step, error);
            seen.curve.push((s.step as f64, error));
            let moved = before.as_ref().map(|before| {
                means.iter().zip(before).map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / 256.0
            });
            if let Some(moved) = moved {
                seen.moved.add(s.step, moved);
            }
            seen.means.push((s.step as f64, moved.unwrap_or(f64::NAN)));
            before = Some(means);
            Ok(())
        })?;
    run(&step, state, batches, training, &mut look)?;
    drop(look);
    Ok(seen)
}
