//! Pairs within classes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use rand::Rng;

use super::coupling::{Coupling, Draw};
use crate::error::{Error, Result};
use crate::ops::Real;
use crate::problem::{Discrete, Ground};
use crate::random::Key;

/// A coupling applied class by class: pairs join points of the same class, and every class of targets gets
/// its share of them, whatever the costs. In expectation targets of a class are drawn by the weight of the
/// class, up to rounding of the counts, also where the coupling relaxes its marginals; those relax within
/// a class.
///
/// Sources without classes (noise that is to be transported to data with conditions) are dealt to the
/// classes at random, in proportion to the numbers of targets. Then the source of a pair is independent
/// of its class: the law of sources given a class is that of all sources, which a coupling of the whole
/// batch would not keep.
///
/// ```
/// use brenier::geometry::SqEuclidean;
/// use brenier::problem::Discrete;
/// use brenier::random::Key;
/// use brenier::solver::{ByClass, Coupling, Draw, ExactConfig, MinibatchCoupling};
/// let (x, y) = ([0.0f32, 1.0, 2.0, 3.0], [0.0f32, 1.0, 2.0, 3.0]);
/// let problem = Discrete::clouds(&SqEuclidean, &x, &y, 1)?;
/// let exact = MinibatchCoupling::Exact(ExactConfig::default());
/// let by_class = ByClass { coupling: &exact, source: Some(&[0, 0, 1, 1]), target: &[1, 1, 0, 0] };
/// let mut pairs = by_class.pairs(&problem, Draw::WithoutReplacement(4), Key::new(0))?;
/// pairs.sort();
/// assert_eq!(pairs, [(0, 2), (1, 3), (2, 0), (3, 1)]);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ByClass<'a, K> {
    /// The coupling within a class.
    pub coupling: &'a K,
    /// Classes of the sources, where they have any.
    pub source: Option<&'a [u32]>,
    /// Classes of the targets.
    pub target: &'a [u32],
}

impl<E: Real, K: Coupling<E>> Coupling<E> for ByClass<'_, K> {
    /// The pairs of the first class, then those of the second, …
    fn pairs(
        &self,
        problem: &Discrete<'_, E>,
        draw: Draw,
        key: Key,
    ) -> Result<Vec<(usize, usize)>> {
        let (n, m) = problem.sizes();
        for (what, classes, count) in
            [("source classes", self.source, n), ("target classes", Some(self.target), m)]
        {
            if let Some(classes) = classes.filter(|c| c.len() != count) {
                return Err(Error::shape(what, format!("{count}, one a point"), classes.len()));
            }
        }
        let [deal, share, within] = key.split();
        let targets = members(self.target);
        let sources = match self.source {
            Some(classes) => members(classes),
            None => dealt(n, &targets, deal)?,
        };
        let masses = targets.values().map(|t| mass(&problem.target, t)).collect::<Vec<f64>>();
        let (Draw::WithReplacement(k) | Draw::WithoutReplacement(k)) = draw;
        let counts = shares(k, &masses, share);
        let mut pairs = Vec::with_capacity(k);
        for ((class, targets), count) in targets.iter().zip(counts) {
            if count == 0 {
                continue;
            }
            let sources = sources.get(class).filter(|s| !s.is_empty());
            let Some(sources) = sources else {
                let found = format!("none for {} targets", targets.len());
                return Err(Error::shape(format!("sources of class {class}"), "some", found));
            };
            let part = restricted(problem, sources, targets);
            let draw = match draw {
                Draw::WithReplacement(_) => Draw::WithReplacement(count),
                Draw::WithoutReplacement(_) => Draw::WithoutReplacement(count),
            };
            let found = self.coupling.pairs(&part, draw, within.fold_in((*class).into()))?;
            pairs.extend(found.into_iter().map(|(i, j)| (sources[i], targets[j])));
        }
        Ok(pairs)
    }
}

/// The points of each class.
fn members(classes: &[u32]) -> BTreeMap<u32, Vec<usize>> {
    let mut all: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    classes.iter().enumerate().for_each(|(i, class)| all.entry(*class).or_default().push(i));
    all
}

fn mass<E: Real>(weights: &[E], of: &[usize]) -> f64 {
    of.iter().map(|i| weights[*i].double()).sum()
}

/// `n` sources in random order, dealt to classes in proportion to their targets, at least one each.
fn dealt(
    n: usize,
    targets: &BTreeMap<u32, Vec<usize>>,
    key: Key,
) -> Result<BTreeMap<u32, Vec<usize>>> {
    if n < targets.len() {
        let expected = format!("at least one for each of {} classes", targets.len());
        return Err(Error::shape("source points", expected, n));
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut key.rng());
    let total: usize = targets.values().map(Vec::len).sum();
    let quota = |t: &Vec<usize>| (t.len() * n / total).max(1);
    let mut counts: Vec<usize> = targets.values().map(quota).collect();
    // What rounding left over goes to, or is taken from, the largest classes.
    let mut largest: Vec<usize> = (0..counts.len()).collect();
    largest.sort_by_key(|i| std::cmp::Reverse(counts[*i]));
    for i in largest.iter().cycle() {
        match counts.iter().sum::<usize>().cmp(&n) {
            std::cmp::Ordering::Equal => break,
            std::cmp::Ordering::Less => counts[*i] += 1,
            std::cmp::Ordering::Greater => counts[*i] -= usize::from(counts[*i] > 1),
        }
    }
    let mut from = 0;
    Ok(targets
        .keys()
        .zip(counts)
        .map(|(class, count)| {
            from += count;
            (*class, order[from - count..from].to_vec())
        })
        .collect())
}

/// Numbers of pairs that add up to `k`, in expectation in proportion to the masses: one uniform number
/// shifts equidistant marks over the line of the masses.
fn shares(k: usize, masses: &[f64], key: Key) -> Vec<usize> {
    let total: f64 = masses.iter().sum();
    let shift: f64 = key.rng().gen();
    let marks = |mass: f64| (k as f64 * mass / total + shift + 1e-9).floor() as usize;
    let (mut sum, mut before) = (0.0, 0);
    let mut counts: Vec<usize> = Vec::with_capacity(masses.len());
    for mass in masses {
        sum += mass;
        counts.push(marks(sum).min(k) - before);
        before = marks(sum).min(k);
    }
    // Rounding of the sum can leave the last mark out.
    if let Some(last) = counts.last_mut() {
        *last += k - before;
    }
    counts
}

/// The problem between some of the points; both sides with the mass of these targets.
fn restricted<'a, E: Real>(
    problem: &Discrete<'a, E>,
    sources: &[usize],
    targets: &[usize],
) -> Discrete<'a, E> {
    let rows = |cloud: &[E], of: &[usize], d: usize| -> Cow<'a, [E]> {
        of.iter().flat_map(|i| &cloud[i * d..(i + 1) * d]).copied().collect()
    };
    let ground = match &problem.ground {
        Ground::Matrix(costs) => {
            let m = problem.target.len();
            let row = |i: &usize| targets.iter().map(|j| costs[i * m + j]).collect::<Vec<E>>();
            Ground::Matrix(sources.iter().flat_map(row).collect())
        }
        Ground::Clouds { x, y, d, form, value, slope } => Ground::Clouds {
            x: rows(x, sources, *d),
            y: rows(y, targets, *d),
            d: *d,
            form: *form,
            value: value.clone(),
            slope: slope.clone(),
        },
    };
    let target: Vec<E> = targets.iter().map(|j| problem.target[*j]).collect();
    let mut source: Vec<E> = sources.iter().map(|i| problem.source[*i]).collect();
    let (have, wanted) = (mass(&problem.source, sources), mass(&problem.target, targets));
    source.iter_mut().for_each(|w| *w = E::of(w.double() * wanted / have));
    Discrete { ground, source, target, relaxation: problem.relaxation }
}
