//! Pairwise costs of points on the device, their gradients and statistics.

use super::buffer::{Buffer, DeviceReal};
use super::device::CudaDevice;
use super::finish::merge;
use super::form::DeviceCost;
use super::launch::{int, tile_rows, Grid};
use super::resident::{cost_of, directions};
use super::schedule::schedule;
use crate::error::{check_count, Error, Result};
use crate::ops::RowCost;
use crate::problem::{Discrete, Ground};
use crate::solver::Statistics;

/// Two clouds as the kernels want them.
struct Clouds<'b, E: DeviceReal> {
    x: &'b Buffer<E>,
    y: &'b Buffer<E>,
    /// Directions and inverse lengths of x and y.
    directions: Option<[(Buffer<E>, Buffer<E>); 2]>,
    n: usize,
    m: usize,
    d: usize,
}

impl<'b, E: DeviceReal> Clouds<'b, E> {
    fn new(x: &'b Buffer<E>, y: &'b Buffer<E>, d: usize, cost: DeviceCost) -> Result<Self> {
        check_count("dimension", d)?;
        for (what, cloud) in [("source points", x), ("target points", y)] {
            if !cloud.len().is_multiple_of(d) {
                let expected = format!("a positive multiple of {d} numbers (one row per point)");
                return Err(Error::shape(what, expected, format!("{} numbers", cloud.len())));
            }
        }
        let (n, m) = (x.len() / d, y.len() / d);
        let of = |cloud, n, side| directions(x.device(), cloud, n, d, side);
        let directions = if cost.directions { Some([of(x, n, 0)?, of(y, m, 1)?]) } else { None };
        Ok(Self { x, y, directions, n, m, d })
    }

    /// Points or directions.
    fn points(&self) -> [&Buffer<E>; 2] {
        match &self.directions {
            Some([x, y]) => [&x.0, &y.0],
            None => [self.x, self.y],
        }
    }
}

/// c(xᵢ, yⱼ) for points `x: [n, d]` and `y: [m, d]`, row by row: shape `[n, m]`. Differences are taken
/// before anything is summed, so that nothing cancels for points far from the origin.
///
/// Time O(n·m·d). Differentiable with [`cost_gradients`].
///
/// # Errors
/// [`Error::InvalidConfig`] for a cost that is a function; [`Error::Shape`] if a length is no multiple
/// of `d`; [`Error::Device`] if the device fails.
pub fn cost_matrix<E: DeviceReal, C: RowCost<E>>(
    cost: &C,
    x: &Buffer<E>,
    y: &Buffer<E>,
    d: usize,
) -> Result<Buffer<E>> {
    let cost = DeviceCost::new(cost.form())?;
    let clouds = Clouds::new(x, y, d, cost)?;
    pairwise(cost, clouds.points(), (clouds.n, clouds.m), d)
}

/// The matrix of costs of points or directions.
pub(super) fn pairwise<E: DeviceReal>(
    cost: DeviceCost,
    [x, y]: [&Buffer<E>; 2],
    (n, m): (usize, usize),
    d: usize,
) -> Result<Buffer<E>> {
    let device = x.device();
    let mut out = Buffer::zeros(device, n * m)?;
    let kernel = device.modules().kernel::<E>("cost_matrix", Some(cost.form), "cost_matrix")?;
    let args = vec![
        x.read(),
        y.read(),
        int("source points", n)?.into(),
        int("target points", m)?.into(),
        int("dimension", d)?.into(),
        E::of(cost.p).scalar(),
        E::of(cost.scale).scalar(),
        out.write(),
    ];
    let blocks = n.div_ceil(tile_rows(E::BITS)) * m.div_ceil(128);
    kernel.launch(device, Grid::line(blocks, 128), args)?;
    Ok(out)
}

/// Gradients of Σᵢⱼ gᵢⱼ c(xᵢ, yⱼ) in `x` and in `y`, for `upstream` g of shape `[n, m]`.
///
/// Time O(n·m·d), without atomic operations.
///
/// # Errors
/// As [`cost_matrix`], and [`Error::Shape`] if there are not n·m numbers of g.
pub fn cost_gradients<E: DeviceReal, C: RowCost<E>>(
    cost: &C,
    x: &Buffer<E>,
    y: &Buffer<E>,
    d: usize,
    upstream: &Buffer<E>,
) -> Result<[Buffer<E>; 2]> {
    let cost = DeviceCost::new(cost.form())?;
    let clouds = Clouds::new(x, y, d, cost)?;
    if upstream.len() != clouds.n * clouds.m {
        return Err(Error::shape("upstream gradients", clouds.n * clouds.m, upstream.len()));
    }
    let mut of_x = gradient(&clouds, cost, upstream, 0)?;
    let mut of_y = gradient(&clouds, cost, upstream, 1)?;
    if let Some([x, y]) = &clouds.directions {
        through_directions((&x.0, &x.1), clouds.n, d, &mut of_x)?;
        through_directions((&y.0, &y.1), clouds.m, d, &mut of_y)?;
    }
    Ok([of_x, of_y])
}

/// The gradient in the points of side `k`, or in their directions.
fn gradient<E: DeviceReal>(
    clouds: &Clouds<'_, E>,
    cost: DeviceCost,
    upstream: &Buffer<E>,
    k: usize,
) -> Result<Buffer<E>> {
    let (device, d) = (clouds.x.device(), clouds.d);
    let sizes = [clouds.n, clouds.m];
    let (rows, columns) = (sizes[k], sizes[1 - k]);
    let block = tile_rows(E::BITS);
    let plan = schedule(&[0, rows], &[0, columns], block, device.processors(), None, |_| true);
    let tasks = Buffer::upload(device, &plan.tasks)?;
    let mut partial = Buffer::zeros(device, plan.splits * rows * d)?;
    let mut weights = Buffer::zeros(device, plan.splits * rows)?;
    let kernel = device.modules().kernel::<E>("cost_matrix", Some(cost.form), "cost_gradient")?;
    let m = int("target points", clouds.m)?;
    let (step, across) = if k == 0 { (m, 1) } else { (1, m) };
    let points = clouds.points();
    let args = vec![
        tasks.read(),
        points[k].read(),
        points[1 - k].read(),
        int("dimension", d)?.into(),
        E::of(cost.p).scalar(),
        E::of(cost.scale).scalar(),
        upstream.read(),
        step.into(),
        across.into(),
        int("points", rows)?.into(),
        partial.write(),
        weights.write(),
    ];
    let grid = Grid { blocks: (plan.blocks(), d.div_ceil(32)), ..Grid::line(1, 128) };
    kernel.launch(device, grid, args)?;
    let mut out = Buffer::zeros(device, rows * d)?;
    let ones = Buffer::upload(device, &vec![E::one(); rows])?;
    merge(device, (&partial, &weights), (plan.splits, rows, d), &ones, false, &mut out)?;
    Ok(out)
}

/// From gradients in directions to those in points.
pub(super) fn through_directions<E: DeviceReal>(
    (directions, inverse): (&Buffer<E>, &Buffer<E>),
    n: usize,
    d: usize,
    gradients: &mut Buffer<E>,
) -> Result<()> {
    let device = directions.device();
    let kernel = device.modules().kernel::<E>("points", None, "normalise_gradient")?;
    let (n_, d) = (int("points", n)?.into(), int("dimension", d)?.into());
    let args = vec![directions.read(), inverse.read(), n_, d, gradients.write()];
    kernel.launch(device, Grid::cover(n * 32, 128), args)
}

/// Mean, deviation and largest absolute value of the costs of a problem.
pub(super) fn statistics<E: DeviceReal>(
    device: &CudaDevice,
    problem: &Discrete<'_, E>,
) -> Result<Statistics> {
    let (n, m) = problem.sizes();
    let (cost, _) = cost_of(problem)?;
    let kernel = device.modules().kernel::<E>("cost_matrix", Some(cost.form), "cost_statistics")?;
    let blocks = n.div_ceil(tile_rows(E::BITS));
    let mut out = Buffer::zeros(device, 3 * blocks)?;
    let run = |x: &Buffer<E>, y: &Buffer<E>, d: usize, out: &mut Buffer<f64>| {
        let args = vec![
            x.read(),
            y.read(),
            int("source points", n)?.into(),
            int("target points", m)?.into(),
            int("dimension", d)?.into(),
            1.into(),
            E::of(cost.p).scalar(),
            E::of(cost.scale).scalar(),
            out.write(),
        ];
        kernel.launch(device, Grid::line(blocks, 128), args)
    };
    match &problem.ground {
        Ground::Matrix(costs) => {
            let costs = Buffer::upload(device, costs)?;
            run(&costs, &costs, m, &mut out)?;
        }
        Ground::Clouds { x, y, d, .. } => {
            let (x, y) = (Buffer::upload(device, x)?, Buffer::upload(device, y)?);
            let clouds = Clouds::new(&x, &y, *d, cost)?;
            let [x, y] = clouds.points();
            run(x, y, *d, &mut out)?;
        }
    }
    let parts = out.download()?;
    let sums = parts
        .chunks_exact(3)
        .fold([0.0, 0.0, 0.0], |a, b| [a[0] + b[0], a[1] + b[1], f64::max(a[2], b[2])]);
    Statistics::new(sums, n as f64 * m as f64)
}
