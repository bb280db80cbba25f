//! Channel by channel against loops in `f64`, and against the kernels that work channels last.

use super::super::tests::{every_arch, naive, normal};
use super::*;
use crate::random::Key;

/// Small and odd sizes; `by_planes` would leave some of them to other kernels.
fn geometries() -> Vec<Convolution> {
    let image = Convolution::image;
    vec![
        image(3, 64, [7, 9], [3, 3]).padding(1),
        image(1, 1, [1, 1], [1, 1]),
        image(2, 7, [1, 1], [3, 3]).padding(1),
        image(3, 8, [5, 33], [3, 3]),
        image(1, 13, [6, 8], [5, 5]).padding(2),
        image(4, 9, [9, 20], [3, 3]).padding(2).dilation(2),
        image(2, 6, [10, 17], [3, 2]).padding(1).dilation(3),
        image(48, 5, [4, 16], [1, 1]),
        Convolution::volume(1, 10, [4, 5, 11], [3, 3, 3]).padding(1),
        Convolution::volume(2, 3, [3, 4, 8], [2, 2, 2]),
    ]
}

/// Images the other way round: `[sample, rows, columns]` to `[sample, columns, rows]`.
fn turned<E: Real>(v: &[E], rows: usize, columns: usize) -> Vec<E> {
    let turn = |v: &[E]| (0..v.len()).map(|i| v[i % rows * columns + i / rows]).collect::<Vec<_>>();
    v.chunks_exact(rows * columns).flat_map(turn).collect()
}

fn double<E: Real>(v: &[E]) -> Vec<f64> {
    v.iter().map(|v| v.double()).collect()
}

fn close(own: &[f64], exact: &[f64], tolerance: f64, c: &Convolution) {
    let size = exact.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
    assert_eq!(own.len(), exact.len());
    for (own, exact) in own.iter().zip(exact) {
        assert!((own - exact).abs() < tolerance * size, "{c:?}: {own} {exact}");
    }
}

fn agrees<E: Real>(tolerance: f64) {
    for c in geometries() {
        c.check().unwrap();
        let (n, positions) = (3, c.size.iter().product());
        let to = c.output_len() / c.outputs;
        let [x, w, g, b] = Key::new(5).split();
        let (x, w) = (normal::<E>(x, n * c.input_len()), normal::<E>(w, c.weight_len()));
        let (g, b) = (normal::<E>(g, n * c.output_len()), normal::<E>(b, c.outputs));
        let last = turned(&x, c.inputs, positions);
        let mut y = vec![E::zero(); g.len()];
        let extra = Extra { bias: &b, scale: E::of(0.5), onto: false, slope: E::of(0.2) };
        convolve(&c, &x, &w, &mut y, extra);
        let exact = naive(&c, &last, &w).into_iter().enumerate().map(|(i, sum)| {
            let z = 0.5 * sum + b[i % c.outputs].double();
            z.max(0.2 * z)
        });
        let exact: Vec<_> = exact.collect();
        close(&double(&turned(&y, c.outputs, to)), &exact, tolerance, &c);

        let both = Wanted { parameters: true, input: true };
        let [gw, gb, gx] = gradients(&c, &x, &g, (&w, E::of(2.0)), both);
        // In double precision by the kernels that have tests of their own.
        let (last, slopes) = (double(&last), double(&turned(&g, c.outputs, to)));
        let mut exact = vec![0.0; w.len()];
        super::super::add_weight_gradient(&c, &last, &slopes, 2.0, &mut exact);
        close(&double(&gw), &exact, tolerance, &c);
        let mut exact = vec![0.0; x.len()];
        let extra = Extra { scale: 2.0, ..Extra::none(1.0) };
        super::super::convolve_adjoint(&c, &slopes, &double(&w), &mut exact, extra);
        close(&double(&turned(&gx, c.inputs, positions)), &exact, tolerance, &c);
        let sum = |o| 2.0 * slopes.iter().skip(o).step_by(c.outputs).sum::<f64>();
        let exact: Vec<_> = (0..c.outputs).map(sum).collect();
        close(&double(&gb), &exact, tolerance, &c);

        let one =
            gradients(&c, &x, &g, (&w, E::of(2.0)), Wanted { parameters: false, input: true });
        assert!(one[0].is_empty() && one[1].is_empty() && one[2][..] == gx[..]);
        let one =
            gradients(&c, &[], &g, (&w, E::of(2.0)), Wanted { parameters: false, input: true });
        assert!(one[2][..] == gx[..], "the input is not needed for its gradient");
        let one =
            gradients(&c, &x, &g, (&w, E::of(2.0)), Wanted { parameters: true, input: false });
        assert!(one[0][..] == gw[..] && one[1][..] == gb[..] && one[2].is_empty());
    }
}

#[test]
fn planes_agree_with_loops() {
    every_arch(|| {
        // Rounding of sums of up to 3 · 320 products.
        agrees::<f32>(3e-6);
        agrees::<f64>(1e-14);
    });
}

#[test]
fn other_convolutions_go_other_ways() {
    let image = Convolution::image;
    assert!(by_planes(&image(3, 64, [32, 32], [3, 3]).padding(1)));
    assert!(by_planes(&image(4, 64, [32, 32], [3, 3]).padding(2).dilation(2)));
    for other in [
        image(6, 64, [32, 32], [3, 3]).padding(1),
        image(3, 64, [32, 32], [3, 3]).padding(1).stride(2),
        image(3, 64, [32, 32], [3, 3]).padding(3),
        image(4, 64, [32, 32], [3, 3]).padding(1).groups(2),
        image(3, 64, [32, 4], [3, 3]).padding(1),
    ] {
        assert!(!by_planes(&other), "{other:?}");
    }
}

#[test]
fn what_is_no_number_stays_so() {
    let c = Convolution::image(3, 5, [6, 11], [3, 3]).padding(1);
    let (mut x, w) = (vec![1.0_f32; c.input_len()], vec![1.0; c.weight_len()]);
    x[2 * 11 + 4] = f32::NAN;
    let mut y = vec![0.0; c.output_len()];
    convolve(&c, &x, &w, &mut y, Extra { slope: 0.0, ..Extra::none(1.0) });
    for (i, y) in y.iter().enumerate() {
        let near = (i % 66 / 11).abs_diff(2) <= 1 && (i % 11).abs_diff(4) <= 1;
        assert_eq!(y.is_nan(), near);
    }
    let both = Wanted { parameters: true, input: true };
    let [gw, gb, gx] = gradients(&c, &x, &vec![1.0; y.len()], (&w, 1.0), both);
    assert!(gw.iter().enumerate().all(|(i, w)| w.is_nan() == (i % 27 < 9)));
    assert!(gb.iter().chain(gx.iter()).all(|v| v.is_finite()));
}

#[test]
fn gradients_do_not_depend_on_threads() {
    let c = Convolution::image(3, 24, [9, 9], [3, 3]).padding(1);
    for n in [1, 3, 19] {
        let [x, g, w] = Key::new(3).split();
        let (x, w) = (normal::<f32>(x, n * c.input_len()), normal::<f32>(w, c.weight_len()));
        let g = normal::<f32>(g, n * c.output_len());
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut y = vec![0.0; g.len()];
                convolve(&c, &x, &w, &mut y, Extra::none(1.0));
                let both = Wanted { parameters: true, input: true };
                (y, gradients(&c, &x, &g, (&w, 1.0), both).map(|v| v.to_vec()))
            })
        };
        assert!(run(1) == run(3), "{n} samples");
    }
}
