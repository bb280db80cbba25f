//! Conjugates against closed forms, a search over a grid, and each other.

use crate::common::{distance, module, normals};
use brenier::function::InputGradient;
use brenier::prelude::*;
use brenier::solver::{conjugates, ConjugateConfig, ConjugateMethod, ConjugateStatus};

const ADAM: ConjugateMethod = ConjugateMethod::Adam { rate: 0.1 };

fn to(tolerance: f64, limit: usize, method: ConjugateMethod) -> ConjugateConfig {
    ConjugateConfig { tolerance, limit, method }
}

/// f(x) = ½ xᵀ A x + ⟨b, x⟩ with a symmetric A of eigenvalues 1 and up.
struct Quadratic {
    a: Vec<f64>,
    b: Vec<f64>,
}

impl Quadratic {
    fn new(seed: u64, d: usize) -> Self {
        let factor: Vec<f64> = normals(seed, d * d);
        let mut a = vec![0.0; d * d];
        for i in 0..d {
            for j in 0..d {
                let dot: f64 = (0..d).map(|k| factor[i * d + k] * factor[j * d + k]).sum();
                a[i * d + j] = dot / d as f64 + f64::from(u8::from(i == j));
            }
        }
        Self { a, b: normals(seed + 1, d) }
    }

    fn times(&self, x: &[f64]) -> Vec<f64> {
        let rows = self.a.chunks(x.len());
        rows.map(|row| row.iter().zip(x).map(|(a, x)| a * x).sum()).collect()
    }

    fn slopes(&self, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let d = self.b.len();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let one = |x: &[f64]| {
            let ax = self.times(x);
            let value = 0.5 * dot(&ax, x) + dot(&self.b, x);
            (value, ax.iter().zip(&self.b).map(|(a, b)| a + b).collect::<Vec<_>>())
        };
        let all: Vec<_> = x.chunks(d).map(one).collect();
        (all.iter().map(|p| p.0).collect(), all.into_iter().flat_map(|p| p.1).collect())
    }
}

/// For a quadratic the maximiser solves A x = y − b, and f*(y) = ½ ⟨x, y − b⟩. With y = A z + b the
/// maximiser is z.
#[test]
fn conjugates_of_quadratics_are_the_closed_form() {
    for d in [1, 2, 7, 20] {
        let f = Quadratic::new(1, d);
        let n = 33;
        let z: Vec<f64> = normals(2, n * d);
        let y: Vec<f64> = z
            .chunks(d)
            .flat_map(|z| f.times(z).into_iter().zip(&f.b).map(|(a, b)| a + b).collect::<Vec<_>>())
            .collect();
        let start = vec![0.0; n * d];
        let config = to(1e-9, 200, ConjugateMethod::default());
        let found = conjugates(|x| f.slopes(x), &y, &start, d, &config).unwrap();
        assert!(found.status.iter().all(|s| *s == ConjugateStatus::Converged), "{d}");
        // Eigenvalues of A are at least 1: the error is at most the residual.
        assert!(distance(&found.points, &z) < 1e-9, "{d}");
        for (i, (z, y)) in z.chunks(d).zip(y.chunks(d)).enumerate() {
            let exact: f64 = z.iter().zip(y).zip(&f.b).map(|((z, y), b)| 0.5 * z * (y - b)).sum();
            // The value is off by the square of the error, and by rounding.
            assert!((found.values[i] - exact).abs() < 1e-12 * (1.0 + exact.abs()), "{d} {i}");
        }
        // Conjugate directions: about d iterations in exact arithmetic and with exact line searches.
        let most = found.iterations.iter().max().unwrap();
        println!("{d}: {most} iterations, {} evaluations", found.evaluations);
        assert!(*most < 4 * d + 12 && found.evaluations < n * (5 * d + 14), "{d}: {most}");
    }
}

#[test]
fn adam_comes_to_the_same_points() {
    let f = Quadratic::new(3, 4);
    let (y, start): (Vec<f64>, Vec<f64>) = (normals(4, 40), vec![0.0; 40]);
    let newton = conjugates(|x| f.slopes(x), &y, &start, 4, &to(1e-9, 200, Default::default()));
    let adam = conjugates(|x| f.slopes(x), &y, &start, 4, &to(1e-3, 1000, ADAM)).unwrap();
    assert!(adam.unconverged() == 0.0, "{:?}", adam.residuals);
    assert!(distance(&adam.points, &newton.unwrap().points) < 1e-3);
    // Points leave at different times.
    assert!(adam.iterations.iter().min() < adam.iterations.iter().max());
    assert_eq!(adam.evaluations, 10 + adam.iterations.iter().sum::<usize>());
}

/// A strongly convex network of the plane, against the best of a fine grid.
#[test]
fn conjugates_of_a_network_are_those_of_a_search() {
    let mut v: DenseIcnn<2, 16, 1, 8, Softplus, f64> = module(5, 0.4);
    v.strong_convexity = 0.5;
    v.make_convex();
    let y: Vec<f64> = normals(6, 8);
    let config = to(1e-7, 200, ConjugateMethod::default());
    let found = conjugates(v.slopes(), &y, &y, 2, &config).unwrap().into_converged().unwrap();
    let (side, width) = (401, 8.0);
    let cell = width / (side - 1) as f64;
    let grid: Vec<f64> = (0..side * side)
        .flat_map(|p| [(p % side) as f64, (p / side) as f64].map(|i| i * cell - 0.5 * width))
        .collect();
    let (values, _) = v.slopes()(&grid);
    for (i, y) in y.chunks(2).enumerate() {
        let best = grid
            .chunks(2)
            .zip(&values)
            .map(|(x, v)| x[0] * y[0] + x[1] * y[1] - v)
            .fold(f64::NEG_INFINITY, f64::max);
        // The maximum lies within half a cell of a point of the grid, where the objective is lower by
        // its curvature, below 40 here, times half the square of that distance.
        let gap = found.values[i] - best;
        assert!((0.0..40.0 * 0.5 * 0.5 * cell * cell).contains(&gap), "{i}: {gap:e}");
    }
}

/// The gradients of a network and of its conjugate undo each other, in single precision.
#[test]
fn maps_and_their_conjugates_are_inverse() {
    let mut v: DenseIcnn<8, 32, 1, 16> = module(7, 0.2);
    v.strong_convexity = 0.5;
    v.make_convex();
    let x: Vec<f32> = normals(8, 8 * 500);
    let (_, y) = v.slopes()(&x);
    let config = to(1e-3, 200, ConjugateMethod::default());
    let found = conjugates(v.slopes(), &y, &y, 8, &config).unwrap();
    assert_eq!(found.unconverged(), 0.0);
    // The residual over the strong convexity.
    let x: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
    assert!(distance(&found.points, &x) < 1e-3 / 0.5);
    let alone = |i: usize| {
        let here = 8 * i..8 * (i + 1);
        conjugates(v.slopes(), &y[here.clone()], &y[here], 8, &config).unwrap()
    };
    // A point does not see the others, whose number changes the order of sums in its network.
    for i in [0, 250, 499] {
        let exact: Vec<f64> = alone(i).points.iter().map(|v| f64::from(*v)).collect();
        assert!(distance(&found.points[8 * i..8 * (i + 1)], &exact) < 1e-3 / 0.5);
    }
}

#[test]
fn conjugates_do_not_depend_on_threads() {
    let mut v: DenseIcnn<16, 32, 1, 16> = module(9, 0.2);
    v.make_convex();
    let y: Vec<f32> = normals(10, 16 * 1000);
    let config = to(1e-3, 30, ConjugateMethod::default());
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| conjugates(v.slopes(), &y, &y, 16, &config).unwrap())
    };
    let one = run(1);
    assert!(one == run(2) && one == run(3));
}

#[test]
fn ends_are_told_apart() {
    // A cone has no maximiser for |y| > 1; at its tip no step is lower.
    let cone =
        |x: &[f64]| (x.iter().map(|x| x.abs()).collect(), x.iter().map(|x| x.signum()).collect());
    let config = to(1e-6, 10, ConjugateMethod::default());
    let found = conjugates(cone, &[2.0, 0.5], &[1.0, 0.0], 1, &config).unwrap();
    assert_eq!(found.status, [ConjugateStatus::IterationLimit, ConjugateStatus::Stalled]);
    assert_eq!((found.iterations[0], found.unconverged()), (10, 1.0));
    let error = found.into_converged().unwrap_err().to_string();
    assert!(error.contains("point 0") && error.contains("raise the limit"), "{error}");
    // A function that is infinite outside (−1, 1) is searched inside.
    let barrier = |x: &[f64]| {
        let value = |x: &f64| if x.abs() < 1.0 { -(1.0 - x * x).ln() } else { f64::INFINITY };
        let slope = |x: &f64| 2.0 * x / (1.0 - x * x);
        (x.iter().map(value).collect(), x.iter().map(slope).collect())
    };
    let found = conjugates(barrier, &[10.0], &[0.0], 1, &to(1e-9, 50, Default::default())).unwrap();
    // 2x = 10 (1 − x²).
    let exact = (101f64.sqrt() - 1.0) / 10.0;
    assert!((found.points[0] - exact).abs() < 1e-9, "{found:?}");
}

#[test]
fn bad_data_is_refused() {
    let f = |x: &[f64]| (vec![0.0; x.len()], x.to_vec());
    let config = ConjugateConfig::default();
    let refused =
        |y: &[f64], x: &[f64], d: usize| conjugates(f, y, x, d, &config).unwrap_err().to_string();
    assert!(refused(&[], &[], 1).contains("targets"));
    assert!(refused(&[1.0], &[1.0], 0).contains("dimension"));
    assert!(refused(&[1.0; 4], &[1.0; 2], 2).contains("start"));
    assert!(refused(&[1.0, f64::NAN], &[1.0; 2], 1).contains("target of a conjugate 1 is NaN"));
    assert!(refused(&[1.0; 2], &[1.0, f64::INFINITY], 1).contains("start of a conjugate 1 is inf"));
    let nan = |x: &[f64]| (vec![f64::NAN; x.len()], x.to_vec());
    let error = conjugates(nan, &[1.0], &[1.0], 1, &config).unwrap_err().to_string();
    assert!(error.contains("value of the function"), "{error}");
    let short = |x: &[f64]| (vec![0.0], x.to_vec());
    assert!(conjugates(short, &[1.0; 2], &[1.0; 2], 1, &config).is_err());
    for bad in [
        to(0.0, 10, ConjugateMethod::default()),
        to(0.1, 0, ConjugateMethod::default()),
        to(0.1, 10, ConjugateMethod::Lbfgs { memory: 0, shrink: 0.5, trials: 5 }),
        to(0.1, 10, ConjugateMethod::Lbfgs { memory: 5, shrink: 1.0, trials: 5 }),
        to(0.1, 10, ConjugateMethod::Adam { rate: -1.0 }),
    ] {
        assert!(conjugates(f, &[1.0], &[1.0], 1, &bad).is_err(), "{bad:?}");
    }
}
