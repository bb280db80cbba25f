//! The formulas of a perceptron with one output and of its input gradient, on slices.
//!
//! With hidden layers 0 … K, h₋₁ = x and the output v = w·h_K + b:
//!
//! ```text
//! zᵢ = Wᵢhᵢ₋₁ + bᵢ,  hᵢ = σ(zᵢ)                                  (value)
//! e_K = w,  dᵢ = eᵢ ∘ σ'(zᵢ),  eᵢ₋₁ = Wᵢᵀdᵢ,  ∇v(x) = e₋₁          (gradient)
//! ```
//!
//! The reverse of the second line, for the gradient p of a loss in ∇v, goes up the layers
//! (ė₋₁ = p, ḋᵢ = Wᵢėᵢ₋₁, ėᵢ = ḋᵢ ∘ σ'(zᵢ), and dᵢ ėᵢ₋₁ᵀ to the gradient of Wᵢ), and meets the first
//! line in żᵢ = ḋᵢ ∘ eᵢ ∘ σ''(zᵢ), which goes down again as any backward pass does.

use super::super::dense::sum_rows;
use super::super::gemm::Into;
use super::super::simd::vectorised;
use super::super::{Activation, Real, Scratch};
use super::net::{Net, Slopes};

/// What a layer leaves: its output, and the numbers that the derivatives of σ are functions of.
struct Level<E: Real> {
    h: Scratch<E>,
    z: Option<Scratch<E>>,
}

impl<E: Real> Level<E> {
    fn kept(&self) -> &[E] {
        self.z.as_deref().unwrap_or(&self.h)
    }
}

/// What a forward pass leaves for the backward pass: h, z, and for the gradient d and e (but for the
/// last layer, whose e is w).
pub(super) struct Pass<E: Real> {
    levels: Vec<Level<E>>,
    d: Vec<Scratch<E>>,
    e: Vec<Scratch<E>>,
}

impl<E: Real> Pass<E> {
    /// h and z at the rows of `x`.
    pub(super) fn forward<A: Activation>(net: &Net<E>, x: &[E]) -> Self {
        let mut levels: Vec<Level<E>> = Vec::with_capacity(net.layers.len());
        for layer in &net.layers {
            let mut h = layer.forward(levels.last().map_or(x, |below| &below.h));
            let mut z = (!A::FROM_OUTPUT).then(|| Scratch::new(h.len()));
            match &mut z {
                Some(z) => shift_activate_keep::<E, A>(&mut h, z, &layer.bias),
                None => shift_activate::<E, A>(&mut h, &layer.bias),
            }
            levels.push(Level { h, z });
        }
        Self { levels, d: Vec::new(), e: Vec::new() }
    }

    /// v to `out` `[rows]`.
    pub(super) fn write_value(&self, net: &Net<E>, out: &mut [E]) {
        let h = &self.levels[net.last()].h;
        for (h, out) in h.chunks_exact(net.width()).zip(out) {
            // In double precision: the terms of a value cancel.
            let dot: f64 = h.iter().zip(&*net.head).map(|(h, w)| h.double() * w.double()).sum();
            *out = E::of(dot + net.shift.double());
        }
    }

    /// ∇v to `out` `[rows, inputs]`.
    pub(super) fn write_gradient<A: Activation>(&mut self, net: &Net<E>, out: &mut [E]) {
        let mut d = Scratch::new(self.levels[net.last()].h.len());
        head_slope::<E, A>(&mut d, &net.head, self.levels[net.last()].kept());
        for i in (0..net.last()).rev() {
            let mut e = Scratch::new(d.len());
            net.layers[i + 1].backward(&d, &mut e, Into::Overwrite);
            let above = std::mem::replace(&mut d, Scratch::new(e.len()));
            times_slope::<E, A>(&mut d, &e, self.levels[i].kept());
            self.d.push(above);
            self.e.push(e);
        }
        net.layers[0].backward(&d, out, Into::Overwrite);
        self.d.push(d);
        self.d.reverse();
        self.e.reverse();
    }

    /// Adds the gradients of the parameters and, in `dx`, of the points, given that of ∇v.
    pub(super) fn backward<A: Activation>(
        &self,
        net: &Net<E>,
        x: &[E],
        seed: &[E],
        slopes: &mut Slopes<E>,
        dx: Option<&mut [E]>,
    ) {
        // Up, along the reverse of the gradient's line.
        let mut bent: Vec<Scratch<E>> = Vec::with_capacity(net.layers.len());
        let mut up = Scratch::copy_of(seed);
        for (i, layer) in net.layers.iter().enumerate() {
            layer.add_products(&self.d[i], &up, &mut slopes.weights[i]);
            up = layer.forward(&up);
            let mut dz = Scratch::new(up.len());
            let kept = self.levels[i].kept();
            match self.e.get(i) {
                Some(e) => bend::<E, A>(&mut up, &mut dz, e, kept),
                None => head_bend::<E, A>(&mut up, &mut dz, &net.head, kept),
            }
            bent.push(dz);
        }
        sum_rows::<E>(&up, &mut slopes.head);

        // Down, along the reverse of the value's line.
        let mut above: Option<Scratch<E>> = None;
        for i in (0..net.layers.len()).rev() {
            let dz = &mut bent[i];
            if let Some(dh) = &above {
                add_slope::<E, A>(dz, dh, self.levels[i].kept());
            }
            sum_rows::<E>(dz, &mut slopes.biases[i]);
            let below = if i == 0 { x } else { &self.levels[i - 1].h };
            net.layers[i].add_products(dz, below, &mut slopes.weights[i]);
            if i > 0 {
                let mut dh = Scratch::new(dz.len());
                net.layers[i].backward(dz, &mut dh, Into::Overwrite);
                above = Some(dh);
            }
        }
        if let Some(dx) = dx {
            net.layers[0].backward(&bent[0], dx, Into::Add);
        }
    }
}

vectorised! {
    /// h = σ(h + b)
    fn shift_activate<E: Real, A: Activation>(h: &mut [E], bias: &[E]) {
        for h in h.chunks_exact_mut(bias.len()) {
            for (h, b) in h.iter_mut().zip(bias) {
                *h = A::value(*h + *b);
            }
        }
    }
}
vectorised! {
    /// z = h + b, h = σ(z)
    fn shift_activate_keep<E: Real, A: Activation>(h: &mut [E], z: &mut [E], bias: &[E]) {
        let width = bias.len();
        for (h, z) in h.chunks_exact_mut(width).zip(z.chunks_exact_mut(width)) {
            for ((h, z), b) in h.iter_mut().zip(z).zip(bias) {
                *z = *h + *b;
                *h = A::value(*z);
            }
        }
    }
}
vectorised! {
    /// d = w ∘ σ'
    fn head_slope<E: Real, A: Activation>(d: &mut [E], head: &[E], kept: &[E]) {
        let width = head.len();
        for (d, k) in d.chunks_exact_mut(width).zip(kept.chunks_exact(width)) {
            for ((d, w), k) in d.iter_mut().zip(head).zip(k) {
                *d = *w * A::slope(*k);
            }
        }
    }
}
vectorised! {
    /// d = e ∘ σ'
    fn times_slope<E: Real, A: Activation>(d: &mut [E], e: &[E], kept: &[E]) {
        for ((d, e), k) in d.iter_mut().zip(e).zip(kept) {
            *d = *e * A::slope(*k);
        }
    }
}
vectorised! {
    /// dz = dd ∘ e ∘ σ'', then dd ∘= σ'
    fn bend<E: Real, A: Activation>(dd: &mut [E], dz: &mut [E], e: &[E], kept: &[E]) {
        for ((dd, dz), (e, k)) in dd.iter_mut().zip(dz).zip(e.iter().zip(kept)) {
            *dz = *dd * *e * A::curvature(*k);
            *dd *= A::slope(*k);
        }
    }
}
vectorised! {
    /// The same with e = w in every row.
    fn head_bend<E: Real, A: Activation>(dd: &mut [E], dz: &mut [E], head: &[E], kept: &[E]) {
        let width = head.len();
        let rows = dd.chunks_exact_mut(width).zip(dz.chunks_exact_mut(width));
        for ((dd, dz), k) in rows.zip(kept.chunks_exact(width)) {
            for ((dd, dz), (w, k)) in dd.iter_mut().zip(dz).zip(head.iter().zip(k)) {
                *dz = *dd * *w * A::curvature(*k);
                *dd *= A::slope(*k);
            }
        }
    }
}
vectorised! {
    /// dz += dh ∘ σ'
    fn add_slope<E: Real, A: Activation>(dz: &mut [E], dh: &[E], kept: &[E]) {
        for ((dz, dh), k) in dz.iter_mut().zip(dh).zip(kept) {
            *dz += *dh * A::slope(*k);
        }
    }
}
