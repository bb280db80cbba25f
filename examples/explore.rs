use brenier::data::w2_benchmark_pair;
use brenier::function::GradientMap;
use brenier::prelude::*;
use dfdx::prelude::*;
use std::time::Instant;
fn arg<T: std::str::FromStr>(n: &str, d: T) -> T {
    std::env::args()
        .skip_while(|a| a != &format!("--{n}"))
        .nth(1)
        .and_then(|v| v.parse().ok())
        .unwrap_or(d)
}
fn go<
    const N: usize,
    C: Cost<N> + Default + Copy + 'static,
    F: Potential<N> + Clone,
    T: TransportMap<N> + Clone,
>(
    f: F,
    t: T,
) -> Result<()> {
    let pair = w2_benchmark_pair::<N>(std::path::Path::new("../shared/data/w2bench"))?;
    let total: u64 = arg("steps", 2000);
    let secs: f64 = arg("secs", 60.0);
    let rate: f64 = arg("rate", 1e-3);
    let frate: f64 = arg("frate", rate);
    let b1: f64 = arg("b1", 0.9);
    let b2: f64 = arg("b2", 0.999);
    let adam = |r| AdamConfig {
        betas: (b1, b2),
        schedule: Schedule::Cosine { warm_up: 0, total: total, floor: 0.01 },
        ..AdamConfig::with_rate(r)
    };
    let fa = AdamConfig {
        schedule: Schedule::Cosine { warm_up: 0, total: total, floor: 0.01 },
        ..adam(frate)
    };
    let ta = AdamConfig {
        schedule: Schedule::Cosine { warm_up: 0, total: total * arg("k", 10u64), floor: 0.01 },
        ..adam(rate)
    };
    let config = NotConfig::<C> {
        map_steps: arg("k", 10),
        source: SourceUse::Fresh,
        map: ta,
        potential: fa,
        ..Default::default()
    };
    let n: usize = arg("batch", 1024);
    let state = not_init(&config, f, t)?;
    let state = Averaged::new(state);
    let step = with_ema(arg("ema", 0.999), |s, b: &Batch<N>, k| not_step(&config, s, b, k))?;
    let sampled = Sampled::new(pair.source().clone(), pair.target(), n)?
        .with_source_parts(config.source_parts())?;
    let t0 = Instant::now();
    let b = baselines(&pair, Key::new(9), 1 << 14)?;
    eprintln!("{:.2} {:.2}", b.identity.l2_uvp, b.linear.l2_uvp);
    let every_n = arg("every", 500u64);
    let mut obs = |s: &Averaged<NotState<F, T>, T>, m: &NotMetrics| {
        if s.state.step % every_n == 0 {
            let e = map_error(&pair, s.state.map.params(), Key::new(7), 1 << 14)?;
            let a = map_error(&pair, &s.average, Key::new(7), 1 << 14)?;
            println!(
                "{} {:.0}s uvp {:.3} ema {:.3} cos {:.4} cost {:.3} floss {:.4} gn {:.2e}",
                s.state.step,
                t0.elapsed().as_secs_f64(),
                e.l2_uvp,
                a.l2_uvp,
                a.cosine,
                m.transport_cost,
                m.potential_loss,
                m.map_gradient_norm
            );
        }
        if t0.elapsed().as_secs_f64() > secs {
            return Err(brenier::Error::InvalidConfig {
                field: "time",
                value: "".into(),
                rule: "over",
            });
        }
        Ok(())
    };
    let batches = sampled.batches(Key::new(3)).take(total as usize);
    let r = run(&step, state, batches, Key::new(1), &mut obs);
    if let Err(e) = r {
        println!("{e}");
    }
    Ok(())
}
macro_rules! dim {
    ($n:literal, $h:literal, $l:literal) => {{
        let (a, b) = (Key::new(11 + arg("seed", 0u64)), Key::new(12));
        match arg("net", String::from("mlp")).as_str() {
            "mlp" => go::<$n, HalfSqEuclidean, _, _>(
                build::<Mlp<$n, 128, 2, 1, Softplus>, _, _>(a),
                build::<Displacement<Mlp<$n, 128, 2, $n, Softplus>>, _, _>(b),
            ),
            "relu256" => go::<$n, HalfSqEuclidean, _, _>(
                build::<Mlp<$n, 256, 2, 1, Relu>, _, _>(a),
                build::<Displacement<Mlp<$n, 256, 2, $n, Relu>>, _, _>(b),
            ),
            "reluicnn" => go::<$n, HalfSqEuclidean, _, _>(
                build::<DenseIcnn<$n, $h, 1, $l>, _, _>(a),
                build::<Displacement<Mlp<$n, 256, 2, $n, Relu>>, _, _>(b),
            ),
            "relu" => go::<$n, HalfSqEuclidean, _, _>(
                build::<Mlp<$n, 128, 2, 1, Relu>, _, _>(a),
                build::<Displacement<Mlp<$n, 128, 2, $n, Relu>>, _, _>(b),
            ),
            "wide" => go::<$n, HalfSqEuclidean, _, _>(
                build::<Mlp<$n, 256, 2, 1, Silu>, _, _>(a),
                build::<Displacement<Mlp<$n, 256, 2, $n, Silu>>, _, _>(b),
            ),
            "silu" => go::<$n, HalfSqEuclidean, _, _>(
                build::<Mlp<$n, 128, 2, 1, Silu>, _, _>(a),
                build::<Displacement<Mlp<$n, 128, 2, $n, Silu>>, _, _>(b),
            ),
            "icnnf" => go::<$n, HalfSqEuclidean, _, _>(
                build::<DenseIcnn<$n, $h, 1, $l>, _, _>(a),
                build::<Displacement<Mlp<$n, 128, 2, $n, Silu>>, _, _>(b),
            ),
            "mm" => go::<$n, HalfSqEuclidean, _, _>(
                build::<DenseIcnn<$n, $h, 1, $l>, _, _>(a),
                build::<GradientMap<DenseIcnn<$n, $h, 1, $l>>, _, _>(b),
            ),
            "mmd" => go::<$n, HalfSqEuclidean, _, _>(
                build::<DenseIcnn<$n, $h, 1, $l>, _, _>(a),
                build::<Displacement<GradientMap<DenseIcnn<$n, $h, 1, $l>>>, _, _>(b),
            ),
            _ => panic!(),
        }
    }};
}
fn main() -> Result<()> {
    match arg("dim", 2) {
        2 => dim!(2, 64, 32),
        8 => dim!(8, 64, 32),
        32 => dim!(32, 64, 32),
        _ => panic!(),
    }
}
