//! One update of Adam or AdamW, fused: moments, bias correction, decay and step in a single pass.

use dfdx::prelude::*;
use rayon::prelude::*;

use super::device::{gradient_mut, read, write};
use super::simd::vectorised;
use super::Real;

/// Parameters below which a tensor is updated on the calling thread.
const SERIAL: usize = 1 << 17;
/// Parameters of a chunk of a larger tensor.
const CHUNK: usize = 1 << 15;

/// The numbers of one update, the same for all parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamUpdate {
    /// Learning rate of this step.
    pub rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Number of this update, from 1.
    pub count: u64,
    /// λ of λθ, added to the gradient (Adam's L2 penalty).
    pub coupled_decay: f64,
    /// λ of the step −rate·λθ past the moments (AdamW).
    pub decoupled_decay: f64,
    /// Factor on the gradient (clipping).
    pub scale: f64,
}

/// Running means of the gradient and its square, for one tensor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments<E> {
    /// First moment.
    pub mean: Vec<E>,
    /// Second moment.
    pub square: Vec<E>,
}

/// Adam as a capability of a device.
pub trait AdamOp<E: Real>: Device<E> {
    /// Sum of squares of the gradient of `parameter`.
    fn square_norm<S: Shape>(
        parameter: &Tensor<S, E, Self>,
        gradients: &mut Gradients<E, Self>,
    ) -> f64;

    /// Updates `parameter` and its moments in place and sets its gradient to zero; moments of the wrong
    /// length start from zero.
    fn adam<S: Shape>(
        parameter: &mut Tensor<S, E, Self>,
        gradients: &mut Gradients<E, Self>,
        moments: &mut Moments<E>,
        update: &AdamUpdate,
    );
}

impl<E: Real> AdamOp<E> for Cpu
where
    Cpu: Device<E>,
{
    fn square_norm<S: Shape>(
        parameter: &Tensor<S, E, Self>,
        gradients: &mut Gradients<E, Self>,
    ) -> f64 {
        let g = gradient_mut(gradients, parameter).expect("memory for a gradient");
        sum_of_chunks(g)
    }

    fn adam<S: Shape>(
        parameter: &mut Tensor<S, E, Self>,
        gradients: &mut Gradients<E, Self>,
        moments: &mut Moments<E>,
        update: &AdamUpdate,
    ) {
        let mut values = read(parameter);
        let g = gradient_mut(gradients, parameter).expect("memory for a gradient");
        update_all(&mut values, g, moments, update);
        write(parameter, &values);
    }
}

/// The sum of squares, of chunks of fixed size added in order: it does not depend on the number of threads.
pub(super) fn sum_of_chunks<E: Real>(values: &[E]) -> f64 {
    values.chunks(CHUNK).map(|c| sum_of_squares::<E>(c)).sum()
}

/// Updates values and moments, and sets the gradient to zero.
pub(super) fn update_all<E: Real>(
    values: &mut [E],
    g: &mut [E],
    moments: &mut Moments<E>,
    update: &AdamUpdate,
) {
    for m in [&mut moments.mean, &mut moments.square] {
        if m.len() != g.len() {
            *m = vec![E::zero(); g.len()];
        }
    }
    let (mean, square) = (&mut moments.mean[..], &mut moments.square[..]);
    if g.len() < SERIAL {
        step::<E>(values, g, mean, square, update);
    } else {
        values
            .par_chunks_mut(CHUNK)
            .zip(g.par_chunks_mut(CHUNK))
            .zip(mean.par_chunks_mut(CHUNK).zip(square.par_chunks_mut(CHUNK)))
            .for_each(|((p, g), (m, v))| step::<E>(p, g, m, v, update));
    }
}

vectorised! {
    fn sum_of_squares<E: Real>(values: &[E]) -> f64 {
        let mut lanes = [0.0; 16];
        let blocks = values.chunks_exact(16);
        let rest = blocks.remainder();
        for block in blocks {
            for (lane, v) in lanes.iter_mut().zip(block) {
                *lane += v.double() * v.double();
            }
        }
        lanes.iter().sum::<f64>() + rest.iter().map(|v| v.double() * v.double()).sum::<f64>()
    }
}

vectorised! {
    fn step<E: Real>(p: &mut [E], g: &mut [E], m: &mut [E], v: &mut [E], u: &AdamUpdate) {
        let (beta1, beta2) = (E::of(u.beta1), E::of(u.beta2));
        let (new1, new2) = (E::of(1.0 - u.beta1), E::of(1.0 - u.beta2));
        let count = u.count as f64;
        let rate = E::of(u.rate / (1.0 - u.beta1.powf(count)));
        let root = E::of(1.0 / (1.0 - u.beta2.powf(count)).sqrt());
        let (scale, epsilon) = (E::of(u.scale), E::of(u.epsilon));
        let coupled = E::of(u.coupled_decay);
        let keep = E::of(1.0 - u.rate * u.decoupled_decay);
        for ((p, g), (m, v)) in p.iter_mut().zip(g).zip(m.iter_mut().zip(v)) {
            let slope = std::mem::replace(g, E::zero()) * scale + coupled * *p;
            *m = *m * beta1 + slope * new1;
            *v = *v * beta2 + slope * slope * new2;
            *p = *p * keep - rate * *m / (v.sqrt() * root + epsilon);
        }
    }
}
