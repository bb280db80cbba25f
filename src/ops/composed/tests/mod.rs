//! The formulas on the CPU against its kernels: values, and gradients of everything.

mod networks;
mod others;

use dfdx::prelude::*;

use crate::random::Key;
use crate::tensor::Points;

type E = f64;
type Tape64 = OwnedTape<E, Cpu>;

fn random<const N: usize>(seed: u64, n: usize) -> Points<N, E, Cpu> {
    let values = Key::new(seed).normal(n * N).iter().map(|v| 1.5 * f64::from(*v)).collect();
    Cpu::default().tensor_from_vec(values, (n, Const))
}

/// Both round each coordinate some times, by other exponentials; the sums have up to 40 terms.
fn close(what: &str, a: &[E], b: &[E]) {
    assert_eq!(a.len(), b.len(), "{what}");
    let scale = b.iter().fold(1.0f64, |s, v| s.max(v.abs()));
    for (a, b) in a.iter().zip(b) {
        let near = (a - b).abs() <= 1e-11 * scale;
        assert!(near, "{what}: {a} for {b}");
    }
}

/// The output of an operation on `x`, and the gradients of a random functional of it.
fn differentiate<const N: usize, const M: usize>(
    x: &Points<N, E, Cpu>,
    operation: impl Fn(Points<N, E, Cpu, Tape64>) -> Points<M, E, Cpu, Tape64>,
) -> (Vec<E>, Gradients<E, Cpu>) {
    let y = operation(x.leaky_trace());
    let values = y.as_vec();
    let seeds = random::<M>(99, y.shape().0);
    (values, (y * seeds).sum().backward())
}
