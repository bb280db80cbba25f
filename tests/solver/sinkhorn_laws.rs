//! Laws of Sinkhorn's algorithm in every form: stored, online, batched, on grids.

use brenier::prelude::*;
use brenier::problem::{Axis, Discrete, Gridded, Relaxation};
use brenier::solver::{
    sinkhorn, sinkhorn_batch, sinkhorn_grid, sinkhorn_grid_batch, Epsilon, Form, SinkhornConfig,
    Solution, Stop,
};

use crate::common::{costs, distance, normals, on_any_threads, weights};

/// A grid and the same problem as a matrix.
struct Problem {
    axes: Vec<Axis>,
    costs: Vec<f64>,
    a: Vec<f64>,
    b: Vec<f64>,
    tau: [f64; 2],
}

const EACH: [(usize, usize); 2] = [(6, 5), (4, 7)];

impl Problem {
    /// 24 sources and 35 targets on a plane; relaxed marginals have masses 2 and 1.
    fn new(seed: u64, tau: [f64; 2]) -> Self {
        let keys = [0, 1, 2, 3].map(|k| 10 * seed + k);
        let coordinates: Vec<[Vec<f64>; 2]> = EACH
            .iter()
            .enumerate()
            .map(|(k, (n, m))| {
                let key = keys[k] + 100;
                [normals(key, *n), normals::<f64>(key + 50, *m).iter().map(|v| v + 0.5).collect()]
            })
            .collect();
        let axis = |v: &[Vec<f64>; 2]| Axis::new(&SqEuclidean, &v[0], &v[1]).unwrap();
        let points = |side: usize| -> Vec<f64> {
            let [p, q] = [0, 1].map(|k| &coordinates[k][side]);
            p.iter().flat_map(|p| q.iter().flat_map(move |q| [*p, *q])).collect()
        };
        let (x, y) = (points(0), points(1));
        let mass = if tau == [1.0; 2] { 1.0 } else { 2.0 };
        Self {
            axes: coordinates.iter().map(axis).collect(),
            costs: costs(&x, &y, 2, 2.0),
            a: weights(keys[2], x.len() / 2).iter().map(|w| w * mass).collect(),
            b: weights(keys[3], y.len() / 2),
            tau,
        }
    }

    fn dense<'c>(&self, costs: &'c [f64]) -> Discrete<'c, f64> {
        let [s, t] = self.tau.map(|tau| Relaxation::Kl { tau });
        let problem = Discrete::matrix(costs, self.a.len(), self.b.len()).unwrap();
        let problem = problem.with_source_weights(&self.a).unwrap();
        problem.with_target_weights(&self.b).unwrap().relaxed(s, t).unwrap()
    }

    fn grid(&self, axes: Vec<Axis>) -> Gridded<f64> {
        let [s, t] = self.tau.map(|tau| Relaxation::Kl { tau });
        let problem = Gridded::new(axes).unwrap().with_source_weights(&self.a).unwrap();
        problem.with_target_weights(&self.b).unwrap().relaxed(s, t).unwrap()
    }

    /// In every form.
    fn solve(&self, config: &SinkhornConfig) -> Vec<(Solution, [Vec<f64>; 2])> {
        self.solve_mapped(config, |c| c)
    }

    /// With `map` of every cost, which must be a sum of `map` over the axes: on a grid the first axis
    /// takes it and the second the difference to `map` of zero.
    fn solve_mapped(
        &self,
        config: &SinkhornConfig,
        map: impl Fn(f64) -> f64,
    ) -> Vec<(Solution, [Vec<f64>; 2])> {
        let costs: Vec<f64> = self.costs.iter().map(|c| map(*c)).collect();
        let problem = self.dense(&costs);
        let mut all: Vec<Solution> = [Form::Stored, Form::Online]
            .map(|form| sinkhorn(&SinkhornConfig { form, ..*config }, &problem, None).unwrap())
            .to_vec();
        let batch = [problem.clone(), problem.clone()];
        all.extend(sinkhorn_batch(config, &batch).unwrap());
        let mut with_marginals: Vec<_> = all
            .into_iter()
            .map(|s| {
                let (rows, columns) = s.plan(&problem).unwrap().marginals();
                (s, [rows, columns])
            })
            .collect();
        let axes = self.axes.iter().enumerate().map(|(k, axis)| {
            let less = if k == 0 { 0.0 } else { map(0.0) };
            let (n, m) = axis.sizes();
            Axis::matrix(axis.costs().iter().map(|c| map(*c) - less).collect(), n, m).unwrap()
        });
        let grid = self.grid(axes.collect());
        for s in sinkhorn_grid_batch(config, &[grid.clone(), grid.clone()]).unwrap() {
            let plan = s.grid_plan(&grid).unwrap();
            let (rows, columns) = plan.marginals();
            let marginals = [rows.to_vec(), columns.to_vec()];
            with_marginals.push((s, marginals));
        }
        with_marginals
    }
}

fn exactly(epsilon: f64, tolerance: f64) -> SinkhornConfig {
    let stop = Stop::Tolerance { tolerance, limit: 50_000 };
    SinkhornConfig { epsilon: Epsilon::Absolute(epsilon), stop, ..Default::default() }
}

const TAUS: [[f64; 2]; 3] = [[1.0; 2], [0.9, 0.8], [1.0, 0.7]];

fn l1(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).map(|(p, q)| (p - q).abs()).sum()
}

#[test]
fn marginals_are_what_the_solution_says() {
    for seed in 0..4 {
        for tau in TAUS {
            let problem = Problem::new(seed, tau);
            let epsilon = 0.3;
            for (s, marginals) in problem.solve(&exactly(epsilon, 1e-6)) {
                let s = s.into_converged().unwrap();
                let f = [&s.potentials.f, &s.potentials.g];
                let mut error = 0.0;
                for (k, weights) in [&problem.a, &problem.b].into_iter().enumerate() {
                    let lambda = epsilon * tau[k] / (1.0 - tau[k]);
                    // a exp(−f / λ), which is a where λ is infinite.
                    let due: Vec<f64> =
                        weights.iter().zip(f[k]).map(|(a, f)| a * (-f / lambda).exp()).collect();
                    error += l1(&marginals[k], &due) / due.iter().sum::<f64>();
                }
                assert!(error <= 1e-6 + 1e-12, "{error:e}");
                assert!((error - s.marginal_error).abs() < 1e-12, "{error:e} {s:?}");
                let mass: f64 = marginals[0].iter().sum();
                assert!((mass - s.mass).abs() < 1e-12 * mass);
            }
        }
    }
}

#[test]
fn the_gap_is_positive_and_closes() {
    for seed in 0..4 {
        for tau in TAUS {
            let problem = Problem::new(seed, tau);
            let scale = problem.costs.iter().fold(0.0, |s: f64, c| s.max(*c));
            let run = |tolerance| problem.solve(&exactly(0.3, tolerance));
            let (loose, tight) = (run(1e-2), run(1e-10));
            let best = tight[0].0.dual_cost;
            for ((loose, _), (tight, _)) in loose.iter().zip(&tight) {
                // No dual is above the optimum.
                assert!(loose.dual_cost <= best + 1e-12 * scale, "{tau:?}");
                // Nor is a primal below it, up to what its marginals lack: |f| times their error.
                let gap = tight.primal_cost - tight.dual_cost;
                assert!(gap.abs() < 1e-8 * scale, "{gap:e}");
                assert!((tight.dual_cost - best).abs() < 1e-9 * scale);
                let gap = loose.primal_cost - loose.dual_cost;
                let bound = loose.potentials.f.iter().chain(&loose.potentials.g);
                let bound =
                    bound.fold(0.0, |b: f64, f| b.max(f.abs())) * 2e-2 * loose.mass.max(2.0);
                assert!(gap > -bound && gap < 10.0 * bound, "{gap} {bound}");
            }
        }
    }
}

#[test]
fn shifts_scales_and_exchanges_of_the_cost() {
    for seed in 0..3 {
        let problem = Problem::new(seed, [1.0; 2]);
        let config = exactly(0.3, 1e-11);
        let plain = problem.solve(&config);
        let shifted = problem.solve_mapped(&config, |c| c + 7.0);
        for ((s, _), (t, _)) in plain.iter().zip(&shifted) {
            assert!((t.primal_cost - s.primal_cost - 7.0).abs() < 1e-8);
            assert!((t.transport_cost - s.transport_cost - 7.0).abs() < 1e-8);
        }
        // Costs and ε times 2^±20: the same up to rounding of ε ln 2.
        for power in [-20, 20] {
            let factor = 2f64.powi(power);
            let scaled = problem.solve_mapped(&exactly(0.3 * factor, 1e-11), |c| c * factor);
            for ((s, _), (t, _)) in plain.iter().zip(&scaled) {
                assert!((t.dual_cost / factor - s.dual_cost).abs() < 1e-9);
                let back: Vec<f64> = t.potentials.f.iter().map(|f| f / factor).collect();
                assert!(distance(&back, &s.potentials.f) < 1e-7);
            }
        }
    }
    // Source and target exchanged, with their relaxations.
    for tau in TAUS {
        let problem = Problem::new(5, tau);
        let (n, m) = (problem.a.len(), problem.b.len());
        let flip = |c: &[f64], n: usize, m: usize| -> Vec<f64> {
            (0..n * m).map(|k| c[k % n * m + k / n]).collect()
        };
        let axes = problem.axes.iter().map(|axis| {
            let (n, m) = axis.sizes();
            Axis::matrix(flip(axis.costs(), n, m), m, n).unwrap()
        });
        let other = Problem {
            axes: axes.collect(),
            costs: flip(&problem.costs, n, m),
            a: problem.b.clone(),
            b: problem.a.clone(),
            tau: [tau[1], tau[0]],
        };
        let config = exactly(0.3, 1e-11);
        for ((s, _), (t, _)) in problem.solve(&config).iter().zip(&other.solve(&config)) {
            assert!((s.dual_cost - t.dual_cost).abs() < 1e-8);
            assert!(distance(&s.potentials.f, &t.potentials.g) < 1e-6);
            assert!(distance(&s.potentials.g, &t.potentials.f) < 1e-6);
        }
    }
}

#[test]
fn the_order_of_the_points_does_not_matter() {
    for tau in TAUS {
        let problem = Problem::new(6, tau);
        let (n, m) = (problem.a.len(), problem.b.len());
        // i ↦ 7 i mod 24 and j ↦ 3 j mod 35, which are permutations.
        let (p, q) = (|i: usize| 7 * i % n, |j: usize| 3 * j % m);
        let permuted: Vec<f64> =
            (0..n * m).map(|k| problem.costs[p(k / m) * m + q(k % m)]).collect();
        let other = Problem {
            axes: problem.axes.clone(),
            costs: permuted,
            a: (0..n).map(|i| problem.a[p(i)]).collect(),
            b: (0..m).map(|j| problem.b[q(j)]).collect(),
            tau,
        };
        for form in [Form::Stored, Form::Online] {
            let config = SinkhornConfig { form, ..exactly(0.3, 1e-11) };
            let s = sinkhorn(&config, &problem.dense(&problem.costs), None).unwrap();
            let t = sinkhorn(&config, &other.dense(&other.costs), None).unwrap();
            assert!((s.dual_cost - t.dual_cost).abs() < 1e-9);
            let f: Vec<f64> = (0..n).map(|i| s.potentials.f[p(i)]).collect();
            assert!(distance(&t.potentials.f, &f) < 1e-7);
        }
        // On a grid: the axes exchanged.
        let config = exactly(0.3, 1e-11);
        let s = sinkhorn_grid(&config, &problem.grid(problem.axes.clone()), None).unwrap();
        let turn = |w: &[f64], (rows, columns): (usize, usize)| -> Vec<f64> {
            (0..w.len()).map(|k| w[k % rows * columns + k / rows]).collect()
        };
        let (sources, targets) = ((EACH[0].0, EACH[1].0), (EACH[0].1, EACH[1].1));
        let turned = Problem {
            axes: problem.axes.iter().rev().cloned().collect(),
            costs: Vec::new(),
            a: turn(&problem.a, sources),
            b: turn(&problem.b, targets),
            tau,
        };
        let t = sinkhorn_grid(&config, &turned.grid(turned.axes.clone()), None).unwrap();
        assert!((s.dual_cost - t.dual_cost).abs() < 1e-9);
        assert!(distance(&t.potentials.f, &turn(&s.potentials.f, sources)) < 1e-7);
    }
}

/// Sizes beyond one chunk of rows, so that threads share sums.
#[test]
fn threads_give_the_same_bits() {
    let (n, m, d) = (500, 640, 2);
    let (x, y): (Vec<f32>, Vec<f32>) = (normals(70, n * d), normals(71, m * d));
    for tau in TAUS {
        let [s, t] = tau.map(|tau| Relaxation::Kl { tau });
        let problem = Discrete::clouds(&SqEuclidean, &x, &y, d).unwrap().relaxed(s, t).unwrap();
        for form in [Form::Stored, Form::Online] {
            let config = SinkhornConfig { form, ..Default::default() };
            let _ = on_any_threads(|| sinkhorn(&config, &problem, None).unwrap());
            let batch = [problem.clone(), problem.clone(), problem.clone()];
            let _ = on_any_threads(|| sinkhorn_batch(&config, &batch).unwrap());
        }
        let axis = |n| Axis::regular(&SqEuclidean, n, 0.05).unwrap();
        let density: Vec<f32> = weights(72, 90 * 80).iter().map(|w| *w as f32).collect();
        let grid = Gridded::new(vec![axis(90), axis(80)]).unwrap();
        let grid = grid.with_source_weights(&density).unwrap().relaxed(s, t).unwrap();
        let _ = on_any_threads(|| sinkhorn_grid(&SinkhornConfig::default(), &grid, None).unwrap());
    }
}

/// τ = 1 is a balanced marginal, to the bit.
#[test]
fn a_tau_of_one_is_balanced() {
    let problem = Problem::new(8, [1.0; 2]);
    let n = (problem.a.len(), problem.b.len());
    let balanced = Discrete::matrix(&problem.costs, n.0, n.1).unwrap();
    let one = Relaxation::Kl { tau: 1.0 };
    let relaxed = balanced.clone().relaxed(one, one).unwrap();
    assert_eq!(relaxed.relaxation(), [Relaxation::Balanced; 2]);
    let config = SinkhornConfig::default();
    let run = |p| sinkhorn(&config, p, None).unwrap();
    assert_eq!(run(&balanced), run(&relaxed));
    // And the limit of τ below 1.
    let near = Relaxation::Kl { tau: 1.0 - 1e-9 };
    let near = balanced.clone().relaxed(near, near).unwrap();
    let config = exactly(0.3, 1e-9);
    let [s, t] = [&balanced, &near].map(|p| sinkhorn(&config, p, None).unwrap());
    assert!((s.dual_cost - t.dual_cost).abs() < 1e-6, "{} {}", s.dual_cost, t.dual_cost);
}
