//! Problems on the device.

use super::buffer::{Buffer, DeviceReal};
use super::costs::pairwise;
use super::device::CudaDevice;
use super::form::{DeviceCost, STORED};
use super::launch::{int, Grid};
use super::schedule::{schedule, Schedule};
use crate::error::{Error, Result};
use crate::problem::{Discrete, Ground};

/// Numbers per problem that kernels read of a marginal (`Side` in `common.cuh`).
pub(super) const SIDE: usize = 5;

/// Rows of a block, and most coordinates, of `softmin_tensor.cu`.
const TENSOR_ROWS: usize = 64;
const TENSOR_MOST: usize = 64;
/// Fewest coordinates that are worth it.
const TENSOR_LEAST: usize = 9;

/// Problems of one cost and dimension whose points, weights and potentials stay on the device.
///
/// They are solved together, each in its own blocks; sizes may differ. Memory is O(n + m) for clouds,
/// plus n·m for a cost matrix, which has to be the only problem.
pub struct Resident<'p, E: DeviceReal> {
    pub(super) device: CudaDevice,
    pub(super) problems: Vec<&'p Discrete<'p, E>>,
    pub(super) cost: DeviceCost,
    pub(super) d: usize,
    pub(super) matrix: Option<Buffer<E>>,
    /// The centre of each problem, if half steps go to tensor cores.
    pub(super) centres: Option<Buffer<E>>,
    pub(super) sides: [Marginal<E>; 2],
    /// The ε of each problem that the parameters on the device are for.
    pub(super) epsilon: Vec<f64>,
}

/// One marginal of all problems, one after the other.
pub(super) struct Marginal<E: DeviceReal> {
    /// Where each problem starts, and the end.
    pub(super) starts: Vec<usize>,
    pub(super) device_starts: Buffer<i32>,
    /// The problem of each point.
    pub(super) problem: Buffer<i32>,
    pub(super) points: Buffer<E>,
    /// 1 / length of each point, if points are directions.
    pub(super) inverse: Option<Buffer<E>>,
    /// Weights of sum 1, and their logarithms.
    pub(super) weights: Buffer<E>,
    pub(super) log_weights: Buffer<E>,
    pub(super) potentials: Buffer<E>,
    pub(super) h: Buffer<E>,
    pub(super) log_sums: Buffer<E>,
    pub(super) errors: Buffer<E>,
    pub(super) masses: Buffer<E>,
    /// [`SIDE`] numbers per problem: for updates, and for evaluations that keep the potentials.
    pub(super) parameters: Buffer<E>,
    pub(super) hold: Buffer<E>,
    pub(super) half: HalfStep<E>,
}

/// What the half step of a marginal works with.
pub(super) struct HalfStep<E: DeviceReal> {
    pub(super) tasks: Buffer<i32>,
    pub(super) blocks: usize,
    pub(super) splits: usize,
    pub(super) tops: Buffer<E>,
    pub(super) sums: Buffer<E>,
}

/// Cost and dimension of a problem.
pub(super) fn cost_of<E: DeviceReal>(problem: &Discrete<'_, E>) -> Result<(DeviceCost, usize)> {
    match &problem.ground {
        Ground::Clouds { d, form, .. } => Ok((DeviceCost::new(*form)?, *d)),
        Ground::Matrix(_) => Ok((STORED, 0)),
    }
}

impl<'p, E: DeviceReal> Resident<'p, E> {
    /// Copies problems to the device.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for a cost without kernels, balanced marginals of different mass, or
    /// 2³¹ points or coordinates and more; [`Error::Shape`] if costs or dimensions differ, or there is
    /// more than one problem and a cost matrix among them; [`Error::Device`] if memory is short.
    pub fn new(device: &CudaDevice, problems: &[&'p Discrete<'p, E>]) -> Result<Self> {
        let Some(first) = problems.first() else {
            return Err(Error::shape("problems", "at least one", 0));
        };
        let (cost, d) = cost_of(first)?;
        for problem in problems {
            problem.check_masses()?;
            if cost_of(problem)? != (cost, d) || (cost == STORED && problems.len() > 1) {
                let expected = format!("{cost:?} in dimension {d}, or one matrix");
                return Err(Error::shape("problems solved together", expected, "another cost"));
            }
        }
        let matrix = match &first.ground {
            Ground::Matrix(costs) => Some(Buffer::upload(device, costs)?),
            Ground::Clouds { .. } => None,
        };
        let mut this = Self {
            device: device.clone(),
            sides: [
                marginal(device, problems, 0, cost, d)?,
                marginal(device, problems, 1, cost, d)?,
            ],
            problems: problems.to_vec(),
            cost,
            d,
            matrix,
            centres: centres(device, problems, cost, d)?,
            epsilon: Vec::new(),
        };
        this.plan_half_steps()?;
        Ok(this)
    }

    /// Computes the matrix of costs once, n·m numbers; half steps then read it instead of the points.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is more than one problem; [`Error::Device`] if memory is short.
    pub fn store(mut self) -> Result<Self> {
        if self.problems.len() > 1 {
            return Err(Error::shape("problems with a stored matrix", 1, self.problems.len()));
        }
        if self.matrix.is_none() {
            let [x, y] = [&self.sides[0].points, &self.sides[1].points];
            self.matrix = Some(pairwise(self.cost, [x, y], self.problems[0].sizes(), self.d)?);
            (self.cost, self.d, self.centres) = (STORED, 0, None);
            self.plan_half_steps()?;
        }
        Ok(self)
    }

    fn plan_half_steps(&mut self) -> Result<()> {
        for k in 0..2 {
            let schedule = self.schedule(k, self.half_rows()?, None, |_| true);
            let parts = self.points(k) * schedule.splits;
            let half = &mut self.sides[k].half;
            half.tops = Buffer::zeros(&self.device, parts)?;
            half.sums = Buffer::zeros(&self.device, parts)?;
            self.set_tasks(k, &schedule)?;
        }
        Ok(())
    }

    /// Rows of a block of the half step.
    fn half_rows(&self) -> Result<usize> {
        if self.centres.is_some() {
            return Ok(TENSOR_ROWS);
        }
        let kernel = self.device.modules().softmin::<E>(self.cost.form, self.d)?;
        Ok(kernel.softmin_rows(E::BITS))
    }

    pub(super) fn schedule(
        &self,
        k: usize,
        block: usize,
        splits: Option<usize>,
        active: impl Fn(usize) -> bool,
    ) -> Schedule {
        let (rows, columns) = (&self.sides[k].starts, &self.sides[1 - k].starts);
        schedule(rows, columns, block, self.device.processors(), splits, active)
    }

    fn set_tasks(&mut self, k: usize, schedule: &Schedule) -> Result<()> {
        let half = &mut self.sides[k].half;
        half.tasks = Buffer::upload(&self.device, &schedule.tasks)?;
        half.blocks = schedule.blocks();
        half.splits = schedule.splits;
        Ok(())
    }

    /// Only these problems take part in half steps from now on.
    pub(super) fn activate(&mut self, active: impl Fn(usize) -> bool) -> Result<()> {
        let block = self.half_rows()?;
        for k in 0..2 {
            let schedule = self.schedule(k, block, Some(self.sides[k].half.splits), &active);
            self.set_tasks(k, &schedule)?;
        }
        Ok(())
    }

    /// (first, second distance, d) arguments of a kernel that works on marginal `k`.
    pub(super) fn strides(&self, k: usize) -> Result<(i32, i32)> {
        let d = int("dimension", self.d)?;
        if self.matrix.is_none() {
            return Ok((d, 0));
        }
        let columns = int("columns of the cost matrix", self.problems[0].sizes().1)?;
        Ok(if k == 0 { (columns, 1) } else { (1, columns) })
    }

    /// How many points marginal `k` has in all.
    pub(super) fn points(&self, k: usize) -> usize {
        self.sides[k].starts.last().copied().unwrap_or(0)
    }
}

/// The mean of all points of each problem, if half steps go to tensor cores.
fn centres<E: DeviceReal>(
    device: &CudaDevice,
    problems: &[&Discrete<'_, E>],
    cost: DeviceCost,
    d: usize,
) -> Result<Option<Buffer<E>>> {
    let form = matches!(cost.form, "square" | "product");
    let dimension = (TENSOR_LEAST..=TENSOR_MOST).contains(&d);
    if !(device.tensor_cores() && form && dimension && E::BITS == 32) {
        return Ok(None);
    }
    let mut all = Vec::with_capacity(problems.len() * d);
    for problem in problems {
        let Ground::Clouds { x, y, .. } = &problem.ground else { continue };
        let mut sums = vec![0.0; d];
        for point in x.chunks_exact(d).chain(y.chunks_exact(d)) {
            sums.iter_mut().zip(point).for_each(|(s, v)| *s += v.double());
        }
        let points = ((x.len() + y.len()) / d) as f64;
        all.extend(sums.iter().map(|s| E::of(s / points)));
    }
    Ok(Some(Buffer::upload(device, &all)?))
}

fn marginal<E: DeviceReal>(
    device: &CudaDevice,
    problems: &[&Discrete<'_, E>],
    k: usize,
    cost: DeviceCost,
    d: usize,
) -> Result<Marginal<E>> {
    let (mut starts, mut owner, mut points) = (vec![0], Vec::new(), Vec::new());
    let (mut weights, mut logs) = (Vec::new(), Vec::new());
    for (index, problem) in problems.iter().enumerate() {
        let own = if k == 0 { &problem.source } else { &problem.target };
        let mass = problem.masses()[k];
        weights.extend(own.iter().map(|w| E::of(w.double() / mass)));
        logs.extend(own.iter().map(|w| E::of((w.double() / mass).log2())));
        owner.extend(std::iter::repeat_n(int("problems", index)?, own.len()));
        starts.push(owner.len());
        if let Ground::Clouds { x, y, .. } = &problem.ground {
            points.extend_from_slice(if k == 0 { x } else { y });
        }
    }
    let n = owner.len();
    int("points", n)?;
    let device_starts = starts.iter().map(|v| int("points", *v)).collect::<Result<Vec<_>>>()?;
    let mut points = Buffer::upload(device, &points)?;
    let mut inverse = None;
    if cost.directions {
        let (directions, lengths) = directions(device, &points, n, d, k)?;
        (points, inverse) = (directions, Some(lengths));
    }
    let numbers = || Buffer::zeros(device, n);
    let parameters = || Buffer::zeros(device, problems.len() * SIDE);
    Ok(Marginal {
        starts,
        device_starts: Buffer::upload(device, &device_starts)?,
        problem: Buffer::upload(device, &owner)?,
        points,
        inverse,
        weights: Buffer::upload(device, &weights)?,
        log_weights: Buffer::upload(device, &logs)?,
        potentials: numbers()?,
        h: numbers()?,
        log_sums: numbers()?,
        errors: numbers()?,
        masses: numbers()?,
        parameters: parameters()?,
        hold: parameters()?,
        half: HalfStep {
            tasks: Buffer::zeros(device, 1)?,
            blocks: 0,
            splits: 1,
            tops: Buffer::zeros(device, 1)?,
            sums: Buffer::zeros(device, 1)?,
        },
    })
}

/// Points of side `k` divided by their lengths, and the inverse lengths.
pub(super) fn directions<E: DeviceReal>(
    device: &CudaDevice,
    points: &Buffer<E>,
    n: usize,
    d: usize,
    k: usize,
) -> Result<(Buffer<E>, Buffer<E>)> {
    // Where points without a direction are put, in every coordinate.
    let nowhere = E::of(if k == 0 { 1e9 } else { -1e9 }).scalar();
    let (mut out, mut inverse) = (Buffer::zeros(device, n * d)?, Buffer::zeros(device, n)?);
    let kernel = device.modules().kernel::<E>("points", None, "normalise")?;
    let sizes = (int("points", n)?.into(), int("dimension", d)?.into());
    let args = vec![points.read(), sizes.0, sizes.1, nowhere, out.write(), inverse.write()];
    kernel.launch(device, Grid::cover(n * 32, 128), args)?;
    Ok((out, inverse))
}
