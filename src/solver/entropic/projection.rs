//! The barycentric projection as an operation on the tape.

use std::sync::{Arc, OnceLock};

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::gradient::CostGradient;
use super::implicit::{plan_gradient, LinearReport, LinearSolve};
use super::taken::{finite, Taken, Weights};
use crate::error::{Error, Result};
use crate::geometry::{RowCost, SqEuclidean};
use crate::ops::simd::vectorised;
use crate::ops::{Engine, Real};
use crate::problem::{Discrete, Ground, Relaxation};
use crate::solver::sinkhorn::{sinkhorn, Plan, Potentials, SinkhornConfig, Solution, Status};
use crate::tensor::Points;

/// The barycentric projection of an entropic plan, B(xᵢ) = Σⱼ Pᵢⱼ yⱼ / Σⱼ Pᵢⱼ, as a differentiable operation.
///
/// The gradients are exact for the plan of a converged solution, by implicit differentiation (see
/// [`plan_gradient`]); nothing is unrolled. In single precision they are good to about 1e-3.
///
/// ```
/// use brenier::prelude::*;
/// use brenier::solver::BarycentricProjection;
/// use dfdx::prelude::*;
/// let (x, y) = (points::<1>(vec![0.0, 1.0])?, points::<1>(vec![0.5, 2.0])?);
/// let projection: BarycentricProjection = BarycentricProjection::default();
/// let (moved, ..) = projection.of(x.leaky_trace(), y.clone())?;
/// // Moving all targets moves all images.
/// let gradient = rows(&moved.sum::<Rank0, _>().backward().get(&y));
/// assert!((gradient[0] + gradient[1] - 2.0).abs() < 1e-3);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, bound(deserialize = "C: Default + Deserialize<'de>"))]
pub struct BarycentricProjection<C = SqEuclidean> {
    /// The ground cost c.
    pub cost: C,
    /// ε and when to stop.
    pub sinkhorn: SinkhornConfig,
    /// Of the source and the target marginal.
    pub relaxation: [Relaxation; 2],
    /// How the linear system of the backward pass is solved.
    pub linear: LinearSolve,
}

/// What the backward pass of a projection reports, once it has run.
#[derive(Clone, Debug, Default)]
pub struct BackwardReport(Arc<OnceLock<LinearReport>>);

impl BackwardReport {
    /// How the linear system was solved; `None` before the backward pass.
    pub fn get(&self) -> Option<LinearReport> {
        self.0.get().copied()
    }
}

/// The images, the solution, and what the backward pass will report.
pub type Projected<const N: usize, E, D, T> = (Points<N, E, D, T>, Solution, BackwardReport);

impl<C> BarycentricProjection<C> {
    /// The images of `x`: `[n, N], [m, N] -> [n, N]`, between points of equal weights, differentiable in
    /// both.
    ///
    /// # Errors
    /// As [`weighted`](Self::weighted).
    pub fn of<const N: usize, E, D, T, R>(
        &self,
        x: Points<N, E, D, T>,
        y: Points<N, E, D, R>,
    ) -> Result<Projected<N, E, D, T>>
    where
        E: Real,
        D: Engine<E>,
        C: RowCost<E>,
        T: Tape<E, D> + Merge<R>,
        R: Tape<E, D>,
    {
        self.weighted(x, y, [None; 2], None)
    }

    /// The same between weighted points, differentiable in points and weights, from potentials of an
    /// earlier solution if they are given. Gradients are NaN where the linear system has no finite
    /// solution.
    ///
    /// # Errors
    /// Those of [`sinkhorn()`](crate::solver::sinkhorn()) and [`plan_gradient`].
    pub fn weighted<const N: usize, E, D, T, R>(
        &self,
        x: Points<N, E, D, T>,
        y: Points<N, E, D, R>,
        weights: Weights<'_, E, D>,
        start: Option<&Potentials>,
    ) -> Result<Projected<N, E, D, T>>
    where
        E: Real,
        D: Engine<E>,
        C: RowCost<E>,
        T: Tape<E, D> + Merge<R>,
        R: Tape<E, D>,
    {
        self.linear.check()?;
        let taken = Taken::new(x, y, weights);
        let problem = taken.numbers.problem(&self.cost, N, self.relaxation)?;
        let solution = finite(sinkhorn(&self.sinkhorn, &problem, start)?, |s| s.status)?;
        let images = Plan::new(&problem, &solution.potentials, solution.epsilon)?.barycentric()?;
        drop(problem);
        let n = images.len() / N;
        let output = taken.device.tensor_from_vec(images.clone(), (n, Const::<N>));
        let report = BackwardReport::default();
        let (filled, kept, numbers) = (report.clone(), solution.clone(), taken.numbers);
        let Self { cost, relaxation, linear, .. } = self;
        let (cost, relaxation, linear) = (cost.clone(), *relaxation, *linear);
        let output = D::attach(output, taken.inputs, taken.tape, move |seed| {
            let problem = numbers.problem(&cost, N, relaxation);
            let gradient = problem.and_then(|p| backward(&linear, &p, &kept, &images, N, seed));
            match gradient {
                Ok((g, seen)) if seen.status != Status::Diverged => {
                    // The first report of several backward passes stands; there is only one.
                    let _ = filled.0.set(seen);
                    vec![g.source, g.target, g.source_weights, g.target_weights]
                }
                _ => {
                    let [x, y] = [&numbers.points[0], &numbers.points[1]].map(Vec::len);
                    [x, y, x / N, y / N].map(|n| vec![E::nan(); n]).to_vec()
                }
            }
        });
        Ok((output, solution, report))
    }
}

/// The gradient of ⟨seed, B⟩.
fn backward<'a, E: Real>(
    linear: &LinearSolve,
    problem: &'a Discrete<'a, E>,
    solution: &Solution,
    images: &[E],
    d: usize,
    seed: &[E],
) -> Result<(CostGradient<E>, LinearReport)> {
    let Ground::Clouds { y, .. } = &problem.ground else {
        return Err(Error::config("barycentric projection", "a cost matrix", "needs points"));
    };
    let plan = Plan::new(problem, &solution.potentials, solution.epsilon)?;
    let [sums, _] = plan.sums(None);
    // dB = Σ dPᵢⱼ (yⱼ − Bᵢ) / rᵢ + Pᵢⱼ dyⱼ / rᵢ.
    let mut scaled = seed.to_vec();
    for (row, r) in scaled.chunks_exact_mut(d).zip(&sums) {
        row.iter_mut().for_each(|v| *v /= *r);
    }
    let m = y.len() / d;
    let by_coordinate: Vec<E> = (0..d * m).map(|k| y[k % m * d + k / m]).collect();
    let row = |i: usize, out: &mut [E]| {
        out.fill(E::zero());
        let (g, image) = (&scaled[i * d..][..d], &images[i * d..][..d]);
        for ((g, b), ys) in g.iter().zip(image).zip(by_coordinate.chunks_exact(m)) {
            add_offsets::<E>(*g, *b, ys, out);
        }
    };
    let (mut gradient, report) = plan_gradient(linear, problem, solution, row)?;
    let direct = plan.apply_transpose(&scaled)?;
    gradient.target.iter_mut().zip(direct).for_each(|(g, d)| *g += d);
    Ok((gradient, report))
}

vectorised! {
    /// out += g (y − b)
    fn add_offsets<E: Real>(g: E, b: E, ys: &[E], out: &mut [E]) {
        for (out, y) in out.iter_mut().zip(ys) {
            *out += g * (*y - b);
        }
    }
}
