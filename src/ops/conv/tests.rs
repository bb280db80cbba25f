//! The sweeps against loops in `f64` and against their adjoint identities.

use std::cell::Cell;

use super::*;
use crate::random::Key;

thread_local! {
    /// The instruction set that [`arch`] gives on this thread.
    pub(super) static ASKED: Cell<Option<Arch>> = const { Cell::new(None) };
}

/// y[o, p] by the formula; channels last.
pub(super) fn naive<E: Real>(c: &Convolution, x: &[E], w: &[E]) -> Vec<f64> {
    let (out, [_, inputs, ..]) = (c.output_size(), c.weight_shape());
    let mut y = Vec::new();
    for sample in x.chunks_exact(c.input_len()) {
        for p in 0..out.iter().product::<usize>() {
            let p = [p / (out[1] * out[2]), p / out[2] % out[1], p % out[2]];
            for o in 0..c.outputs {
                let mut sum = 0.0;
                for k in 0..kernel(c) {
                    let [_, ky, kx] = c.kernel;
                    let k3 = [k / (ky * kx), k / kx % ky, k % kx];
                    let at: [usize; 3] = std::array::from_fn(|a| {
                        (c.stride[a] * p[a] + c.dilation[a] * k3[a]).wrapping_sub(c.padding[a])
                    });
                    if (0..3).any(|a| at[a] >= c.size[a]) {
                        continue;
                    }
                    let at = (at[0] * c.size[1] + at[1]) * c.size[2] + at[2];
                    for i in 0..inputs {
                        let channel = o / (c.outputs / c.groups) * inputs + i;
                        sum += sample[at * c.inputs + channel].double()
                            * w[(o * inputs + i) * kernel(c) + k].double();
                    }
                }
                y.push(sum);
            }
        }
    }
    y
}

pub(super) fn normal<E: Real>(key: Key, n: usize) -> Vec<E> {
    key.normal(n).into_iter().map(|v| E::of(f64::from(v))).collect()
}

fn dot<E: Real>(a: &[E], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.double() * b).sum()
}

fn geometries() -> Vec<Convolution> {
    let image = Convolution::image;
    vec![
        image(3, 64, [7, 9], [3, 3]).padding(1),
        image(3, 5, [11, 11], [5, 5]).stride(3).padding(2),
        image(2, 9, [8, 8], [3, 3]).stride(2).padding(1),
        image(20, 70, [8, 10], [4, 4]).stride(2).padding(1),
        image(16, 33, [6, 6], [1, 1]),
        image(9, 4, [6, 6], [2, 2]).stride(2),
        image(12, 130, [4, 4], [3, 3]).padding(1),
        image(150, 17, [3, 3], [3, 3]).padding(1),
        image(10, 10, [9, 9], [3, 3]).padding(2).dilation(2),
        image(12, 8, [6, 5], [3, 3]).padding(1).groups(4),
        image(8, 8, [6, 5], [3, 3]).padding(1).groups(8),
        image(9, 5, [5, 7], [1, 2]).stride(3),
        Convolution::volume(2, 10, [5, 6, 7], [3, 3, 3]).padding(1),
        Convolution::volume(9, 35, [6, 8, 6], [3, 3, 3]).padding(1).stride(2),
        // By tiles of 2 × 2 outputs.
        image(20, 70, [9, 7], [3, 3]).padding(1),
        image(130, 16, [8, 8], [3, 3]).padding(2),
        image(16, 33, [6, 12], [3, 3]),
        Convolution::volume(16, 24, [5, 6, 7], [3, 3, 3]).padding(1),
        Convolution::volume(70, 17, [4, 6, 6], [2, 3, 3]).padding(1),
        Convolution::volume(1, 2, [4, 4, 4], [4, 4, 4]).padding(1).stride(2),
        // By tiles of 3 × 3 outputs.
        image(17, 40, [11, 8], [2, 2]).padding(1),
        Convolution::volume(20, 16, [3, 7, 9], [2, 2, 2]),
        // By phases, with rows that no output reads.
        image(16, 40, [12, 16], [4, 4]).stride(2).padding(1),
        image(20, 17, [15, 17], [4, 4]).stride(2),
        image(33, 16, [13, 14], [4, 4]).stride(2).padding(3),
    ]
}

fn agrees<E: Real>(tolerance: f64) {
    for c in geometries() {
        c.check().unwrap();
        let n = 3;
        let [x, w, g, dx, dw] = Key::new(7).split();
        let (x, w) = (normal::<E>(x, n * c.input_len()), normal::<E>(w, c.weight_len()));
        let (dx, dw) = (normal::<E>(dx, x.len()), normal::<E>(dw, w.len()));
        let g = normal::<E>(g, n * c.output_len());
        let mut y = vec![E::zero(); g.len()];
        convolve(&c, &x, &w, &mut y, Extra::none(E::one()));
        let exact = naive(&c, &x, &w);
        // Sums of products of unit normals.
        let size = exact.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
        for (y, e) in y.iter().zip(&exact) {
            assert!((y.double() - e).abs() < tolerance * size, "{c:?}: {} {e}", y.double());
        }
        // ⟨g, w ∗ x⟩ is bilinear: its gradients are those of the formula.
        let mut gx = vec![E::one(); x.len()];
        convolve_adjoint(&c, &g, &w, &mut gx, Extra { onto: true, ..Extra::none(E::one()) });
        gx.iter_mut().for_each(|v| *v -= E::one());
        let (own, by_formula) = (dot(&dx, &double(&gx)), dot(&g, &naive(&c, &dx, &w)));
        let scale = (g.len() as f64 * size).max(1.0);
        assert!((own - by_formula).abs() < tolerance * scale, "{c:?}: {own} {by_formula}");
        let mut gw = vec![E::one(); w.len()];
        add_weight_gradient(&c, &x, &g, E::of(2.0), &mut gw);
        gw.iter_mut().for_each(|v| *v = (*v - E::one()) / E::of(2.0));
        let (own, by_formula) = (dot(&dw, &double(&gw)), dot(&g, &naive(&c, &x, &dw)));
        assert!((own - by_formula).abs() < tolerance * scale, "{c:?}: {own} {by_formula}");
    }
}

fn double<E: Real>(v: &[E]) -> Vec<f64> {
    v.iter().map(|v| v.double()).collect()
}

#[test]
fn sweeps_agree_with_loops() {
    // Rounding of a sum of up to 1350 products.
    agrees::<f32>(3e-6);
    agrees::<f64>(1e-14);
}

/// Runs `each` for every instruction set that this processor has, on one thread, where loops over chunks
/// stay on the thread that asked.
pub(super) fn every_arch(each: impl Fn() + Sync) {
    let mut all = vec![Arch::Scalar];
    #[cfg(target_arch = "x86_64")]
    {
        all.extend(pulp::x86::V3::try_new().map(Arch::V3));
        all.extend(pulp::x86::V4::try_new().map(Arch::V4));
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for arch in all {
        pool.install(|| {
            ASKED.set(Some(arch));
            each();
            ASKED.set(None);
        });
    }
}

#[test]
fn every_instruction_set_agrees() {
    every_arch(|| {
        agrees::<f32>(3e-6);
        agrees::<f64>(1e-14);
    });
}

#[test]
fn extras_are_what_they_say() {
    let c = Convolution::image(5, 20, [6, 6], [3, 3]).padding(1);
    let [x, w, b, y] = Key::new(1).split();
    let (x, w) = (normal::<f64>(x, 2 * c.input_len()), normal::<f64>(w, c.weight_len()));
    let (b, before) = (normal::<f64>(b, 20), normal::<f64>(y, 2 * c.output_len()));
    let mut y = before.clone();
    convolve(&c, &x, &w, &mut y, Extra { bias: &b, scale: 0.1, onto: true, slope: 0.2 });
    for (i, sum) in naive(&c, &x, &w).iter().enumerate() {
        let z = before[i] + 0.1 * sum + b[i % 20];
        assert!((y[i] - z.max(0.2 * z)).abs() < 1e-13);
    }
}

/// Batches, and single samples that threads share: bands of positions, strips of tiles, bands of depths.
#[test]
fn sums_do_not_depend_on_threads() {
    let image = Convolution::image;
    do_not_depend_on_threads(image(8, 24, [9, 9], [3, 3]).padding(1), 11);
    do_not_depend_on_threads(image(3, 24, [20, 20], [3, 3]).padding(1), 1);
    do_not_depend_on_threads(image(12, 24, [24, 24], [3, 3]).padding(1).stride(2).groups(2), 1);
    do_not_depend_on_threads(image(16, 24, [25, 16], [3, 3]).padding(1), 1);
    do_not_depend_on_threads(Convolution::volume(16, 24, [7, 6, 7], [3; 3]).padding(1), 2);
    do_not_depend_on_threads(Convolution::volume(16, 16, [4, 6, 7], [3; 3]).padding(2), 1);
}

fn do_not_depend_on_threads(c: Convolution, n: usize) {
    let [x, g, w] = Key::new(3).split();
    let (x, g) = (normal::<f32>(x, n * c.input_len()), normal::<f32>(g, n * c.output_len()));
    let w = normal::<f32>(w, c.weight_len());
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (mut y, mut gx) = (vec![0.0; g.len()], vec![0.0; x.len()]);
            let mut gw = vec![0.0; w.len()];
            convolve(&c, &x, &w, &mut y, Extra::none(1.0));
            convolve_adjoint(&c, &g, &w, &mut gx, Extra::none(1.0));
            add_weight_gradient(&c, &x, &g, 1.0, &mut gw);
            (y, gx, gw)
        })
    };
    let one = run(1);
    assert!([2, 3, 8].into_iter().all(|threads| run(threads) == one), "{c:?}");
}
