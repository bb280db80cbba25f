//! Incomplete transport of a swiss roll into a ball, whose extremal limit is the projection onto the ball.

use std::fmt::Write;

use brenier::plot::{MapPicture, Plane};
use brenier::prelude::*;
use brenier::score::used_share;

use crate::Arguments;

type Potential = NegativeAbs<Mlp<2, 128, 2, 1>>;
type Map = Displacement<Mlp<2, 128, 2, 2>>;

/// The weights, in the order of training: each goes on from the networks of the one before.
const WEIGHTS: [f64; 5] = [1.0, 2.0, 4.0, 8.0, 32.0];
const RADIUS: f32 = 0.5;
const SCORED: usize = 1 << 14;
/// f above its negative counts as 0: a tenth of the mean cost.
const UNUSED: f64 = 1e-3;

/// Points of the plane by a function of a key and their number.
struct Drawn(fn(Key, usize) -> Result<Points<2>>);

impl Sampler<2> for Drawn {
    fn sample(&self, key: Key, n: usize) -> Result<Points<2>> {
        (self.0)(key, n)
    }
}

/// A spiral t (cos t, sin t) / 18 with t in [1.5 π, 4.5 π] and noise of deviation 0.3 / 18, as in the notebooks of
/// arXiv:2301.12874.
fn swiss_roll(key: Key, n: usize) -> Result<Points<2>> {
    let [angle, noise] = key.split();
    let z = noise.normal(2 * n);
    let at = |(u, z): (f32, &[f32])| {
        let t = 1.5 * std::f32::consts::PI * (1.0 + 2.0 * u);
        [(t * t.cos() + 0.3 * z[0]) / 18.0, (t * t.sin() + 0.3 * z[1]) / 18.0]
    };
    points(angle.uniform(n).into_iter().zip(z.chunks(2)).flat_map(at).collect())
}

/// Uniform on the ball.
fn ball(key: Key, n: usize) -> Result<Points<2>> {
    let at = |u: &[f32]| {
        let (angle, radius) = (std::f32::consts::TAU * u[0], RADIUS * u[1].sqrt());
        [radius * angle.cos(), radius * angle.sin()]
    };
    points(key.uniform(2 * n).chunks(2).flat_map(at).collect())
}

/// The extremal map: the nearest point of the ball.
fn projection(x: &[f32]) -> Vec<f32> {
    let onto = |x: &[f32]| {
        let factor = (RADIUS / x[0].hypot(x[1])).min(1.0);
        [factor * x[0], factor * x[1]]
    };
    x.chunks(2).flat_map(onto).collect()
}

/// mean |a − b|² over points.
fn mean_square(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    squares.sum::<f64>() / (a.len() / 2) as f64
}

pub fn show(arguments: &Arguments) -> anyhow::Result<()> {
    let steps = arguments.steps(12_000);
    let [init, data, training, score] = Key::new(arguments.seed).split();
    let [f, t] = init.split();
    let (mut f, mut t): (Potential, Map) = (build(f), build(t));
    let x = swiss_roll(score, SCORED)?;
    let y = ball(score.fold_in(1), SCORED)?;
    let truth = projection(&rows(&x));
    println!("swiss roll to ball, {steps} steps a weight; the projection costs {:.5}", {
        0.5 * mean_square(&truth, &rows(&x))
    });
    let mut table = String::from("weight,cost,distance_to_projection,used_share\n");
    for (i, weight) in WEIGHTS.into_iter().enumerate() {
        let falling = |rate, updates| AdamConfig {
            schedule: Schedule::Cosine { warm_up: 0, total: updates, floor: 0.002 },
            ..AdamConfig::with_rate(rate)
        };
        let turns = Turns {
            map_steps: 10,
            source: SourceUse::Fresh,
            map: falling(5e-4, 10 * steps),
            potential: falling(1e-3, steps),
        };
        let config = ItConfig::<HalfSqEuclidean> {
            weight: Ramp {
                from: if i == 0 { 1.0 } else { WEIGHTS[i - 1] },
                to: weight,
                steps: 1000,
            },
            turns,
            ..Default::default()
        };
        let batches = Sampled::new(Drawn(swiss_roll), Drawn(ball), 256)?
            .with_source_parts(config.turns.source_parts())?
            .batches(data.fold_in(i as u64))
            .take(steps as usize);
        let step = with_ema(0.999, |s, b: &Batch<2>, k| it_step(&config, s, b, k))?;
        let state = Averaged::new(it_init(&config, f, t)?);
        let state = run(&step, state, batches, training, &mut Progress::new(steps))?;
        (f, t) = (state.state.potential.params().clone(), state.average);

        let moved = rows(&t.forward(x.clone()));
        let cost = 0.5 * mean_square(&moved, &rows(&x));
        let off = mean_square(&moved, &truth) / 2.0;
        let used = used_share(&f, &y, UNUSED)?;
        println!("  w = {weight:<4} cost {cost:.5}   per-coordinate L2² to the projection {off:.3e}   target used {:.1} %", 100.0 * used);
        writeln!(table, "{weight},{cost},{off},{used}")?;
        let plane = Plane::<2>::coordinates();
        let some = |values: &[f32]| points(values[..1000].to_vec()).map(|p| plane.project(&p));
        MapPicture {
            title: format!("Incomplete transport, w = {weight}"),
            source: &some(&rows(&x))?,
            target: &some(&rows(&y))?,
            learned: &some(&moved)?,
            truth: Some(&some(&truth)?),
            caption: "The true map is the extremal one, the limit of large w.".into(),
            ..Default::default()
        }
        .write_svg(arguments.out.join(format!("extremal-w{weight}.svg")))?;
    }
    brenier::train::write_atomically(&arguments.out.join("extremal.csv"), table.as_bytes())?;
    Ok(())
}
