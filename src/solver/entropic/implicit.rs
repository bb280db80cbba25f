//! Derivatives of functionals of the plan, through the potentials by the implicit function theorem.
//!
//! For L = Σ Wᵢⱼ Pᵢⱼ with fixed W, let h and k be the row and column sums of W ∘ P / ε, r and c those of P. The
//! conditions on the marginals, differentiated, and L with them give the symmetric system
//!
//! ```text
//! r/τ₁ ∘ φ + P ψ = h,   Pᵀ φ + c/τ₂ ∘ ψ = k
//! ```
//!
//! and then ∂L/∂Cᵢⱼ = Pᵢⱼ (φᵢ + ψⱼ − Wᵢⱼ/ε), ∂L/∂aᵢ = ε rᵢ φᵢ / (τ₁ aᵢ), ∂L/∂bⱼ = ε cⱼ ψⱼ / (τ₂ bⱼ). φ is eliminated, and
//! conjugate gradients solve for ψ in the scale in which the matrix is 1/τ₂ − τ₁ K with K ≥ 0 of norm 1.

use serde::{Deserialize, Serialize};

use super::gradient::CostGradient;
use crate::error::{check_count, check_positive, Error, Result};
use crate::ops::Real;
use crate::problem::{Discrete, Relaxation};
use crate::solver::sinkhorn::{Plan, Solution, Status};

/// How the linear system of [`plan_gradient`] is solved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinearSolve {
    /// Largest residual relative to the right-hand side.
    pub tolerance: f64,
    /// Most iterations of conjugate gradients.
    pub limit: usize,
    /// δ ≥ 0, added to the diagonal in the scale in which eigenvalues are between 0 and 1/τ. The null space
    /// of balanced problems (a constant moved between the potentials) is removed without it; it bounds
    /// the answer where ε is so small that the system is nearly singular.
    pub ridge: f64,
}

impl Default for LinearSolve {
    /// To 1e-6 within 1000 iterations, no ridge.
    fn default() -> Self {
        Self { tolerance: 1e-6, limit: 1000, ridge: 0.0 }
    }
}

impl LinearSolve {
    pub(super) fn check(&self) -> Result<()> {
        check_positive("linear.tolerance", self.tolerance)?;
        check_count("linear.limit", self.limit)?;
        if self.ridge >= 0.0 && self.ridge.is_finite() {
            return Ok(());
        }
        Err(Error::config("linear.ridge", self.ridge, "must be finite and not negative"))
    }
}

/// How the linear system was solved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinearReport {
    /// Iterations of conjugate gradients.
    pub iterations: usize,
    /// Norm of the residual relative to that of the right-hand side.
    pub residual: f64,
    /// Whether the residual is within the tolerance.
    pub status: Status,
}

/// The gradient of L = Σ Wᵢⱼ Pᵢⱼ in the points and weights of the problem, where P is the plan of its
/// solution and `row(i, out)` writes row i of W. ε counts as constant.
///
/// The solution should be converged well below the accuracy wanted of the gradient: the derivation
/// takes the marginals for exact. Weights must be positive. Gradients in the weights are as in
/// [`CostGradient`] up to a constant that balanced problems do not determine.
///
/// Each iteration of conjugate gradients is one pass over the kernel, and three more passes are made:
/// time O(n·m·d) each, memory O((n + m) d). Their number grows as 1/√(1 − σ²) with the second singular
/// value σ of the scaled plan, which tends to 1 as ε falls.
///
/// # Errors
/// [`Error::InvalidConfig`] if a weight is 0, if a choice is out of range or if the problem is a cost
/// matrix; [`Error::Shape`] if the sizes differ.
///
/// # Source
/// arXiv:1805.11897; arXiv:2002.03229.
pub fn plan_gradient<'a, E: Real>(
    config: &LinearSolve,
    problem: &'a Discrete<'a, E>,
    solution: &Solution,
    row: impl Fn(usize, &mut [E]) + Sync,
) -> Result<(CostGradient<E>, LinearReport)> {
    config.check()?;
    let (a, b) = problem.weights();
    if a.iter().chain(b).any(|w| *w <= E::zero()) {
        let rule = "implicit differentiation needs positive weights: leave out points without";
        return Err(Error::config("weights", 0, rule));
    }
    let epsilon = solution.epsilon;
    let plan = Plan::new(problem, &solution.potentials, epsilon)?;
    let m = b.len();
    // W row by row, times the plan.
    let weighed = |start: usize, block: &mut [E]| {
        let mut w = vec![E::zero(); m];
        for (i, p) in block.chunks_exact_mut(m).enumerate() {
            row(start + i, &mut w);
            p.iter_mut().zip(&w).for_each(|(p, w)| *p *= *w);
        }
    };
    let [h, k] = plan.sums(Some(&weighed)).map(|v| scaled(&v, 1.0 / epsilon));
    let [r, c] = plan.sums(None).map(|v| scaled(&v, 1.0));
    let tau = problem.relaxation().map(Relaxation::tau);
    let system = System { plan: &plan, r: &r, c: &c, tau };
    let (phi, psi, report) = system.solve(config, &h, &k)?;

    let of_costs = |start: usize, block: &mut [E]| {
        let mut w = vec![E::zero(); m];
        let inverse = E::of(1.0 / epsilon);
        for (i, p) in block.chunks_exact_mut(m).enumerate() {
            row(start + i, &mut w);
            let phi = E::of(phi[start + i]);
            for ((p, w), psi) in p.iter_mut().zip(&w).zip(&psi) {
                *p *= phi + E::of(*psi) - inverse * *w;
            }
        }
    };
    let [source, target] = plan.pull(Some(&of_costs), [true; 2])?;
    let slopes = |sums: &[f64], potential: &[f64], weights: &[E], tau: f64| {
        let each = sums.iter().zip(potential).zip(weights);
        each.map(|((s, p), w)| E::of(epsilon * s * p / (tau * w.double()))).collect()
    };
    let source_weights = slopes(&r, &phi, a, tau[0]);
    let target_weights = slopes(&c, &psi, b, tau[1]);
    Ok((CostGradient { source, target, source_weights, target_weights }, report))
}

fn scaled<E: Real>(v: &[E], factor: f64) -> Vec<f64> {
    v.iter().map(|v| factor * v.double()).collect()
}

/// The system of the module's documentation.
struct System<'p, E: Real> {
    plan: &'p Plan<'p, E>,
    r: &'p [f64],
    c: &'p [f64],
    tau: [f64; 2],
}

impl<E: Real> System<'_, E> {
    /// φ and ψ.
    fn solve(
        &self,
        config: &LinearSolve,
        h: &[f64],
        k: &[f64],
    ) -> Result<(Vec<f64>, Vec<f64>, LinearReport)> {
        let Self { plan, r, c, tau } = self;
        let root: Vec<f64> = c.iter().map(|c| c.sqrt()).collect();
        // τ₁ / r, and what is left of the second equation, both scaled by 1/√c.
        let inverse: Vec<f64> = r.iter().map(|r| tau[0] / r).collect();
        let first: Vec<E> = h.iter().zip(&inverse).map(|(h, i)| E::of(h * i)).collect();
        let back = plan.apply_transpose(&first)?;
        let mut right: Vec<f64> =
            (0..k.len()).map(|j| (k[j] - back[j].double()) / root[j]).collect();
        let balanced = *tau == [1.0; 2];
        if balanced {
            self.deflate(&root, &mut right);
        }
        let apply = |q: &[f64]| {
            let v: Vec<f64> = q.iter().zip(&root).map(|(q, s)| q / s).collect();
            let there = plan.there_and_back(&v, &inverse);
            let diagonal = 1.0 / tau[1] + config.ridge;
            let mut out: Vec<f64> =
                (0..q.len()).map(|j| diagonal * q[j] - there[j] / root[j]).collect();
            if balanced {
                self.deflate(&root, &mut out);
            }
            out
        };
        let (q, report) = conjugate_gradients(config, apply, right);
        let psi: Vec<f64> = q.iter().zip(&root).map(|(q, s)| q / s).collect();
        let moved = plan.apply(&psi.iter().map(|p| E::of(*p)).collect::<Vec<E>>())?;
        let rest = h.iter().zip(&moved).map(|(h, m)| h - m.double());
        let phi = rest.zip(&inverse).map(|(rest, i)| rest * i).collect();
        Ok((phi, psi, report))
    }

    /// Takes the component along √c, the null vector of a balanced system, from `v`.
    fn deflate(&self, root: &[f64], v: &mut [f64]) {
        let along = dot(root, v) / dot(root, root);
        v.iter_mut().zip(root).for_each(|(v, s)| *v -= along * s);
    }
}

/// Solves A x = b from x = 0 for a symmetric, positive semidefinite A with b in its range.
fn conjugate_gradients(
    config: &LinearSolve,
    apply: impl Fn(&[f64]) -> Vec<f64>,
    b: Vec<f64>,
) -> (Vec<f64>, LinearReport) {
    let scale = dot(&b, &b).sqrt();
    let (mut x, mut rest) = (vec![0.0; b.len()], b);
    let mut direction = rest.clone();
    let mut square = dot(&rest, &rest);
    let mut iterations = 0;
    while iterations < config.limit && square.sqrt() > config.tolerance * scale {
        let image = apply(&direction);
        let step = square / dot(&direction, &image);
        // Rounding has taken over: the direction is in the null space.
        if !(step.is_finite() && step > 0.0) {
            break;
        }
        x.iter_mut().zip(&direction).for_each(|(x, d)| *x += step * d);
        rest.iter_mut().zip(&image).for_each(|(r, i)| *r -= step * i);
        let next = dot(&rest, &rest);
        let ratio = next / square;
        direction.iter_mut().zip(&rest).for_each(|(d, r)| *d = r + ratio * *d);
        square = next;
        iterations += 1;
    }
    let residual = if scale > 0.0 { square.sqrt() / scale } else { 0.0 };
    let status = match residual {
        _ if x.iter().any(|x| !x.is_finite()) => Status::Diverged,
        residual if residual <= config.tolerance => Status::Converged,
        _ => Status::IterationLimit,
    };
    (x, LinearReport { iterations, residual, status })
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
