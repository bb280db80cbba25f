//! Solvers with hostile input: finite numbers or a typed error, and an end.

use brenier::ops::Real;
use brenier::prelude::*;
use brenier::problem::{Axis, Discrete, Gridded, Relaxation};
use brenier::solver::{
    assignment, exact_transport, sinkhorn, sinkhorn_divergence_gradient, sinkhorn_grid,
    sliced_wasserstein, Coupling, DivergenceConfig, Draw, Epsilon, ExactConfig, Gaussian,
    MinibatchCoupling, SinkhornConfig, SlicedConfig, Solution, Status, Univariate,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::hostile::{clouds, config, tau, Clouds};

pub fn quiet() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

pub fn of<E: Real>(v: &[f64]) -> Vec<E> {
    v.iter().map(|v| E::of(*v)).collect()
}

pub fn finite<E: Real>(v: &[E]) -> bool {
    v.iter().all(|v| v.is_finite())
}

/// Errors of the input, with a message.
pub fn typed(error: &Error) -> TestCaseResult {
    let known = matches!(
        error,
        Error::NonFinite { .. } | Error::InvalidConfig { .. } | Error::Shape { .. }
    );
    prop_assert!(known && !error.to_string().is_empty(), "{error:?}");
    Ok(())
}

/// What a solution promises for its status.
fn promised(s: &Solution) -> TestCaseResult {
    if s.status == Status::Diverged {
        return Ok(());
    }
    prop_assert!(s.marginal_error.is_finite() && s.epsilon > 0.0, "{s:?}");
    prop_assert!(finite(&s.potentials.f) && finite(&s.potentials.g), "{s:?}");
    prop_assert!(
        ![s.mass, s.transport_cost, s.primal_cost, s.dual_cost].iter().any(|v| v.is_nan()),
        "{s:?}"
    );
    if s.status == Status::Converged && s.marginal_error <= 1e-3 {
        prop_assert!(finite(&[s.mass, s.transport_cost, s.primal_cost, s.dual_cost]), "{s:?}");
    }
    Ok(())
}

fn problem<'c, E: Real, C: RowCost<E>>(
    cost: &C,
    points: &'c [Vec<E>; 2],
    clouds: &Clouds,
    [s, t]: [Relaxation; 2],
) -> brenier::Result<Discrete<'c, E>> {
    Discrete::clouds(cost, &points[0], &points[1], clouds.d)?
        .with_source_weights(&of(&clouds.a))?
        .with_target_weights(&of(&clouds.b))?
        .relaxed(s, t)
}

fn entropic<E: Real, C: RowCost<E>>(
    cost: &C,
    clouds: &Clouds,
    tau: [Relaxation; 2],
    config: &SinkhornConfig,
) -> TestCaseResult {
    let points = [of(&clouds.x), of(&clouds.y)];
    let problem = match problem(cost, &points, clouds, tau) {
        Ok(problem) => problem,
        Err(e) => return typed(&e),
    };
    let solution = match sinkhorn(config, &problem, None) {
        Ok(solution) => solution,
        Err(e) => return typed(&e),
    };
    promised(&solution)?;
    let pairs =
        MinibatchCoupling::Entropic(*config).pairs(&problem, Draw::WithReplacement(3), Key::new(1));
    pairs.map_or_else(|e| typed(&e), |_| Ok(()))?;
    if solution.status != Status::Converged || solution.marginal_error > 1e-3 {
        return Ok(());
    }
    let plan = solution.plan(&problem).unwrap();
    let (rows, columns) = plan.marginals();
    prop_assert!(finite(&rows) && finite(&columns), "{:?} {:?}", rows, columns);
    prop_assert!(finite(&plan.matrix()), "{:?} {:?}", solution, plan.matrix());
    let pairs = plan.sample(Key::new(2), 3);
    pairs.map_or_else(
        |e| typed(&e),
        |pairs| {
            prop_assert!(pairs.iter().all(|(i, j)| clouds.a[*i] > 0.0 && clouds.b[*j] > 0.0));
            Ok(())
        },
    )
}

fn divergence<E: Real>(
    clouds: &Clouds,
    tau: Relaxation,
    config: &SinkhornConfig,
) -> TestCaseResult {
    let points = [of::<E>(&clouds.x), of::<E>(&clouds.y)];
    let config = DivergenceConfig { sinkhorn: *config, ..Default::default() };
    let found = problem(&SqEuclidean, &points, clouds, [tau; 2])
        .and_then(|p| sinkhorn_divergence_gradient(&config, &p, None, [true; 2]));
    match found {
        Err(e) => typed(&e),
        Ok((d, slopes)) if d.status() == Status::Converged && d.cross.marginal_error <= 1e-3 => {
            prop_assert!(d.value.is_finite(), "{d:?}");
            prop_assert!(finite(&slopes.source) && finite(&slopes.target), "{d:?} {slopes:?}");
            Ok(())
        }
        Ok((d, _)) => promised(&d.cross),
    }
}

fn on_a_grid<E: Real>(
    clouds: &Clouds,
    [s, t]: [Relaxation; 2],
    config: &SinkhornConfig,
) -> TestCaseResult {
    let grid = || {
        // The weights are those of the clouds, over and over.
        let size = |v: &[f64]| v.len().min(4);
        let axes = [(&clouds.x, &clouds.y), (&clouds.y, &clouds.x)]
            .map(|(x, y)| Axis::new(&SqEuclidean, &x[..size(x)], &y[..size(y)]));
        let axes = axes.into_iter().collect::<brenier::Result<Vec<Axis>>>()?;
        let grid = Gridded::<E>::new(axes)?.relaxed(s, t)?;
        let (n, m) = grid.sizes();
        let over = |w: &[f64], n: usize| (0..n).map(|i| E::of(w[i % w.len()])).collect::<Vec<E>>();
        grid.with_source_weights(&over(&clouds.a, n))?.with_target_weights(&over(&clouds.b, m))
    };
    let grid = match grid() {
        Ok(grid) => grid,
        Err(e) => return typed(&e),
    };
    match sinkhorn_grid(config, &grid, None) {
        Err(e) => typed(&e),
        Ok(s) => {
            promised(&s)?;
            if s.status == Status::Converged && s.marginal_error <= 1e-3 {
                let plan = s.grid_plan(&grid).unwrap();
                let (rows, columns) = plan.marginals();
                prop_assert!(finite(rows) && finite(columns), "{:?} {:?}", rows, columns);
            }
            Ok(())
        }
    }
}

/// Clouds of one dimension, for costs as a matrix.
fn matrix(clouds: &Clouds) -> Vec<f64> {
    let rows = |i: usize| clouds.y.chunks(clouds.d).map(move |y| clouds.x[i * clouds.d] - y[0]);
    (0..clouds.a.len()).flat_map(rows).collect()
}

fn exact<E: Real>(clouds: &Clouds) -> TestCaseResult {
    let costs = of::<E>(&matrix(clouds));
    let (a, b) = (of::<E>(&clouds.a), of::<E>(&clouds.b));
    match exact_transport(&costs, &a, &b, &ExactConfig::default()) {
        Err(e) => typed(&e)?,
        Ok(t) => {
            prop_assert!(t.cost.is_finite() && t.dual_cost.is_finite(), "{t:?}");
            prop_assert!(finite(&t.source_potential) && finite(&t.target_potential), "{t:?}");
            prop_assert!(t.plan.iter().all(|p| p.mass.is_finite() && p.mass > 0.0), "{t:?}");
        }
    }
    let n = a.len().min(b.len());
    let square: Vec<E> = costs.chunks(b.len()).take(n).flat_map(|row| row[..n].to_vec()).collect();
    match assignment(&square, n) {
        Err(e) => typed(&e),
        Ok(a) => {
            let mut targets = a.targets.clone();
            targets.sort_unstable();
            prop_assert!(targets == (0..n).collect::<Vec<_>>() && a.cost.is_finite(), "{a:?}");
            Ok(())
        }
    }
}

proptest! {
    #![proptest_config(quiet())]

    #[test]
    fn sinkhorn_on_clouds(clouds in clouds(), s in tau(), t in tau(), config in config()) {
        entropic::<f32, _>(&SqEuclidean, &clouds, [s, t], &config)?;
        entropic::<f64, _>(&Euclidean, &clouds, [s, t], &config)?;
        entropic::<f32, _>(&Cosine, &clouds, [s, t], &config)?;
        entropic::<f64, _>(&NegDot, &clouds, [s, t], &config)?;
    }

    #[test]
    fn sinkhorn_on_matrices(clouds in clouds(), s in tau(), t in tau(), config in config()) {
        let costs = matrix(&clouds);
        let (n, m) = (clouds.a.len(), clouds.b.len());
        let found = Discrete::matrix(&costs, n, m)
            .and_then(|p| p.with_source_weights(&clouds.a))
            .and_then(|p| p.with_target_weights(&clouds.b))
            .and_then(|p| p.relaxed(s, t))
            .and_then(|p| sinkhorn(&config, &p, None));
        match found {
            Ok(s) => promised(&s)?,
            Err(e) => typed(&e)?,
        }
    }

    #[test]
    fn sinkhorn_on_grids(clouds in clouds(), s in tau(), t in tau(), config in config()) {
        on_a_grid::<f32>(&clouds, [s, t], &config)?;
        on_a_grid::<f64>(&clouds, [s, t], &config)?;
    }

    #[test]
    fn divergences(clouds in clouds(), tau in tau(), config in config()) {
        divergence::<f32>(&clouds, tau, &config)?;
        divergence::<f64>(&clouds, tau, &config)?;
    }

    #[test]
    fn exact_plans(clouds in clouds()) {
        exact::<f32>(&clouds)?;
        exact::<f64>(&clouds)?;
    }

    #[test]
    fn on_a_line(clouds in clouds(), q in prop_oneof![0.0..1.0, Just(f64::NAN), -1.0..2.0]) {
        let both = Univariate::weighted(&clouds.x, &of::<f64>(&clouds.a.repeat(clouds.d)))
            .and_then(|x| Ok((x, Univariate::new(&clouds.y)?)));
        match both {
            Err(e) => typed(&e)?,
            Ok((x, y)) => {
                for found in [x.quantile(q), x.cost(&y, 1.0), x.cost(&y, 2.0), x.cost(&y, q)] {
                    match found {
                        Ok(v) => prop_assert!(!v.is_nan(), "{v}"),
                        Err(e) => typed(&e)?,
                    }
                }
            }
        }
    }

    #[test]
    fn sliced(clouds in clouds()) {
        let config = SlicedConfig { projections: 4, ..Default::default() };
        let pair = |v: &[f64]| points::<1>(of::<f32>(v));
        let found = pair(&clouds.x).and_then(|x| {
            let y = pair(&clouds.y)?;
            sliced_wasserstein(&x, &y, &config, Key::new(1))
        });
        match found {
            Ok(s) => prop_assert!(!s.distance.is_nan(), "{s:?}"),
            Err(e) => typed(&e)?,
        }
    }

    #[test]
    fn gaussians(clouds in clouds()) {
        let fit = |v: &[f64]| Gaussian::fit(&of::<f32>(v), clouds.d);
        let found = fit(&clouds.x).and_then(|p| {
            let q = fit(&clouds.y)?;
            let map = p.optimal_map(&q);
            Ok((p.squared_distance(&q)?, map.map(|m| m.matrix.iter().all(|v| v.is_finite()))))
        });
        match found {
            Ok((distance, map)) => {
                prop_assert!(distance.is_finite(), "{distance}");
                prop_assert!(map.unwrap_or(true));
            }
            Err(e) => typed(&e)?,
        }
    }

    /// Equal scales of costs and ε give equal plans, whatever the scale that still can be computed.
    #[test]
    fn scales(clouds in clouds(), exponent in -60..60i32) {
        let scale = 2f64.powi(exponent);
        let tame = |v: &[f64]| v.iter().map(|v| v.clamp(-5.0, 5.0)).collect::<Vec<f64>>();
        let (x, y) = (tame(&clouds.x), tame(&clouds.y));
        prop_assume!(finite(&x) && finite(&y));
        let solve = |scale: f64| {
            let (x, y) = (x.iter().map(|v| v * scale).collect::<Vec<_>>(), y.iter().map(|v| v * scale).collect::<Vec<_>>());
            let problem = Discrete::clouds(&SqEuclidean, &x, &y, clouds.d)?;
            let epsilon = Epsilon::Absolute(0.5 * scale * scale);
            sinkhorn(&SinkhornConfig { epsilon, ..Default::default() }, &problem, None)
        };
        let (one, other) = (solve(1.0).unwrap(), solve(scale).unwrap());
        prop_assert_eq!(one.iterations, other.iterations);
        let (p, q) = (one.transport_cost, other.transport_cost / (scale * scale));
        prop_assert!((p - q).abs() <= 1e-9 * (1.0 + p.abs()), "{} {}", p, q);
    }
}
