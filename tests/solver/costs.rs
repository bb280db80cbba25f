//! Laws of the ground costs, for every one of them.

use brenier::prelude::*;
use brenier::tensor::points_on;
use dfdx::prelude::*;

const N: usize = 5;

fn cloud(key: Key, n: usize) -> Vec<f64> {
    key.normal(n * N).into_iter().map(f64::from).collect()
}

fn check_laws<C: Cost<N, f64>>(name: &str, cost: &C, reference: impl Fn(&[f64], &[f64]) -> f64) {
    let device = Cpu::default();
    let [p, q, w] = Key::new(1).split();
    let (n, m) = (7, 4);
    let (x, y) = (cloud(p, n), cloud(q, n));
    let on = |v: &[f64]| points_on::<N, f64, _>(&device, v.to_vec()).unwrap();

    // Against the formula, by loops.
    let matrix = rows(&cost.pairwise(&on(&x), &on(&y[..m * N])));
    for (i, j) in (0..n).flat_map(|i| (0..m).map(move |j| (i, j))) {
        let expected = reference(&x[i * N..][..N], &y[j * N..][..N]);
        let error = (matrix[i * m + j] - expected).abs();
        assert!(error < 1e-14 * (1.0 + expected.abs()), "{name}: {error:e}");
    }
    // Paired is the diagonal of pairwise, bit for bit.
    let paired = rows(&cost.paired(&on(&x), on(&y)).unwrap());
    let square = rows(&cost.pairwise(&on(&x), &on(&y)));
    assert!((0..n).all(|i| paired[i] == square[i * n + i]), "{name}");

    // The gradient of a weighted sum against central differences: error h² / 6 · c''' + 1e-16 / h.
    let weights: Values<f64> = device.tensor_from_vec(cloud(w, n)[..n].to_vec(), (n,));
    let target = on(&y);
    let taped = cost.paired(&on(&x), target.leaky_trace()).unwrap();
    let gradient = (taped * weights.clone()).sum::<Rank0, _>().backward();
    let gradient = rows(&gradient.get(&target));
    let h = 1e-5;
    for i in 0..n * N {
        let at = |d: f64| {
            let mut moved = y.clone();
            moved[i] += d;
            let values = rows(&cost.paired(&on(&x), on(&moved)).unwrap());
            values.iter().zip(rows(&weights)).map(|(c, w)| c * w).sum::<f64>()
        };
        let error = (gradient[i] - (at(h) - at(-h)) / (2.0 * h)).abs();
        assert!(error < 1e-8, "{name}: {error:e}");
    }
    // Unequal numbers of points are refused.
    assert!(matches!(cost.paired(&on(&x), on(&y[..N])), Err(Error::Shape { .. })), "{name}");
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(a, b)| a * b).sum()
}

fn square(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(a, b)| (a - b).powi(2)).sum()
}

#[test]
fn named_costs_obey_the_laws() {
    check_laws("SqEuclidean", &SqEuclidean, square);
    check_laws("HalfSqEuclidean", &HalfSqEuclidean, |x, y| 0.5 * square(x, y));
    check_laws("Euclidean", &Euclidean, |x, y| square(x, y).sqrt());
    check_laws("NegDot", &NegDot, |x, y| -dot(x, y));
    check_laws("Cosine", &Cosine, |x, y| 1.0 - dot(x, y) / (dot(x, x) * dot(y, y)).sqrt());
    for p in [1.0, 1.5, 2.0, 3.0] {
        check_laws("PNorm", &PNorm::new(p).unwrap(), move |x, y| {
            x.iter().zip(y).map(|(a, b)| (a - b).abs().powf(p)).sum::<f64>() / p
        });
    }
}

#[test]
fn closures_obey_the_laws() {
    let quartic = FnCost(|x: &[f64], y: &[f64], dy: &mut [f64]| {
        for ((d, x), y) in dy.iter_mut().zip(x).zip(y) {
            *d = (y - x).powi(3);
        }
        x.iter().zip(y).map(|(x, y)| (y - x).powi(4)).sum::<f64>() / 4.0
    });
    check_laws("quartic", &quartic, |x, y| {
        x.iter().zip(y).map(|(a, b)| (a - b).powi(4)).sum::<f64>() / 4.0
    });
}

#[test]
fn degenerate_points_have_finite_costs_and_gradients() {
    let zero = points::<2>(vec![0.0, 0.0]).unwrap();
    let check = |value: Vec<f32>, gradient: Vec<f32>, expected: f32| {
        assert_eq!(value, [expected]);
        assert!(gradient.iter().all(|g| *g == 0.0), "{gradient:?}");
    };
    fn at<C: Cost<2>>(cost: C, x: &Points<2>, y: &Points<2>) -> (Vec<f32>, Vec<f32>) {
        let value = cost.paired(x, y.clone()).unwrap();
        let taped = cost.paired(x, y.leaky_trace()).unwrap();
        (rows(&value), rows(&taped.sum::<Rank0, _>().backward().get(y)))
    }
    let (v, g) = at(Euclidean, &zero, &zero);
    check(v, g, 0.0);
    let (v, g) = at(PNorm::new(1.0).unwrap(), &zero, &zero);
    check(v, g, 0.0);
    let (v, g) = at(Cosine, &zero, &points(vec![1.0, 2.0]).unwrap());
    check(v, g, 1.0);
}

#[test]
fn exponents_below_one_are_refused() {
    for p in [0.5, 0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(PNorm::new(p), Err(Error::InvalidConfig { field: "p", .. })));
    }
}
