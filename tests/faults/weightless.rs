//! Points of weight zero, near and far, and mass too far away to move, under marginals that are relaxed
//! weakly and strongly: every form against a loop over the other points.

use brenier::ops::Real;
use brenier::prelude::*;
use brenier::problem::{Axis, Discrete, Gridded, Relaxation};
use brenier::solver::{
    sinkhorn, sinkhorn_batch, sinkhorn_grid, sinkhorn_grid_batch, Annealing, Epsilon, Form,
    SinkhornConfig, Solution, Status, Stop,
};

use crate::common::{costs, naive, normals, weights};

const TAUS: [f64; 4] = [1e-4, 0.1, 0.5, 0.95];
const EPSILONS: [f64; 4] = [10.0, 1.0, 0.1, 0.01];

/// Points on a line.
struct Line {
    x: Vec<f64>,
    y: Vec<f64>,
    a: Vec<f64>,
    b: Vec<f64>,
}

impl Line {
    /// Weightless sources in the crowd, on the spot of a lonely target, and far from everything, and the
    /// same with the sides exchanged. The lonely points have weight.
    fn new(lonely: f64) -> Self {
        let (mut x, mut y): (Vec<f64>, Vec<f64>) = (normals(1, 9), normals(2, 11));
        let (mut a, mut b) = (weights(3, 9), weights(4, 11));
        (a[2], b[5]) = (0.0, 0.0);
        for (points, masses, place) in [(&mut x, &mut a, lonely), (&mut y, &mut b, -lonely)] {
            points.extend([place, -place, 3.0 * place]);
            masses.extend([0.3, 0.0, 0.0]);
        }
        Self { x, y, a, b }
    }

    /// Mass, transport, and the primal objective of the plan of a loop that never sees the weightless.
    fn expected(&self, epsilon: f64, tau: [f64; 2]) -> [f64; 3] {
        let some = |v: &[f64], w: &[f64]| -> Vec<f64> {
            v.iter().zip(w).filter(|(_, w)| **w > 0.0).map(|(v, _)| *v).collect()
        };
        let (x, y) = (some(&self.x, &self.a), some(&self.y, &self.b));
        let (a, b) = (some(&self.a, &self.a), some(&self.b, &self.b));
        let c = costs(&x, &y, 1, 2.0);
        let plan = naive(&c, &a, &b, epsilon, tau, 1500);
        let kl = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() - p + q } else { q };
        let m = b.len();
        let mut primal = 0.0;
        for (k, p) in plan.iter().enumerate() {
            primal += p * c[k] + epsilon * kl(*p, a[k / m] * b[k % m]);
        }
        for (side, w, tau) in [(0, &a, tau[0]), (1, &b, tau[1])] {
            for (i, w) in w.iter().enumerate() {
                let here = |k: &usize| if side == 0 { k / m == i } else { k % m == i };
                let p: f64 = (0..plan.len()).filter(here).map(|k| plan[k]).sum();
                primal += if tau < 1.0 { epsilon * tau / (1.0 - tau) * kl(p, *w) } else { 0.0 };
            }
        }
        [plan.iter().sum(), plan.iter().zip(&c).map(|(p, c)| p * c).sum(), primal]
    }

    fn grid<E: Real>(&self, tau: [Relaxation; 2]) -> Gridded<E> {
        let axis = Axis::new(&SqEuclidean, &self.x, &self.y).unwrap();
        let grid = Gridded::new(vec![axis]).unwrap().relaxed(tau[0], tau[1]).unwrap();
        let grid = grid.with_source_weights(&of(&self.a)).unwrap();
        grid.with_target_weights(&of(&self.b)).unwrap()
    }
}

fn of<E: Real>(v: &[f64]) -> Vec<E> {
    v.iter().map(|v| E::of(*v)).collect()
}

/// What is wrong with a solution.
fn check(
    s: &Solution,
    [mass, transport, primal]: [f64; 3],
    close: f64,
    what: &str,
) -> Result<(), String> {
    let potentials = s.potentials.f.iter().chain(&s.potentials.g);
    if s.status != Status::Converged || !potentials.clone().all(|v| v.is_finite()) {
        return Err(format!("{what}: {:?}, marginal error {:e}", s.status, s.marginal_error));
    }
    let scale = primal.abs().max(transport);
    for (name, found, expected, size) in [
        ("mass", s.mass, mass, mass),
        ("transport", s.transport_cost, transport, scale),
        ("primal", s.primal_cost, primal, scale),
        ("dual", s.dual_cost, primal, scale),
    ] {
        let good = (found - expected).abs() <= close * size;
        if !good {
            return Err(format!("{what}: {name} {found:e}, expected {expected:e}"));
        }
    }
    Ok(())
}

fn every_form<E: Real>(lonely: f64, tolerance: f64, close: f64) {
    let line = Line::new(lonely);
    let (x, y) = (of::<E>(&line.x), of::<E>(&line.y));
    let (mut failures, mut tried) = (Vec::new(), 0);
    for tau in TAUS {
        for tau in [[tau; 2], [1.0, tau], [tau, 1.0], [0.9, tau]] {
            let kl = tau.map(|tau| Relaxation::Kl { tau });
            let problem = Discrete::clouds(&SqEuclidean, &x, &y, 1).unwrap();
            let problem = problem.with_source_weights(&of(&line.a)).unwrap();
            let problem = problem.with_target_weights(&of(&line.b)).unwrap();
            let problem = problem.relaxed(kl[0], kl[1]).unwrap();
            let grid = line.grid::<E>(kl);
            for epsilon in EPSILONS {
                // Exponents between the far points are rounded by more than the tolerance then.
                if 4.0 * lonely * lonely / epsilon * E::epsilon().double() > 10.0 * tolerance {
                    continue;
                }
                let expected = line.expected(epsilon, tau);
                for annealing in [None, Some(Annealing::default())] {
                    let what = |name: &str| {
                        let bits = 8 * size_of::<E>();
                        let slowly = annealing.is_some();
                        format!(
                            "f{bits} {name}, at {lonely}, tau {tau:?}, epsilon {epsilon}, {slowly}"
                        )
                    };
                    let config = |form| SinkhornConfig {
                        epsilon: Epsilon::Absolute(epsilon),
                        stop: Stop::Tolerance { tolerance, limit: 3000 },
                        form,
                        annealing,
                        ..Default::default()
                    };
                    let mut found = Vec::new();
                    for (name, form) in [("stored", Form::Stored), ("online", Form::Online)] {
                        let s = sinkhorn(&config(form), &problem, None).unwrap();
                        let batch = [problem.clone(), problem.clone()];
                        let both = sinkhorn_batch(&config(form), &batch).unwrap();
                        // Not by ==, which NaN is not.
                        assert_eq!(format!("{both:?}"), format!("{:?}", [&s, &s]));
                        found.push((name, s));
                    }
                    let s = sinkhorn_grid(&config(Form::Auto), &grid, None).unwrap();
                    let both =
                        sinkhorn_grid_batch(&config(Form::Auto), std::slice::from_ref(&grid))
                            .unwrap();
                    assert_eq!(format!("{:?}", both[0]), format!("{s:?}"));
                    found.push(("grid", s));
                    for (name, s) in found {
                        tried += 1;
                        let name = what(name);
                        failures.extend(check(&s, expected, close, &name).err());
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} of {tried}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn double_near() {
    every_form::<f64>(3.0, 1e-9, 1e-6);
}
#[test]
fn double_far() {
    every_form::<f64>(30.0, 1e-9, 1e-6);
}
#[test]
fn single_near() {
    every_form::<f32>(3.0, 1e-3, 5e-3);
}
#[test]
fn single_far() {
    every_form::<f32>(30.0, 1e-3, 5e-3);
}
