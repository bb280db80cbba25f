//! Solving on a device: one problem, or many at once.

use super::buffer::DeviceReal;
use super::device::CudaDevice;
use super::resident::{cost_of, Resident};
use crate::error::{Error, Result};
use crate::problem::Discrete;
use crate::solver::{Form, Potentials, SinkhornConfig, Solution};

/// [`solver::sinkhorn`](crate::solver::sinkhorn()) on a CUDA device: the same problem, configuration and
/// outputs.
///
/// Updates are in the logarithmic domain, in the number type of the problem, without the matrix of
/// costs unless the form is [`Form::Stored`]. With [`Form::Auto`] a small problem (n·m up to about 12 000
/// in `f32`) is solved by one block. Over-relaxation and stopping are decided on the device, by the rules
/// of the CPU: the iterations are the same, up to rounding, where the CPU needs no explicit maxima (for
/// small ε it does, and then does not over-relax).
///
/// Time O(n·m·d) per iteration and memory O(n + m); with [`Form::Stored`] O(n·m) for both.
///
/// # Errors
/// Those of the CPU's solver; [`Error::InvalidConfig`] for costs that are functions;
/// [`Error::Device`] if the device fails. Costs that overflow are [`Status::Diverged`](crate::solver::Status::Diverged).
pub fn sinkhorn<E: DeviceReal>(
    device: &CudaDevice,
    config: &SinkhornConfig,
    problem: &Discrete<'_, E>,
    start: Option<&Potentials>,
) -> Result<Solution> {
    let resident = Resident::new(device, &[problem])?;
    let mut resident = if config.form == Form::Stored { resident.store()? } else { resident };
    resident.solve(config, &[start])?.pop().ok_or_else(|| Error::shape("solutions", 1, 0))
}

/// [`sinkhorn`] for problems of any sizes and costs; those of one cost and dimension at once. The
/// solutions are in the order of the problems.
///
/// # Errors
/// Those of [`sinkhorn`].
pub fn sinkhorn_batch<E: DeviceReal>(
    device: &CudaDevice,
    config: &SinkhornConfig,
    problems: &[Discrete<'_, E>],
) -> Result<Vec<Solution>> {
    let costs = problems.iter().map(cost_of).collect::<Result<Vec<_>>>()?;
    let mut solutions: Vec<Option<Solution>> = vec![None; problems.len()];
    for first in 0..problems.len() {
        if solutions[first].is_some() {
            continue;
        }
        let alone = costs[first].1 == 0 || config.form == Form::Stored;
        let alike = |k: &usize| *k == first || (!alone && costs[*k] == costs[first]);
        let group: Vec<usize> = (first..problems.len()).filter(alike).collect();
        let together: Vec<&Discrete<'_, E>> = group.iter().map(|k| &problems[*k]).collect();
        if let (true, [problem]) = (alone, &together[..]) {
            solutions[first] = Some(sinkhorn(device, config, problem, None)?);
            continue;
        }
        let starts = vec![None; group.len()];
        let solved = Resident::new(device, &together)?.solve(config, &starts)?;
        for (k, solution) in group.into_iter().zip(solved) {
            solutions[k] = Some(solution);
        }
    }
    Ok(solutions.into_iter().flatten().collect())
}
