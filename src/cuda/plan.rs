//! The plan of given potentials, on the device.

use super::buffer::{Buffer, DeviceReal};
use super::costs::through_directions;
use super::device::CudaDevice;
use super::finish::merge;
use super::form::STORED;
use super::half_step::is_balanced;
use super::launch::{int, tile_rows, Grid};
use super::resident::Resident;
use crate::error::{Error, Result};
use crate::problem::Discrete;
use crate::solver::{prescribed_rows, Potentials};

/// A transport plan Pᵢⱼ = aᵢ bⱼ exp((fᵢ + gⱼ − Cᵢⱼ) / ε) on a device. It is never stored: each question
/// computes it anew, in O(n·m·d) time and O(n + m) memory.
pub struct DevicePlan<'p, E: DeviceReal> {
    pub(super) resident: Resident<'p, E>,
    /// Masses of rows and columns.
    marginals: [Buffer<E>; 2],
    mass: f64,
    /// What the potentials prescribe as the source marginal.
    pub(super) prescribed: Vec<f64>,
}

impl<'p, E: DeviceReal> DevicePlan<'p, E> {
    /// The plan of these potentials and this ε, those of a [`Solution`](crate::solver::Solution) say.
    ///
    /// # Errors
    /// Those of [`Resident::new`]; [`Error::Shape`] or [`Error::NonFinite`] if the potentials do not fit
    /// or are not finite; [`Error::InvalidConfig`] if ε is not positive.
    pub fn new(
        device: &CudaDevice,
        problem: &'p Discrete<'p, E>,
        potentials: &Potentials,
        epsilon: f64,
    ) -> Result<Self> {
        crate::error::check_positive("epsilon", epsilon)?;
        potentials.check(problem)?;
        Self::of(Resident::new(device, &[problem])?, potentials, epsilon)
    }

    /// The plan of a problem that is on the device, alone.
    pub(super) fn of(
        mut resident: Resident<'p, E>,
        potentials: &Potentials,
        epsilon: f64,
    ) -> Result<Self> {
        let (device, problem) = (resident.device.clone(), resident.problems[0]);
        resident.activate(|_| true)?;
        resident.set_parameters(&[epsilon], &[0.0])?;
        resident.start(&[epsilon], &[Some(potentials)])?;
        let mut masses = [Vec::new(), Vec::new()];
        for (k, masses) in masses.iter_mut().enumerate() {
            resident.half_step(k, true)?;
            let side = &resident.sides[k];
            let (log_sums, own) = (side.log_sums.download()?, side.potentials.download()?);
            let weights = if k == 0 { &problem.source } else { &problem.target };
            let sums = log_sums.iter().zip(&own);
            masses.extend(weights.iter().zip(sums).map(|(w, (l, p))| match w.double() {
                w if w > 0.0 => E::of(w * (l.double() + p.double()).exp2()),
                w => E::of(w),
            }));
        }
        let mass = masses[0].iter().map(|v| v.double()).sum();
        let marginals =
            [Buffer::upload(&device, &masses[0])?, Buffer::upload(&device, &masses[1])?];
        let prescribed = prescribed_rows(problem, &potentials.f, epsilon);
        Ok(Self { resident, marginals, mass, prescribed })
    }

    /// Row sums and column sums.
    ///
    /// # Errors
    /// [`Error::Device`] if the device fails.
    pub fn marginals(&self) -> Result<(Vec<E>, Vec<E>)> {
        Ok((self.marginals[0].download()?, self.marginals[1].download()?))
    }

    /// P v for `v` of shape `[m, columns]`, row by row: shape `[n, columns]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `v` does not have m rows of at least one column; [`Error::Device`].
    pub fn apply(&self, v: &Buffer<E>) -> Result<Buffer<E>> {
        self.product(0, v, false)
    }

    /// Pᵀ v for `v` of shape `[n, columns]`, row by row: shape `[m, columns]`.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn apply_transpose(&self, v: &Buffer<E>) -> Result<Buffer<E>> {
        self.product(1, v, false)
    }

    /// Where the mass of each source goes on average, Σⱼ Pᵢⱼ yⱼ / Σⱼ Pᵢⱼ: shape `[n, d]`. The map of sources
    /// of weight zero is the limit of small weights.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if the problem is a cost matrix, which has no points.
    pub fn barycentric(&self) -> Result<Buffer<E>> {
        let crate::problem::Ground::Clouds { y, .. } = &self.resident.problems[0].ground else {
            let rule = "needs points: apply the plan to the coordinates instead";
            return Err(Error::config("barycentric projection", "a cost matrix", rule));
        };
        self.product(0, &Buffer::upload(&self.resident.device, y)?, true)
    }

    /// Gradients of the dual value in the source and target points at fixed potentials, Σⱼ Pᵢⱼ ∂c/∂xᵢ and
    /// Σᵢ Pᵢⱼ ∂c/∂yⱼ: shapes `[n, d]` and `[m, d]`. For converged potentials these are the gradients of the
    /// entropic cost (envelope theorem).
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if the problem is a cost matrix, which has no points.
    pub fn gradients(&self) -> Result<[Buffer<E>; 2]> {
        Ok([self.gradient(0)?, self.gradient(1)?])
    }

    /// What kernels read of both sides, that of side `k` first.
    pub(super) fn ground(&self, k: usize) -> (&Buffer<E>, &Buffer<E>) {
        match &self.resident.matrix {
            Some(matrix) => (matrix, matrix),
            None => (&self.resident.sides[k].points, &self.resident.sides[1 - k].points),
        }
    }

    fn product(&self, k: usize, v: &Buffer<E>, normalised: bool) -> Result<Buffer<E>> {
        let rows = self.resident.points(1 - k);
        if !v.len().is_multiple_of(rows) {
            let expected = format!("a positive multiple of {rows} numbers");
            return Err(Error::shape("what a plan is applied to", expected, v.len()));
        }
        self.contract(k, "transport_apply", Some(v), v.len() / rows, normalised, &self.marginals[k])
    }

    fn gradient(&self, k: usize) -> Result<Buffer<E>> {
        let Resident { device, sides, cost, d, .. } = &self.resident;
        if *cost == STORED {
            let rule = "needs points: differentiate the cost matrix instead";
            return Err(Error::config("gradient in the points", "a cost matrix", rule));
        }
        let masses = self.marginals[k].download()?;
        let scaled: Vec<E> = masses.iter().map(|v| E::of(v.double() * cost.scale)).collect();
        let factors = Buffer::upload(device, &scaled)?;
        let mut out = self.contract(k, "transport_gradient", None, *d, false, &factors)?;
        if let Some(inverse) = &sides[k].inverse {
            let n = self.resident.points(k);
            through_directions((&sides[k].points, inverse), n, *d, &mut out)?;
        }
        Ok(out)
    }

    /// Sums over the conditional plans of side `k`, times factors or divided by the sums of weights.
    fn contract(
        &self,
        k: usize,
        entry: &'static str,
        values: Option<&Buffer<E>>,
        outputs: usize,
        normalised: bool,
        factors: &Buffer<E>,
    ) -> Result<Buffer<E>> {
        let Resident { device, sides, cost, .. } = &self.resident;
        let rows = self.resident.points(k);
        let plan = self.resident.schedule(k, tile_rows(E::BITS), None, |_| true);
        let tasks = Buffer::upload(device, &plan.tasks)?;
        let mut partial = Buffer::zeros(device, plan.splits * rows * outputs)?;
        let mut weights = Buffer::zeros(device, plan.splits * rows)?;
        let kernel = device.modules().kernel::<E>("transport", Some(cost.form), entry)?;
        let (d, stride) = self.resident.strides(k)?;
        let (x, y) = self.ground(k);
        let mut args = vec![
            tasks.read(),
            x.read(),
            y.read(),
            d.into(),
            stride.into(),
            E::of(cost.p).scalar(),
            sides[1 - k].h.read(),
            sides[k].parameters.read(),
            sides[k].log_sums.read(),
        ];
        if let Some(values) = values {
            args.extend([values.read(), int("columns", outputs)?.into()]);
        }
        args.extend([int("points", rows)?.into(), partial.write(), weights.write()]);
        let grid = Grid { blocks: (plan.blocks(), outputs.div_ceil(32)), ..Grid::line(1, 128) };
        kernel.launch(device, grid, args)?;
        let mut out = Buffer::zeros(device, rows * outputs)?;
        let sizes = (plan.splits, rows, outputs);
        merge(device, (&partial, &weights), sizes, factors, normalised, &mut out)?;
        Ok(out)
    }

    /// Total mass of the plan.
    pub fn mass(&self) -> f64 {
        self.mass
    }

    /// Whether the plan keeps both marginals.
    pub fn is_balanced(&self) -> bool {
        is_balanced(self.resident.problems[0])
    }
}
