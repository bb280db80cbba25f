//! Cost matrices and their gradients on the device against loops in double precision.

use brenier::cuda::{cost_gradients, cost_matrix, Buffer, CudaDevice, DeviceReal};
use brenier::prelude::*;

use crate::emulated::*;

/// One row, one column, sizes beside the tiles of 32 and 16 by 128, dimensions beside the chunks of 8.
const SIZES: [(usize, usize, usize); 6] =
    [(1, 1, 1), (1, 131, 2), (35, 1, 3), (33, 129, 8), (18, 140, 17), (5, 7, 300)];

fn matrix<E: DeviceReal>(name: &str, x: &[E], y: &[E], d: usize) -> Vec<f64> {
    let row = |x| y.chunks_exact(d).map(move |y| plain_cost(name, x, y).double());
    x.chunks_exact(d).flat_map(row).collect()
}

fn check<E: DeviceReal, C: RowCost<E>>(device: &CudaDevice, name: &str, cost: &C) {
    for (k, (n, m, d)) in SIZES.into_iter().enumerate() {
        for data in EVERY_DATA {
            let [x, y] = clouds(data, k as u64, n, m, d);
            let (xs, ys) = (rounded::<E>(&x), rounded::<E>(&y));
            let on = |v: &[E]| Buffer::upload(device, v).unwrap();
            let found = cost_matrix(cost, &on(&xs), &on(&ys), d).unwrap().download().unwrap();
            let truth = matrix::<f64>(name, &x, &y, d);
            let what = format!("{name}, f{}, {n} × {m} × {d}, {data:?}", 8 * size_of::<E>());
            let found = doubles(&found);
            if size_of::<E>() == 8 {
                // The truth is in the same precision: both round 3 times per coordinate, and powers
                // amplify the rounding of logarithms up to log₂(1e4) times.
                let bound = 3e-16 * (30.0 + 3.0 * d as f64) * largest(&truth).max(1.0);
                assert!(
                    distance(&found, &truth) <= bound,
                    "{what}: {:e}",
                    distance(&found, &truth)
                );
            } else {
                twice_plain::<E>(&what, &found, &matrix::<E>(name, &xs, &ys, d), &truth);
            }
        }
    }
}

fn check_both<C: RowCost<f32> + RowCost<f64>>(name: &str, cost: &C) {
    let device = device();
    check::<f32, C>(&device, name, cost);
    check::<f64, C>(&device, name, cost);
}

#[test]
fn squares() {
    check_both("square", &SqEuclidean);
    check_both("half", &HalfSqEuclidean);
}

#[test]
fn distances() {
    check_both("distance", &Euclidean);
}

#[test]
fn powers() {
    check_both("power 1", &PNorm::new(1.0).unwrap());
    check_both("power 1.5", &PNorm::new(1.5).unwrap());
    check_both("power 4", &PNorm::new(4.0).unwrap());
}

#[test]
fn products() {
    check_both("product", &NegDot);
    check_both("cosine", &Cosine);
}

/// Σ g ∂c by the gradients of the CPU's costs, which are checked against differences elsewhere.
fn gradients<E: DeviceReal, C: RowCost<E>>(
    cost: &C,
    x: &[E],
    y: &[E],
    d: usize,
    g: &[E],
) -> [Vec<f64>; 2] {
    let m = y.len() / d;
    let mut all = [vec![E::zero(); x.len()], vec![E::zero(); y.len()]];
    let mut slope = vec![E::zero(); d];
    for (i, x) in x.chunks_exact(d).enumerate() {
        for (j, y) in y.chunks_exact(d).enumerate() {
            // All costs are symmetric.
            for (side, from, to, at) in [(0, y, x, i), (1, x, y, j)] {
                cost.value_and_gradient(from, to, &mut slope);
                let sums = &mut all[side][at * d..(at + 1) * d];
                sums.iter_mut().zip(&slope).for_each(|(s, v)| *s += g[i * m + j] * *v);
            }
        }
    }
    all.map(|v| doubles(&v))
}

fn check_gradients<E: DeviceReal, C: RowCost<E> + RowCost<f64>>(
    device: &CudaDevice,
    name: &str,
    cost: &C,
) {
    for (k, (n, m, d)) in SIZES.into_iter().enumerate() {
        for data in EVERY_DATA {
            let [x, y] = clouds(data, k as u64, n, m, d);
            let g: Vec<f64> = Key::new(9).normal(n * m).iter().map(|v| f64::from(*v)).collect();
            let (xs, ys, gs) = (rounded::<E>(&x), rounded::<E>(&y), rounded::<E>(&g));
            let on = |v: &[E]| Buffer::upload(device, v).unwrap();
            let found = cost_gradients(cost, &on(&xs), &on(&ys), d, &on(&gs)).unwrap();
            let truth = gradients::<f64, C>(cost, &x, &y, d, &g);
            let plain = gradients::<E, C>(cost, &xs, &ys, d, &gs);
            for k in 0..2 {
                let found = doubles(&found[k].download().unwrap());
                let bits = 8 * size_of::<E>();
                let what = format!("gradient {k}, {name}, f{bits}, {n} × {m} × {d}, {data:?}");
                if bits == 64 {
                    // Up to 140 terms of both signs, each rounded some times.
                    let largest = largest(&g) * largest(&truth[k]).max(1.0);
                    assert!(distance(&found, &truth[k]) <= 1e-12 * largest, "{what}");
                } else {
                    twice_plain::<E>(&what, &found, &plain[k], &truth[k]);
                }
            }
        }
    }
}

#[test]
fn gradients_in_the_points() {
    let device = device();
    check_gradients::<f32, _>(&device, "square", &SqEuclidean);
    check_gradients::<f32, _>(&device, "half", &HalfSqEuclidean);
    check_gradients::<f32, _>(&device, "distance", &Euclidean);
    check_gradients::<f32, _>(&device, "product", &NegDot);
    check_gradients::<f32, _>(&device, "cosine", &Cosine);
    check_gradients::<f64, _>(&device, "square", &SqEuclidean);
    check_gradients::<f64, _>(&device, "distance", &Euclidean);
    check_gradients::<f64, _>(&device, "cosine", &Cosine);
}

#[test]
fn gradients_of_powers() {
    let device = device();
    let cost = PNorm::new(1.5).unwrap();
    check_gradients::<f32, _>(&device, "power 1.5", &cost);
    check_gradients::<f64, _>(&device, "power 1.5", &cost);
}

#[test]
fn the_same_bits_in_every_order() {
    let [x, y] = clouds(Data::Normal, 1, 37, 140, 9);
    let (x, y) = (rounded::<f32>(&x), rounded::<f32>(&y));
    let g = Key::new(2).normal(37 * 140);
    in_every_order(|device| {
        let on = |v: &[f32]| Buffer::upload(device, v).unwrap();
        let (x, y) = (on(&x), on(&y));
        let costs = cost_matrix(&Euclidean, &x, &y, 9).unwrap().download().unwrap();
        let slopes = cost_gradients(&Cosine, &x, &y, 9, &on(&g)).unwrap();
        let slopes = slopes.map(|s| s.download().unwrap()).concat();
        bits(&costs).chain(bits(&slopes)).collect()
    });
}
