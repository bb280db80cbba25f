//! Two weighted point clouds, or a cost matrix, and how strictly the weights bind.

use std::borrow::Cow;
use std::sync::Arc;

use dfdx::prelude::{Cpu, Device, HasShape};

use super::checks::{check_finite, check_masses, check_weights};
use super::relaxation::Relaxation;
use crate::error::{check_count, Error, Result};
use crate::ops::{CostForm, Real, RowCost};
use crate::tensor::{rows, Points};

/// c(x, y) between two rows.
pub(crate) type RowFn<'a, E> = Arc<dyn Fn(&[E], &[E]) -> E + Send + Sync + 'a>;

/// One of the two marginals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Source,
    Target,
}

/// c(x, y) between two rows, with its gradient in one of them written to the last argument.
pub(crate) type SlopeFn<'a, E> = Arc<dyn Fn(End, &[E], &[E], &mut [E]) -> E + Send + Sync + 'a>;

/// Where costs come from.
#[derive(Clone)]
pub(crate) enum Ground<'a, E: Real> {
    Clouds {
        x: Cow<'a, [E]>,
        y: Cow<'a, [E]>,
        d: usize,
        form: CostForm,
        value: RowFn<'a, E>,
        slope: SlopeFn<'a, E>,
    },
    Matrix(Cow<'a, [E]>),
}

/// A discrete transport problem: costs between n sources and m targets, their weights, and a
/// [`Relaxation`] for each marginal.
///
/// Weights are uniform, 1/n and 1/m, unless given; both marginals are balanced unless relaxed. Point
/// clouds are borrowed where they are slices, and no n × m matrix is made of them.
///
/// ```
/// use brenier::geometry::SqEuclidean;
/// use brenier::problem::{Discrete, Relaxation};
/// let (x, y) = ([0.0f32, 1.0], [0.0, 1.0, 2.0]);
/// let problem = Discrete::clouds(&SqEuclidean, &x, &y, 1)?
///     .with_source_weights(&[0.25, 0.75])?
///     .relaxed(Relaxation::Balanced, Relaxation::Kl { tau: 0.9 })?;
/// assert_eq!(problem.sizes(), (2, 3));
/// assert!(Discrete::clouds(&SqEuclidean, &[f32::NAN], &y, 1).is_err());
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone)]
pub struct Discrete<'a, E: Real = f32> {
    pub(crate) ground: Ground<'a, E>,
    pub(crate) source: Vec<E>,
    pub(crate) target: Vec<E>,
    pub(crate) relaxation: [Relaxation; 2],
}

impl<E: Real> std::fmt::Debug for Discrete<'_, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (n, m) = self.sizes();
        let ground = match &self.ground {
            Ground::Clouds { d, form, .. } => format!("clouds of dimension {d}, {form:?}"),
            Ground::Matrix(_) => "matrix".to_string(),
        };
        write!(f, "Discrete({n} × {m}, {ground}, {:?})", self.relaxation)
    }
}

impl<'a, E: Real> Discrete<'a, E> {
    /// Two clouds of dimension `d`, row by row.
    ///
    /// # Errors
    /// [`Error::Shape`] if a cloud is empty or its length is no multiple of `d`; [`Error::NonFinite`]
    /// if a coordinate is NaN or infinite.
    pub fn clouds<C: RowCost<E>>(cost: &C, x: &'a [E], y: &'a [E], d: usize) -> Result<Self> {
        Self::from_clouds(cost, Cow::Borrowed(x), Cow::Borrowed(y), d)
    }

    fn from_clouds<C: RowCost<E>>(
        cost: &C,
        x: Cow<'a, [E]>,
        y: Cow<'a, [E]>,
        d: usize,
    ) -> Result<Self> {
        check_count("dimension", d)?;
        for (what, cloud) in [("source points", &x), ("target points", &y)] {
            if cloud.is_empty() || !cloud.len().is_multiple_of(d) {
                let expected = format!("a positive multiple of {d} numbers (one row per point)");
                return Err(Error::shape(what, expected, format!("{} numbers", cloud.len())));
            }
            check_finite(cloud, |i| {
                format!("coordinate {} of point {} of the {what}", i % d, i / d)
            })?;
        }
        let (n, m) = (x.len() / d, y.len() / d);
        let cost = cost.clone();
        let form = cost.form();
        let differentiated = cost.clone();
        let value: RowFn<'a, E> = Arc::new(move |x, y| cost.value(x, y));
        let slope: SlopeFn<'a, E> = Arc::new(move |end, x, y, out| match end {
            End::Source => differentiated.value_and_source_gradient(x, y, out),
            End::Target => differentiated.value_and_gradient(x, y, out),
        });
        Ok(Self::new(Ground::Clouds { x, y, d, form, value, slope }, n, m))
    }

    /// Costs `[n, m]`, row by row; they may be negative.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not n · m costs, or none; [`Error::NonFinite`] if one is NaN or
    /// infinite.
    pub fn matrix(costs: &'a [E], n: usize, m: usize) -> Result<Self> {
        if costs.is_empty() || n.checked_mul(m) != Some(costs.len()) {
            let found = format!("{} numbers", costs.len());
            return Err(Error::shape("cost matrix", format!("{n} × {m}, not empty"), found));
        }
        check_finite(costs, |i| format!("the cost of row {}, column {}", i / m, i % m))?;
        Ok(Self::new(Ground::Matrix(Cow::Borrowed(costs)), n, m))
    }

    fn new(ground: Ground<'a, E>, n: usize, m: usize) -> Self {
        let uniform = |n: usize| vec![E::of(1.0 / n as f64); n];
        let relaxation = [Relaxation::Balanced; 2];
        Self { ground, source: uniform(n), target: uniform(m), relaxation }
    }

    /// The same problem with source weights of any positive total mass.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are n of them; [`Error::NonFinite`] if one is NaN or infinite;
    /// [`Error::InvalidConfig`] if one is negative or all are zero.
    pub fn with_source_weights(mut self, weights: &[E]) -> Result<Self> {
        check_weights("source weights", weights, self.source.len())?;
        self.source.copy_from_slice(weights);
        Ok(self)
    }

    /// The same problem with target weights of any positive total mass.
    ///
    /// # Errors
    /// As [`with_source_weights`](Self::with_source_weights).
    pub fn with_target_weights(mut self, weights: &[E]) -> Result<Self> {
        check_weights("target weights", weights, self.target.len())?;
        self.target.copy_from_slice(weights);
        Ok(self)
    }

    /// The same problem with these relaxations of the source and the target marginal.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if a τ is not in (0, 1].
    pub fn relaxed(mut self, source: Relaxation, target: Relaxation) -> Result<Self> {
        self.relaxation = [source.checked()?, target.checked()?];
        Ok(self)
    }

    /// (n, m): how many sources and targets there are.
    pub fn sizes(&self) -> (usize, usize) {
        (self.source.len(), self.target.len())
    }

    /// Source and target weights.
    pub fn weights(&self) -> (&[E], &[E]) {
        (&self.source, &self.target)
    }

    /// Relaxations of the source and the target marginal.
    pub fn relaxation(&self) -> [Relaxation; 2] {
        self.relaxation
    }

    /// Total masses of the weights.
    pub(crate) fn masses(&self) -> [f64; 2] {
        [&self.source, &self.target].map(|w| w.iter().map(|v| v.double()).sum())
    }

    /// The same problem in double precision.
    pub(crate) fn widened(&self) -> Discrete<'_, f64> {
        let wide = |v: &[E]| v.iter().map(|v| v.double()).collect::<Vec<f64>>();
        let narrow = |v: &[f64]| v.iter().map(|v| E::of(*v)).collect::<Vec<E>>();
        let ground = match &self.ground {
            Ground::Matrix(costs) => Ground::Matrix(Cow::Owned(wide(costs))),
            Ground::Clouds { x, y, d, form, value, slope } => Ground::Clouds {
                x: Cow::Owned(wide(x)),
                y: Cow::Owned(wide(y)),
                d: *d,
                form: *form,
                value: Arc::new(move |x, y| value(&narrow(x), &narrow(y)).double()),
                slope: Arc::new(move |end, x, y, out| {
                    let mut slopes = vec![E::zero(); out.len()];
                    let cost = slope(end, &narrow(x), &narrow(y), &mut slopes).double();
                    out.copy_from_slice(&wide(&slopes));
                    cost
                }),
            },
        };
        let (source, target) = (wide(&self.source), wide(&self.target));
        Discrete { ground, source, target, relaxation: self.relaxation }
    }

    /// The problem between one of the clouds and itself, with its weights and relaxation on both sides.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if the problem is a cost matrix.
    pub(crate) fn with_itself(&self, end: End) -> Result<Discrete<'_, E>> {
        let Ground::Clouds { x, y, d, form, value, slope } = &self.ground else {
            let rule = "has no costs within a measure: give point clouds";
            return Err(Error::config("ground", "a cost matrix", rule));
        };
        let (cloud, weights, relaxation) = match end {
            End::Source => (x, &self.source, self.relaxation[0]),
            End::Target => (y, &self.target, self.relaxation[1]),
        };
        let cloud = || Cow::Borrowed(&cloud[..]);
        let (value, slope) = (value.clone(), slope.clone());
        Ok(Discrete {
            ground: Ground::Clouds { x: cloud(), y: cloud(), d: *d, form: *form, value, slope },
            source: weights.clone(),
            target: weights.clone(),
            relaxation: [relaxation; 2],
        })
    }

    /// Refuses two balanced marginals of different mass, up to rounding, and masses whose products the
    /// number type cannot hold.
    pub(crate) fn check_masses(&self) -> Result<()> {
        check_masses::<E>(self.masses(), self.relaxation)
    }
}

impl<E: Real> Discrete<'static, E>
where
    Cpu: Device<E>,
{
    /// Two clouds given as tensors, which are copied.
    ///
    /// # Errors
    /// As [`clouds`](Self::clouds).
    pub fn points<const N: usize, C: RowCost<E>>(
        cost: &C,
        x: &Points<N, E>,
        y: &Points<N, E>,
    ) -> Result<Self> {
        for (what, n) in [("source points", x.shape().0), ("target points", y.shape().0)] {
            if n == 0 || N == 0 {
                return Err(Error::shape(what, "at least one point", format!("{n} × {N} numbers")));
            }
        }
        Self::from_clouds(cost, Cow::Owned(rows(x)), Cow::Owned(rows(y)), N)
    }
}
