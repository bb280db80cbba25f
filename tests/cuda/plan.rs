//! Plans on the device: products, barycentric maps, gradients, samples.

use brenier::cuda::{Buffer, CudaDevice, DevicePlan, DeviceReal};
use brenier::prelude::*;
use brenier::problem::Discrete;
use brenier::solver::{self, Epsilon, SinkhornConfig, Solution, Stop};

use crate::emulated::*;

struct Solved<C> {
    cost: C,
    d: usize,
    x: Vec<f64>,
    y: Vec<f64>,
    a: Vec<f64>,
}

impl<C: RowCost<f32> + RowCost<f64>> Solved<C> {
    fn new(cost: C, sizes: (usize, usize, usize)) -> Self {
        Self::of(cost, Data::Normal, sizes)
    }

    fn of(cost: C, data: Data, (n, m, d): (usize, usize, usize)) -> Self {
        let [x, y] = clouds(data, 5, n, m, d);
        let mut a: Vec<f64> = Key::new(6).uniform(n).iter().map(|v| 0.1 + f64::from(*v)).collect();
        if n > 1 {
            a[0] = 0.0;
        }
        let sum: f64 = a.iter().sum();
        a.iter_mut().for_each(|v| *v /= sum);
        Self { cost, d, x, y, a }
    }

    fn problem(&self) -> Discrete<'_, f64> {
        let problem = Discrete::clouds(&self.cost, &self.x, &self.y, self.d).unwrap();
        problem.with_source_weights(&self.a).unwrap()
    }

    fn solve(&self) -> Solution {
        let stop = Stop::Tolerance { tolerance: 1e-10, limit: 10_000 };
        let epsilon = Epsilon::RelativeToStd(0.5);
        let config = SinkhornConfig { epsilon, stop, ..Default::default() };
        solver::sinkhorn(&config, &self.problem(), None).unwrap()
    }
}

/// P by its formula, every step rounded to the number type.
fn plain<E: DeviceReal, C: RowCost<E>>(
    cost: &C,
    [x, y]: [&[E]; 2],
    d: usize,
    weights: [&[E]; 2],
    solution: &Solution,
) -> Vec<E> {
    let (m, epsilon) = (y.len() / d, E::of(solution.epsilon));
    let entry = |k: usize| {
        let (i, j) = (k / m, k % m);
        let c = cost.value(&x[i * d..(i + 1) * d], &y[j * d..(j + 1) * d]);
        let sum = E::of(solution.potentials.f[i]) + E::of(solution.potentials.g[j]) - c;
        weights[0][i] * weights[1][j] * (sum / epsilon).exp()
    };
    (0..x.len() / d * m).map(entry).collect()
}

fn product<E: DeviceReal>(p: &[E], v: &[E], n: usize, columns: usize) -> Vec<f64> {
    let m = p.len() / n;
    let entry = |k: usize| {
        let row = &p[k / columns * m..(k / columns + 1) * m];
        let terms = row.iter().enumerate().map(|(j, p)| *p * v[j * columns + k % columns]);
        terms.fold(E::zero(), |s, t| s + t).double()
    };
    (0..n * columns).map(entry).collect()
}

fn transpose<E: DeviceReal>(p: &[E], n: usize) -> Vec<E> {
    let m = p.len() / n;
    (0..p.len()).map(|k| p[k % n * m + k / n]).collect()
}

/// Σⱼ Pᵢⱼ ∂c/∂xᵢ.
fn slopes<E: DeviceReal, C: RowCost<E>>(cost: &C, p: &[E], x: &[E], y: &[E], d: usize) -> Vec<f64> {
    let m = y.len() / d;
    let mut all = vec![E::zero(); x.len()];
    let mut slope = vec![E::zero(); d];
    for (i, x) in x.chunks_exact(d).enumerate() {
        for (j, y) in y.chunks_exact(d).enumerate() {
            cost.value_and_gradient(y, x, &mut slope);
            let sums = all[i * d..(i + 1) * d].iter_mut();
            sums.zip(&slope).for_each(|(s, v)| *s += p[i * m + j] * *v);
        }
    }
    doubles(&all)
}

fn check<E: DeviceReal, C: RowCost<E> + RowCost<f64> + RowCost<f32>>(
    device: &CudaDevice,
    solved: &Solved<C>,
) {
    let (cost, d) = (&solved.cost, solved.d);
    let solution = solved.solve();
    let (x, y) = (rounded::<E>(&solved.x), rounded::<E>(&solved.y));
    let (n, m) = (x.len() / d, y.len() / d);
    let a = rounded::<E>(&solved.a);
    let b = vec![E::of(1.0 / m as f64); m];
    let problem = Discrete::clouds(cost, &x, &y, d).unwrap().with_source_weights(&a).unwrap();
    let plan = DevicePlan::new(device, &problem, &solution.potentials, solution.epsilon).unwrap();
    let truth_weights = [doubles(&a), doubles(&b)];
    let truth_weights = [&truth_weights[0][..], &truth_weights[1][..]];
    let truth = plain::<f64, C>(cost, [&solved.x, &solved.y], d, truth_weights, &solution);
    let rough = plain::<E, C>(cost, [&x, &y], d, [&a, &b], &solution);
    let name = format!("{n} × {m} × {d}, f{}", 8 * size_of::<E>());
    // Potentials of f32 plans are rounded in other units on the device than in the plain method; both
    // are of the size of the largest exponent.
    let exponent = largest(&solution.potentials.f) / solution.epsilon;
    let near = |what: &str, found: &[E], plain: &[f64], truth: &[f64]| {
        let (error, bound) = (distance(&doubles(found), truth), 2.0 * distance(plain, truth));
        // In f64 the plain method is the truth itself.
        let rounding = if size_of::<E>() == 8 { 1e-12 } else { 2.0 * unit::<E>() };
        let granted = (8.0 + exponent) * rounding * largest(truth);
        assert!(error <= bound + granted, "{name}, {what}: {error:e}, plain {:e}", bound / 2.0);
    };
    let on = |v: &[E]| Buffer::upload(device, v).unwrap();
    let ones = |n: usize| vec![E::one(); n];
    let (rows, columns) = plan.marginals().unwrap();
    near("rows", &rows, &product(&rough, &ones(m), n, 1), &product(&truth, &vec![1.0; m], n, 1));
    let (turned, turned_truth) = (transpose(&rough, n), transpose(&truth, n));
    let expected = product(&turned_truth, &vec![1.0; n], m, 1);
    near("columns", &columns, &product(&turned, &ones(n), m, 1), &expected);
    for outputs in [1, 3, 40] {
        let v: Vec<f64> = Key::new(1).normal(m * outputs).iter().map(|v| f64::from(*v)).collect();
        let found = plan.apply(&on(&rounded(&v))).unwrap().download().unwrap();
        let rough = product(&rough, &rounded(&v), n, outputs);
        near("product", &found, &rough, &product(&truth, &v, n, outputs));
        let u: Vec<f64> = Key::new(2).normal(n * outputs).iter().map(|v| f64::from(*v)).collect();
        let found = plan.apply_transpose(&on(&rounded(&u))).unwrap().download().unwrap();
        let rough = product(&turned, &rounded(&u), m, outputs);
        near("transpose", &found, &rough, &product(&turned_truth, &u, m, outputs));
    }
    let [of_x, of_y] = plan.gradients().unwrap();
    let expected = slopes::<f64, C>(cost, &truth, &solved.x, &solved.y, d);
    near("gradient in x", &of_x.download().unwrap(), &slopes(cost, &rough, &x, &y, d), &expected);
    let expected = slopes::<f64, C>(cost, &turned_truth, &solved.y, &solved.x, d);
    near("gradient in y", &of_y.download().unwrap(), &slopes(cost, &turned, &y, &x, d), &expected);
    // The barycentric map also of the source without weight: that of any other weight.
    let uniform = vec![1.0 / n as f64; n];
    let full =
        plain::<f64, C>(cost, [&solved.x, &solved.y], d, [&uniform, truth_weights[1]], &solution);
    let (moved, sums) = (product(&full, &solved.y, n, d), product(&full, &vec![1.0; m], n, 1));
    let expected: Vec<f64> = (0..n * d).map(|k| moved[k] / sums[k / d]).collect();
    let image = plan.barycentric().unwrap().download().unwrap();
    near("barycentric map", &image, &expected, &expected);
}

fn both<C: RowCost<f32> + RowCost<f64>>(cost: C, sizes: &[(usize, usize, usize)]) {
    let device = device();
    for sizes in sizes {
        let solved = Solved::new(cost.clone(), *sizes);
        check::<f32, C>(&device, &solved);
        check::<f64, C>(&device, &solved);
    }
}

#[test]
fn squares() {
    both(SqEuclidean, &[(33, 130, 2), (1, 5, 9), (40, 1, 3)]);
}

#[test]
fn distances() {
    both(Euclidean, &[(35, 20, 35)]);
}

#[test]
fn powers() {
    both(PNorm::new(1.5).unwrap(), &[(20, 35, 3)]);
}

#[test]
fn directions() {
    both(Cosine, &[(17, 34, 5)]);
    both(NegDot, &[(34, 17, 8)]);
}

#[test]
fn three_hundred_coordinates() {
    both(SqEuclidean, &[(7, 19, 300)]);
    both(Euclidean, &[(5, 18, 300)]);
    both(Cosine, &[(6, 9, 300)]);
}

/// Points far from the origin, points that differ in the last digits, points that coincide.
#[test]
fn hostile_points() {
    let device = device();
    for data in [Data::NearlyEqual, Data::Far, Data::Degenerate] {
        let solved = Solved::of(SqEuclidean, data, (33, 130, 2));
        check::<f32, _>(&device, &solved);
        check::<f64, _>(&device, &solved);
        let solved = Solved::of(Euclidean, data, (20, 35, 9));
        check::<f32, _>(&device, &solved);
        check::<f64, _>(&device, &solved);
    }
}

#[test]
fn matrices() {
    let device = device();
    let costs: Vec<f64> = Key::new(3).normal(20 * 140).iter().map(|v| f64::from(*v)).collect();
    let problem = Discrete::matrix(&costs, 20, 140).unwrap();
    let config = SinkhornConfig { epsilon: Epsilon::Absolute(0.5), ..Default::default() };
    let solution = solver::sinkhorn(&config, &problem, None).unwrap();
    let exact = solution.plan(&problem).unwrap();
    let plan = DevicePlan::new(&device, &problem, &solution.potentials, solution.epsilon).unwrap();
    let v: Vec<f64> = Key::new(1).normal(140 * 2).iter().map(|v| f64::from(*v)).collect();
    let found = plan.apply(&Buffer::upload(&device, &v).unwrap()).unwrap().download().unwrap();
    assert!(distance(&found, &exact.apply(&v).unwrap()) < 1e-13);
    let u = &v[..20];
    let found = plan.apply_transpose(&Buffer::upload(&device, u).unwrap()).unwrap();
    assert!(distance(&found.download().unwrap(), &exact.apply_transpose(u).unwrap()) < 1e-13);
    assert!(matches!(plan.barycentric(), Err(Error::InvalidConfig { .. })));
    assert!(matches!(plan.gradients(), Err(Error::InvalidConfig { .. })));
    let wrong = Buffer::upload(&device, &v[..139]).unwrap();
    assert!(matches!(plan.apply(&wrong), Err(Error::Shape { .. })));
}

/// Draws of the plan on the device and of the plan on the CPU, by the same key; the part that is equal.
fn same_draws<E: DeviceReal>(device: &CudaDevice) -> f64 {
    let solved = Solved::new(SqEuclidean, (30, 70, 2));
    let solution = solved.solve();
    let (x, y, a) = (rounded::<E>(&solved.x), rounded::<E>(&solved.y), rounded::<E>(&solved.a));
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, 2).unwrap();
    let problem = problem.with_source_weights(&a).unwrap();
    let plan = DevicePlan::new(device, &problem, &solution.potentials, solution.epsilon).unwrap();
    let exact = solved.problem();
    let host = solution.plan(&exact).unwrap();
    let mut equal = Vec::new();
    for key in [Key::new(12), Key::new(13)] {
        for (found, expected) in [
            (plan.sample(key, 300).unwrap(), host.sample(key, 300).unwrap()),
            // Few repetitions, and so many that the rest is drawn from whole rows.
            (plan.sample_distinct(key, 100).unwrap(), host.sample_distinct(key, 100).unwrap()),
            (plan.sample_distinct(key, 1500).unwrap(), host.sample_distinct(key, 1500).unwrap()),
        ] {
            assert_eq!(found.len(), expected.len());
            assert!(found.iter().all(|(i, j)| *i != 0 && *j < 70), "a source without weight");
            let same = found.iter().zip(&expected).filter(|(a, b)| a == b).count();
            equal.push(same as f64 / found.len() as f64);
        }
    }
    assert_ne!(plan.sample(Key::new(12), 9).unwrap(), plan.sample(Key::new(13), 9).unwrap());
    let error = plan.sample_distinct(Key::new(1), 29 * 70 + 1);
    assert!(matches!(error, Err(Error::InvalidConfig { .. })), "{error:?}");
    assert!(plan.sample(Key::new(1), 0).unwrap().is_empty());
    equal.into_iter().fold(1.0, f64::min)
}

#[test]
fn the_same_draws_as_on_the_cpu() {
    let device = device();
    assert_eq!(same_draws::<f64>(&device), 1.0);
    // A draw moves where its number is within rounding of a step of the sums: 70 steps, each known to
    // about 1e-5 in f32, move one draw in a thousand; and of different pairs a moved one moves the order
    // of those behind it in a round.
    assert!(same_draws::<f32>(&device) > 0.9);
}

#[test]
fn the_same_bits_in_every_order() {
    let solved = Solved::new(Euclidean, (35, 140, 3));
    let solution = solved.solve();
    let (x, y, a) =
        (rounded::<f32>(&solved.x), rounded::<f32>(&solved.y), rounded::<f32>(&solved.a));
    let problem = Discrete::clouds(&Euclidean, &x, &y, 3).unwrap();
    let problem = problem.with_source_weights(&a).unwrap();
    in_every_order(|device| {
        let plan = DevicePlan::new(device, &problem, &solution.potentials, solution.epsilon);
        let plan = plan.unwrap();
        let image = plan.barycentric().unwrap().download().unwrap();
        let slopes = plan.gradients().unwrap().map(|g| g.download().unwrap()).concat();
        let pairs = plan.sample(Key::new(1), 8).unwrap();
        let pairs = pairs.iter().map(|(i, j)| (i << 32 | j) as u64);
        bits(&image).chain(bits(&slopes)).chain(pairs).collect()
    });
}
