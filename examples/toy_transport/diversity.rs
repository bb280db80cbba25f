//! The diversity of the images of a point, which grows with γ.

use std::fmt::Write;

use brenier::plot::{MapPicture, Plane};
use brenier::prelude::*;
use brenier::score::diversity;

use crate::Arguments;

type Potential = Mlp<2, 128, 2, 1>;
type Map = Displacement<Joined<2, 4, Mlp<4, 128, 2, 2>>>;

const GAMMAS: [f64; 4] = [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0];

pub fn show(arguments: &Arguments) -> anyhow::Result<()> {
    let steps = arguments.steps(4000);
    let [init, data, training, score] = Key::new(arguments.seed).split();
    println!("N(0, I) to eight Gaussians, weak quadratic cost, {steps} steps a γ");
    let mut table = String::from("gamma,conditional_variance,square_distance\n");
    for gamma in GAMMAS {
        let falling = |updates| AdamConfig {
            schedule: Schedule::Cosine { warm_up: 0, total: updates, floor: 0.01 },
            ..AdamConfig::with_rate(5e-4)
        };
        let turns = Turns {
            map_steps: 5,
            source: SourceUse::Fresh,
            map: falling(5 * steps),
            potential: falling(steps),
        };
        let config = WeakNotConfig {
            gamma: Ramp { from: 0.0, to: gamma, steps: steps / 4 },
            noise: Noise { samples: 4, deviation: 1.0 },
            turns,
        };
        let source = GaussianMixture::<2>::standard();
        let target = GaussianMixture::<2>::eight_gaussians();
        let batches = Sampled::new(source.clone(), target.clone(), 128)?
            .with_source_parts(config.turns.source_parts())?
            .batches(data)
            .take(steps as usize);
        let [f, t] = init.split();
        let (f, t): (Potential, Map) = (build(f), build(t));
        let step = with_ema(0.995, |s, b: &Batch<2>, k| weak_not_step(&config, s, b, k))?;
        let state = Averaged::new(weak_not_init(&config, f, t)?);
        let map = run(&step, state, batches, training, &mut Progress::new(steps))?.average;

        let seen = diversity(&map, &config.noise, &source, score, 4096)?;
        println!(
            "  γ = {gamma:.2}   conditional variance {:.4}   E|x − T|² {:.4}",
            seen.variance, seen.square_distance
        );
        writeln!(table, "{gamma},{},{}", seen.variance, seen.square_distance)?;
        // Eight images of each of a hundred points.
        let x: Vec<f32> =
            rows(&source.sample(score, 100)?).chunks(2).flat_map(|p| p.repeat(8)).collect();
        let x: Points<2> = points(x)?;
        let z = config.noise.draw::<2, f32, Cpu>(&Cpu::default(), score.fold_in(1), 800);
        let plane = Plane::<2>::coordinates();
        MapPicture {
            title: format!("Weak transport, γ = {gamma:.2}: eight images of each point"),
            source: &plane.project(&x),
            target: &plane.project(&target.sample(score, 800)?),
            learned: &plane.project(&map.forward((x, z))),
            ..Default::default()
        }
        .write_svg(arguments.out.join(format!("diversity-gamma{gamma:.2}.svg")))?;
    }
    brenier::train::write_atomically(&arguments.out.join("diversity.csv"), table.as_bytes())?;
    Ok(())
}
