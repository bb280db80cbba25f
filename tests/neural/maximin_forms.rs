//! MM, MM:R and MMv2 of the Wasserstein-2 benchmark: `not_step` on the gradients of potentials.

use brenier::prelude::*;

/// What is done to both networks after an update.
type Projections<F> = (fn(&mut Negated<F>), fn(&mut GradientMap<F>));

fn quick(steps: u64) -> AdamConfig {
    let schedule = Schedule::Cosine { warm_up: 0, total: steps, floor: 0.01 };
    AdamConfig { betas: (0.5, 0.9), schedule, ..AdamConfig::with_rate(2e-3) }
}

/// Trains on a random pair, as it is or reversed, and returns the L2-UVP of the map from source to target;
/// the best affine map has 13.2.
fn trained<F>([f, g]: [F; 2], projections: Option<Projections<F>>, backward: bool) -> f64
where
    F: InputGradient<2> + Clone,
    Negated<F>: Potential<2> + Clone,
    GradientMap<F>: TransportMap<2> + Clone,
{
    let pair = KnownPair::<2>::random(Key::new(0)).unwrap();
    let [data, training, score] = Key::new(1).split();
    let steps = 500;
    let config = NotConfig::<NegDot> {
        map_steps: 5,
        source: SourceUse::Whole,
        map: quick(5 * steps),
        potential: quick(steps),
        ..NotConfig::default()
    };
    let mut state = not_init(&config, Negated(f), GradientMap(g)).unwrap();
    if let Some((of_potential, of_map)) = projections {
        state.potential = state.potential.projected(of_potential);
        state.map = state.map.projected(of_map);
    }
    let batches = Sampled::new(pair.source().clone(), pair.target(), 256).unwrap();
    let batches = batches.batches(data).take(steps as usize);
    let step = |s, b: &Batch<2>, k| not_step(&config, s, b, k);
    let watch = &mut |_: &_, _: &_| Ok(());
    let map = if backward {
        let state = run(&reversed(step), state, batches, training, watch).unwrap();
        GradientMap(state.potential.params().0.clone())
    } else {
        run(&step, state, batches, training, watch).unwrap().map.params().clone()
    };
    map_error(&pair, &map, score, 4096).unwrap().l2_uvp
}

fn perceptrons() -> [PlusHalfSquare<Mlp<2, 64, 1, 1, Celu>>; 2] {
    Key::new(2).split().map(build)
}

#[test]
fn mm_learns_a_known_map() {
    let uvp = trained(perceptrons(), None, false);
    println!("MM {uvp}");
    assert!(uvp < 5.0, "MM {uvp}");
}

#[test]
fn mm_reversed_learns_a_known_map() {
    let uvp = trained(perceptrons(), None, true);
    println!("MM:R {uvp}");
    assert!(uvp < 5.0, "MM:R {uvp}");
}

/// The networks of the benchmark, kept convex.
#[test]
fn mmv2_learns_a_known_map() {
    type Icnn = DenseIcnn<2, 64, 1, 32>;
    let icnns: [Icnn; 2] =
        Key::new(2).split().map(|k| pretrain_identity(build(k), k, 500).unwrap());
    let uvp = trained(icnns, Some((|f| f.0.make_convex(), |t| t.0.make_convex())), false);
    println!("MMv2 {uvp}");
    assert!(uvp < 5.0, "MMv2 {uvp}");
}
