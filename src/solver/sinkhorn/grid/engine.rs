//! Potentials on grids and their updates.

use rayon::prelude::*;

use super::average::Averaged;
use super::axis::{rounded, Kernel};
use crate::error::Result;
use crate::ops::parallel::for_each_chunk;
use crate::ops::simd::vectorised;
use crate::ops::{Real, Scratch};
use crate::problem::Gridded;
use crate::solver::sinkhorn::engine::relief;
use crate::solver::sinkhorn::shape::Contract;

/// Stands for log₂ 0: far below every exponent, yet finite.
const NOTHING: f64 = -1e30;
/// Points of a partial sum.
const CHUNK: usize = 4096;

/// One marginal.
pub(super) struct Side<E: Real> {
    /// Weights, of sum 1 if the problem is balanced.
    pub(super) weight: Vec<E>,
    log_weight: Vec<E>,
    /// Potentials in units of ε ln 2.
    pub(super) potential: Vec<E>,
    pub(super) tau: f64,
    /// The kernels that end at this side, one for each axis.
    kernels: Vec<Kernel<E>>,
}

pub(super) struct Engine<E: Real> {
    pub(super) sides: [Side<E>; 2],
}

/// L1 distance of a marginal to what the potentials prescribe, and the sum of the latter.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    error: f64,
    mass: f64,
}

impl Tally {
    pub(super) fn relative(self) -> f64 {
        self.error / self.mass
    }
}

fn kernels<E: Real, W: Real>(problem: &Gridded<W>, epsilon: f64) -> Result<[Vec<Kernel<E>>; 2]> {
    let (mut to_source, mut to_target) = (Vec::new(), Vec::new());
    for axis in &problem.axes {
        let (n, m) = axis.sizes();
        let costs = axis.costs();
        let transposed: Vec<f64> = (0..n * m).map(|k| costs[k % n * m + k / n]).collect();
        to_source.push(Kernel::new(&transposed, m, epsilon)?);
        to_target.push(Kernel::new(costs, n, epsilon)?);
    }
    Ok([to_source, to_target])
}

impl<E: Real> Engine<E> {
    /// Weights are divided by `masses`; potentials are zero. The number type may be another one than
    /// that of the problem.
    pub(super) fn new<W: Real>(
        problem: &Gridded<W>,
        masses: [f64; 2],
        epsilon: f64,
    ) -> Result<Self> {
        let [first, second] = kernels(problem, epsilon)?;
        let side = |k: usize, weights: &[W], kernels| {
            let share = |w: &W| w.double() / masses[k];
            let log = |w: &W| if *w > W::zero() { share(w).log2() } else { NOTHING };
            Side {
                weight: weights.iter().map(|w| E::of(share(w))).collect(),
                log_weight: weights.iter().map(|w| E::of(log(w))).collect(),
                potential: vec![E::zero(); weights.len()],
                tau: problem.relaxation[k].tau(),
                kernels,
            }
        };
        Ok(Self { sides: [side(0, &problem.source, first), side(1, &problem.target, second)] })
    }

    /// Another ε: potentials keep their values in the units of the cost.
    pub(super) fn change<W: Real>(
        &mut self,
        problem: &Gridded<W>,
        from: f64,
        to: f64,
    ) -> Result<()> {
        let ratio = E::of(from / to);
        for (side, kernels) in self.sides.iter_mut().zip(kernels(problem, to)?) {
            side.kernels = kernels;
            side.potential.iter_mut().for_each(|p| *p *= ratio);
        }
        Ok(())
    }

    /// The kernels from sources to targets, one for each axis.
    pub(super) fn kernels_to_target(&self) -> &[Kernel<E>] {
        &self.sides[1].kernels
    }

    /// log₂ of weights and potentials of the side opposite to `k`.
    pub(super) fn weighted(&self, k: usize) -> Scratch<E> {
        let Side { log_weight, potential, .. } = &self.sides[1 - k];
        let mut out = Scratch::new(potential.len());
        for_each_chunk(&mut out, CHUNK, |c, out| {
            let here = c * CHUNK..c * CHUNK + out.len();
            let terms = log_weight[here.clone()].iter().zip(&potential[here]);
            out.iter_mut().zip(terms).for_each(|(o, (w, p))| *o = *w + *p);
        });
        out
    }

    /// log₂ of the sums over the other side, at every point of side `k`.
    pub(super) fn sums(&self, k: usize) -> Scratch<E> {
        let mut x = self.weighted(k);
        for kernel in &self.sides[k].kernels {
            let mut y = Scratch::new(x.len() / kernel.n * kernel.m);
            kernel.pass(&x, &mut y);
            x = y;
        }
        x
    }

    /// At every point of side `k`, the mean of `values` on the other side, plus that of `price` · C̃,
    /// under the plan of the potentials.
    pub(super) fn averages(&self, k: usize, values: &[E], price: f64) -> Scratch<E> {
        let (mut x, mut t) = (self.weighted(k), Scratch::copy_of(values));
        for kernel in &self.sides[k].kernels {
            let len = x.len() / kernel.n * kernel.m;
            let (mut y, mut z) = (Scratch::new(len), Scratch::new(len));
            kernel.pass(&x, &mut y);
            kernel.averages(&x, &y, Averaged { t: &t, price: E::of(price) }, &mut z);
            (x, t) = (y, z);
        }
        t
    }

    /// Updates the potentials of side `k` with over-relaxation ω, or leaves them for ω = 0; what the
    /// marginal was before, and log₂ of the sums.
    pub(super) fn update(&mut self, k: usize, omega: f64) -> (Tally, Scratch<E>) {
        let sums = self.sums(k);
        let Side { weight, potential, tau, .. } = &mut self.sides[k];
        // Where a marginal is relaxed, all of it may be below the least number.
        let top = if *tau < 1.0 { top(weight, &sums, potential, *tau) } else { E::zero() };
        let factors = [E::of(*tau), E::of(relief(*tau)), E::of(omega), top];
        let chunks = potential.par_chunks_mut(CHUNK).zip(weight.par_chunks(CHUNK));
        let tallies: Vec<Tally> = chunks
            .zip(sums.par_chunks(CHUNK))
            .map(|((phi, a), s)| {
                let [error, mass] = rounded!(step(factors, a, s, phi));
                Tally { error: error.double(), mass: mass.double() }
            })
            .collect();
        let tally = tallies.iter().fold(Tally::default(), |all, t| Tally {
            error: all.error + t.error,
            mass: all.mass + t.mass,
        });
        (tally, sums)
    }

    /// Moves the best constant between the potentials, if a marginal is relaxed (arXiv:2201.00730):
    /// κ₁κ₂ / (κ₁ + κ₂) · (log ⟨a, e^(−f/κ₁)⟩ − log ⟨b, e^(−g/κ₂)⟩) with κ = τ / (1 − τ).
    pub(super) fn translate(&mut self) {
        let relief = self.sides.each_ref().map(|s| relief(s.tau));
        if relief == [0.0; 2] {
            return;
        }
        let [a, b] = [0, 1].map(|k| {
            let Side { weight, potential, .. } = &self.sides[k];
            let top =
                tilts(weight, potential, relief[k]).fold(f64::NEG_INFINITY, |t, [_, e]| t.max(e));
            let terms = weight.par_chunks(CHUNK).zip(potential.par_chunks(CHUNK));
            let sum = |(w, p)| tilts(w, p, relief[k]).map(|[w, e]| w * (e - top).exp2()).sum();
            let parts: Vec<f64> = terms.map(sum).collect();
            top + parts.iter().sum::<f64>().log2()
        });
        let best = (a - b) / (relief[0] + relief[1]);
        if best.is_finite() {
            for (side, sign) in self.sides.iter_mut().zip([best, -best]) {
                side.potential.iter_mut().for_each(|p| *p += E::of(sign));
            }
        }
    }
}

/// Weights and log₂ exp(−f / λ) of the points that have weight.
fn tilts<'p, E: Real>(
    weight: &'p [E],
    potential: &'p [E],
    relief: f64,
) -> impl Iterator<Item = [f64; 2]> + 'p {
    let present = weight.iter().zip(potential).filter(|(w, _)| **w > E::zero());
    present.map(move |(w, p)| [w.double(), -relief * p.double()])
}

const LANES: usize = 16;

/// log₂ of the largest of what marginals of weight 1 are or should be, over the points that have weight.
fn top<E: Real>(weight: &[E], sums: &[E], potential: &[E], tau: f64) -> E {
    let relief = E::of(relief(tau));
    let chunks = weight.par_chunks(CHUNK).zip(sums.par_chunks(CHUNK));
    let each = chunks.zip(potential.par_chunks(CHUNK));
    each.map(|((a, s), phi)| largest::<E>(relief, a, s, phi)).reduce(E::min_value, E::max)
}

vectorised! {
    fn largest<E: Real>(relief: E, a: &[E], s: &[E], phi: &[E]) -> E {
        let mut best = [E::min_value(); LANES];
        for ((a, s), phi) in a.chunks(LANES).zip(s.chunks(LANES)).zip(phi.chunks(LANES)) {
            for l in 0..a.len() {
                let (is, due) = (phi[l] + s[l], -relief * phi[l]);
                let v = if is > due { is } else { due };
                let v = if a[l] > E::zero() { v } else { E::min_value() };
                best[l] = if v > best[l] { v } else { best[l] };
            }
        }
        best.iter().fold(E::min_value(), |b, v| if *v > b { *v } else { b })
    }
}

vectorised! {
    /// φ ← (1 − ω) φ − ω τ s; the error and the mass of the marginal a 2^(φ + s) before, by 2^top.
    fn step<E: Real, T: Contract>(factors: [E; 4], a: &[E], s: &[E], phi: &mut [E]) -> [E; 2] {
        let mut sums = [[E::zero(); LANES]; 2];
        let full = phi.len() - phi.len() % LANES;
        for k in (0..full).step_by(LANES) {
            let here = k..k + LANES;
            lanes::<E, T>(factors, &a[here.clone()], &s[here.clone()], &mut phi[here], &mut sums);
        }
        lanes::<E, T>(factors, &a[full..], &s[full..], &mut phi[full..], &mut sums);
        sums.map(|lanes| lanes.iter().fold(E::zero(), |sum, v| sum + *v))
    }
}

/// At most as many points as there are lanes. A function, since a closure that is called twice would
/// be compiled without the instructions of its caller.
#[inline(always)]
fn lanes<E: Real, T: Contract>(
    [tau, relief, omega, top]: [E; 4],
    a: &[E],
    s: &[E],
    phi: &mut [E],
    [errors, masses]: &mut [[E; LANES]; 2],
) {
    for (l, phi) in phi.iter_mut().enumerate() {
        let change = -tau * s[l] - *phi;
        let marginal = a[l] * T::exp2(*phi + s[l] - top);
        let due = a[l] * T::exp2(-relief * *phi - top);
        errors[l] += (marginal - due).abs();
        masses[l] += due;
        *phi += omega * change;
    }
}
