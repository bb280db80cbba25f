//! How far the Jacobian of a perceptron is from symmetric: (J − Jᵀ) v as one differentiable operation.
//!
//! With zₗ = Wₗ hₗ₋₁ + bₗ, hₗ = σ(zₗ) and h₋₁ = x, the two products are the chains
//!
//! ```text
//! tangent:  żₗ = Wₗ ḣₗ₋₁,  ḣₗ = σ'(zₗ) ∘ żₗ,   from ḣ₋₁ = v to J v = W ḣ            (last layer W)
//! adjoint:  gₗ = δₗ₊₁ Wₗ₊₁,  δₗ = σ'(zₗ) ∘ gₗ,   from v W to Jᵀ v = δ₀ W₀
//! ```
//!
//! The backward pass runs each chain in reverse, which is the other chain with σ'' where z enters through
//! σ', and then the perceptron itself.

use dfdx::nn::modules::Linear;
use dfdx::prelude::*;

use super::dense::{add, sum_rows, Kept, Layer};
use super::device::{gradient_mut, is_constant, read, take_gradient};
use super::gemm::Into;
use super::linear::{layer, Wanted};
use super::simd::vectorised;
use super::{Activation, Real, Scratch};
use crate::tensor::Points;

/// Products with Jacobians of perceptrons as a capability of a device.
pub trait JacobianOp<E: Real>: Device<E> {
    /// (J − Jᵀ) v at each point, with J the Jacobian of the multilayer perceptron of these layers:
    /// `[n, N], [n, N] -> [n, N]`, differentiable in x and the parameters.
    fn mlp_asymmetry<const N: usize, const H: usize, A: Activation, T: Tape<E, Self>>(
        x: Points<N, E, Self, T>,
        v: &Points<N, E, Self>,
        first: &Linear<N, H, E, Self>,
        hidden: &[Linear<H, H, E, Self>],
        last: &Linear<H, N, E, Self>,
    ) -> Points<N, E, Self, T>;
}

impl<E: Real> JacobianOp<E> for Cpu
where
    Cpu: Device<E>,
{
    fn mlp_asymmetry<const N: usize, const H: usize, A: Activation, T: Tape<E, Self>>(
        x: Points<N, E, Self, T>,
        v: &Points<N, E, Self>,
        first: &Linear<N, H, E, Self>,
        hidden: &[Linear<H, H, E, Self>],
        last: &Linear<H, N, E, Self>,
    ) -> Points<N, E, Self, T> {
        let needs_x = !is_constant(&x);
        let (x, mut tape) = x.contiguous().split_tape();
        let n = x.shape().0;
        let device = x.device().clone();
        assert_eq!(v.shape().0, n, "a product with Jacobians needs as many directions as points");

        let mut layers = vec![layer(first, n)];
        layers.extend(hidden.iter().map(|h| layer(h, n)));
        layers.push(layer(last, n));
        let pass = Pass::forward::<A>(layers, read(&x), read(v), n);
        let y = device.tensor_from_vec(pass.difference(), (n, Const::<N>));

        if T::OWNS_TAPE {
            let first = (first.clone(), Wanted::of(first));
            let hidden: Vec<_> = hidden.iter().map(|h| (h.clone(), Wanted::of(h))).collect();
            let last = (last.clone(), Wanted::of(last));
            let output = y.clone();
            tape.add_backward_op(move |gradients| {
                let seed = take_gradient(gradients, &output)?;
                let (slopes, delta) = pass.backward::<A>(&seed);
                let mut slopes = slopes.iter();
                add_slopes(gradients, &first, slopes.next())?;
                for h in &hidden {
                    add_slopes(gradients, h, slopes.next())?;
                }
                add_slopes(gradients, &last, slopes.next())?;
                if needs_x {
                    let dx = gradient_mut(gradients, &x)?;
                    pass.layers[0].backward_input(&delta, n, dx, Into::Add);
                }
                Ok(())
            });
        }
        y.put_tape(tape)
    }
}

/// Gradients of a layer's weight and bias.
type Slopes<E> = [Scratch<E>; 2];

fn add_slopes<const I: usize, const O: usize, E: Real>(
    gradients: &mut Gradients<E, Cpu>,
    (to, wanted): &(Linear<I, O, E, Cpu>, Wanted),
    slopes: Option<&Slopes<E>>,
) -> Result<(), CpuError>
where
    Cpu: Device<E>,
{
    let Some([weight, bias]) = slopes else { return Ok(()) };
    if wanted.weight {
        add::<E>(gradient_mut(gradients, &to.weight)?, weight);
    }
    if wanted.bias {
        add::<E>(gradient_mut(gradients, &to.bias)?, bias);
    }
    Ok(())
}

/// What one layer with an activation keeps of the three passes through it.
struct Inner<E: Real> {
    kept: Kept<E>,
    /// ż and ḣ of the tangents.
    tangent: [Scratch<E>; 2],
    /// g and δ of the adjoints.
    adjoint: [Scratch<E>; 2],
}

struct Pass<E: Real> {
    layers: Vec<Layer<E>>,
    inner: Vec<Inner<E>>,
    x: Scratch<E>,
    v: Scratch<E>,
    n: usize,
}

impl<E: Real> Pass<E> {
    /// All chains, for layers of which the last has no activation and one at least has.
    fn forward<A: Activation>(
        layers: Vec<Layer<E>>,
        x: Scratch<E>,
        v: Scratch<E>,
        n: usize,
    ) -> Self {
        let depth = layers.len() - 1;
        let mut inner: Vec<Inner<E>> = Vec::with_capacity(depth);
        for layer in &layers[..depth] {
            let below = inner.last();
            let kept = layer.forward::<A>(below.map_or(&x, |b| &b.kept.output), n);
            let before = layer.product(below.map_or(&v, |b| &b.tangent[1]), n);
            let after = sloped::<E, A>(&before, &kept);
            let nothing = [Scratch::new(0), Scratch::new(0)];
            inner.push(Inner { kept, tangent: [before, after], adjoint: nothing });
        }
        for l in (0..depth).rev() {
            let from: &[E] = inner.get(l + 1).map_or(&v, |above| &above.adjoint[1]);
            let mut before = Scratch::new(inner[l].kept.output.len());
            layers[l + 1].backward_input(from, n, &mut before, Into::Overwrite);
            let after = sloped::<E, A>(&before, &inner[l].kept);
            inner[l].adjoint = [before, after];
        }
        Self { layers, inner, x, v, n }
    }

    /// J v − Jᵀ v.
    fn difference(&self) -> Vec<E> {
        let depth = self.inner.len();
        let tangent = self.layers[depth].product(&self.inner[depth - 1].tangent[1], self.n);
        let mut adjoint = Scratch::new(self.x.len());
        let from = &self.inner[0].adjoint[1];
        self.layers[0].backward_input(from, self.n, &mut adjoint, Into::Overwrite);
        tangent.iter().zip(&*adjoint).map(|(t, a)| *t - *a).collect()
    }

    /// Gradients of the layers, and of the first pre-activation, given that of the difference.
    fn backward<A: Activation>(&self, seed: &[E]) -> (Vec<Slopes<E>>, Scratch<E>) {
        let (n, depth) = (self.n, self.inner.len());
        let mut slopes: Vec<Slopes<E>> = self.layers.iter().map(Layer::zeros).collect();
        // Gradients of the pre-activations z, through σ'.
        let mut bent: Vec<Scratch<E>> = Vec::with_capacity(depth);

        // The adjoints in reverse: from the first layer up, with minus the seed.
        let mut down = Scratch::copy_of(seed);
        down.iter_mut().for_each(|s| *s = -*s);
        for (l, inner) in self.inner.iter().enumerate() {
            let [before, after] = &inner.adjoint;
            self.layers[l].backward_weight(after, &down, n, &mut slopes[l][0]);
            let mut up = self.layers[l].product(&down, n);
            let mut dz = Scratch::new(up.len());
            bend::<E, A>(&mut up, before, inner.kept.for_slope(), &mut dz);
            bent.push(dz);
            down = up;
        }
        self.layers[depth].backward_weight(&self.v, &down, n, &mut slopes[depth][0]);

        // The tangents in reverse, and the perceptron: from the last layer down.
        let mut tangent = Scratch::copy_of(seed);
        let mut plain: Option<Scratch<E>> = None;
        for l in (0..depth).rev() {
            let inner = &self.inner[l];
            let above = &self.layers[l + 1];
            above.backward_weight(&tangent, &inner.tangent[1], n, &mut slopes[l + 1][0]);
            let mut below = Scratch::new(inner.kept.output.len());
            above.backward_input(&tangent, n, &mut below, Into::Overwrite);
            let mut dz = Scratch::new(below.len());
            bend::<E, A>(&mut below, &inner.tangent[0], inner.kept.for_slope(), &mut dz);
            tangent = below;
            add::<E>(&mut dz, &bent[l]);
            if let Some(delta) = plain {
                above.backward_weight(&delta, &inner.kept.output, n, &mut slopes[l + 1][0]);
                sum_rows::<E>(&delta, &mut slopes[l + 1][1]);
                let mut through = Scratch::new(dz.len());
                above.backward_input(&delta, n, &mut through, Into::Overwrite);
                add_sloped::<E, A>(&through, inner.kept.for_slope(), &mut dz);
            }
            plain = Some(dz);
        }
        self.layers[0].backward_weight(&tangent, &self.v, n, &mut slopes[0][0]);
        let delta = plain.unwrap_or_else(|| Scratch::new(0));
        self.layers[0].backward_weight(&delta, &self.x, n, &mut slopes[0][0]);
        sum_rows::<E>(&delta, &mut slopes[0][1]);
        (slopes, delta)
    }
}

/// a ∘ σ'.
fn sloped<E: Real, A: Activation>(a: &[E], kept: &Kept<E>) -> Scratch<E> {
    let mut out = Scratch::new(a.len());
    times_slope::<E, A>(a, kept.for_slope(), &mut out);
    out
}

vectorised! {
    fn times_slope<E: Real, A: Activation>(a: &[E], kept: &[E], out: &mut [E]) {
        for ((out, a), k) in out.iter_mut().zip(a).zip(kept) {
            *out = *a * A::slope(*k);
        }
    }
}
vectorised! {
    /// out += a ∘ σ'
    fn add_sloped<E: Real, A: Activation>(a: &[E], kept: &[E], out: &mut [E]) {
        for ((out, a), k) in out.iter_mut().zip(a).zip(kept) {
            *out += *a * A::slope(*k);
        }
    }
}
vectorised! {
    /// dz = d ∘ a ∘ σ'', then d ∘= σ'
    fn bend<E: Real, A: Activation>(d: &mut [E], a: &[E], kept: &[E], dz: &mut [E]) {
        for ((d, dz), (a, k)) in d.iter_mut().zip(dz).zip(a.iter().zip(kept)) {
            *dz = *d * *a * A::curvature(*k);
            *d *= A::slope(*k);
        }
    }
}
