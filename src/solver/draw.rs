//! Pairs drawn from laws that are known row by row.

use std::collections::{BinaryHeap, HashSet};

use rand::Rng;

use crate::error::{Error, Result};
use crate::ops::simd::vectorised;
use crate::ops::Real;
use crate::random::Key;

/// Rounds of draws before a race.
const ROUNDS: u64 = 8;

/// Rows that take part in a race at once, which bounds the memory.
const ROWS: usize = 256;

/// A law on pairs (i, j): row i by its mass, then column j by the weights of the row.
pub(crate) trait RowLaw<E: Real>: Sync {
    /// Masses of the rows, up to a common factor.
    fn masses(&self) -> &[f64];

    /// How many columns have positive weight; the same for every row.
    fn support(&self) -> usize;

    /// `each(k, weights of the columns of row rows[k], up to a factor)`, in the order of `rows`.
    ///
    /// # Errors
    /// Whatever keeps a row from being computed.
    fn map_rows<V: Send>(
        &self,
        rows: &[usize],
        each: impl Fn(usize, &[E]) -> V + Sync + Send,
    ) -> Result<Vec<V>>;

    /// The column of each draw, its row and a uniform number, in the order of the rows: the first at
    /// which the running sum of the weights exceeds the number times their sum.
    ///
    /// # Errors
    /// Those of [`map_rows`](Self::map_rows).
    fn columns(&self, draws: &[(usize, f64)]) -> Result<Vec<usize>> {
        let groups: Vec<_> = draws.chunk_by(|a, b| a.0 == b.0).collect();
        let rows: Vec<usize> = groups.iter().map(|g| g[0].0).collect();
        let found = self.map_rows(&rows, |r, weights| {
            let column = Column::new(weights);
            groups[r].iter().map(|(_, u)| column.at(*u)).collect::<Vec<usize>>()
        })?;
        Ok(found.concat())
    }
}

/// `k` independent pairs.
pub(crate) fn with_replacement<E: Real>(
    law: &impl RowLaw<E>,
    key: Key,
    k: usize,
) -> Result<Vec<(usize, usize)>> {
    let mut rng = key.rng();
    let cumulative = running(law.masses());
    // Row, uniform number for the column, position in the result.
    let mut draws: Vec<(usize, f64, usize)> = (0..k)
        .map(|t| {
            let [row, column]: [f64; 2] = [rng.gen(), rng.gen()];
            (find(&cumulative, row), column, t)
        })
        .collect();
    draws.sort_unstable_by_key(|(row, _, t)| (*row, *t));
    let places: Vec<(usize, f64)> = draws.iter().map(|(row, u, _)| (*row, *u)).collect();
    let mut pairs = vec![(0, 0); k];
    for ((row, _, t), column) in draws.iter().zip(law.columns(&places)?) {
        pairs[*t] = (*row, column);
    }
    Ok(pairs)
}

/// `k` different pairs, each by the law restricted to those not drawn before.
///
/// Repeated draws are passed over. If these are too many, the rest is drawn by a race: pair c arrives at
/// an exponential time of rate P(c), and the first arrivals among the others are taken. That is the
/// same law, and so is changing from one to the other after any number of draws.
pub(crate) fn without_replacement<E: Real>(
    law: &impl RowLaw<E>,
    key: Key,
    k: usize,
) -> Result<Vec<(usize, usize)>> {
    let pairs = law.masses().iter().filter(|m| **m > 0.0).count().saturating_mul(law.support());
    if k > pairs {
        let rule = "there are not as many pairs of positive mass: draw fewer, or with replacement";
        return Err(Error::config("number of different pairs", k, rule));
    }
    let [repeated, race] = key.split();
    let mut drawn = Vec::with_capacity(k);
    let mut seen = HashSet::with_capacity(k);
    for round in 0..ROUNDS {
        let missing = k - drawn.len();
        // In the rounds that make up for repetitions, some to spare.
        let draws = if round == 0 { k } else { 2 * missing + 32 };
        let draws = with_replacement(law, repeated.fold_in(round), draws)?;
        drawn.extend(draws.into_iter().filter(|pair| seen.insert(*pair)).take(missing));
        if drawn.len() == k {
            return Ok(drawn);
        }
    }
    drawn.extend(first_arrivals(law, race, k - drawn.len(), &seen)?);
    Ok(drawn)
}

/// The first `k` arrivals among the pairs not `seen`, in their order.
fn first_arrivals<E: Real>(
    law: &impl RowLaw<E>,
    key: Key,
    k: usize,
    seen: &HashSet<(usize, usize)>,
) -> Result<Vec<(usize, usize)>> {
    let masses = law.masses();
    let rows: Vec<usize> = (0..masses.len()).filter(|i| masses[*i] > 0.0).collect();
    // The latest of those that are kept is on top.
    let mut first = BinaryHeap::new();
    for rows in rows.chunks(ROWS) {
        let bound = if first.len() == k { first.peek().copied() } else { None };
        let by_row = law.map_rows(rows, |r, weights| {
            let (i, mut rng) = (rows[r], key.fold_in(rows[r] as u64).rng());
            let sum: f64 = weights.iter().map(|w| w.double()).sum();
            let mut first = BinaryHeap::new();
            for (j, w) in weights.iter().enumerate() {
                let unit = -(-rng.gen::<f64>()).ln_1p();
                if *w > E::zero() {
                    let time = unit * sum / (masses[i] * w.double());
                    let arrival = Arrival { time, pair: (i, j) };
                    if bound.is_none_or(|b| arrival < b) && !seen.contains(&arrival.pair) {
                        push(&mut first, arrival, k);
                    }
                }
            }
            first
        })?;
        by_row.into_iter().flatten().for_each(|arrival| push(&mut first, arrival, k));
    }
    Ok(first.into_sorted_vec().iter().map(|a| a.pair).collect())
}

/// Adds an arrival and keeps the first `k`.
fn push(first: &mut BinaryHeap<Arrival>, arrival: Arrival, k: usize) {
    if first.len() < k {
        first.push(arrival);
    } else if first.peek().is_some_and(|last| arrival < *last) {
        first.pop();
        first.push(arrival);
    }
}

/// Ordered by time, then by pair.
#[derive(Clone, Copy, PartialEq)]
struct Arrival {
    time: f64,
    pair: (usize, usize),
}

impl Eq for Arrival {}

impl Ord for Arrival {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.time.total_cmp(&other.time).then(self.pair.cmp(&other.pair))
    }
}

impl PartialOrd for Arrival {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

fn running(masses: &[f64]) -> Vec<f64> {
    masses
        .iter()
        .scan(0.0, |sum, m| {
            *sum += m;
            Some(*sum)
        })
        .collect()
}

/// The first place at which the running sum exceeds u times the total, for u in [0, 1): never a place
/// of mass zero.
fn find(cumulative: &[f64], u: f64) -> usize {
    let total = cumulative.last().copied().unwrap_or(0.0);
    let last = cumulative.partition_point(|c| *c < total);
    cumulative.partition_point(|c| *c <= u * total).min(last)
}

/// Weights that are summed at once.
const BLOCK: usize = 64;

/// A row of weights with the running sums of its blocks.
struct Column<'a, E> {
    weights: &'a [E],
    cumulative: Vec<f64>,
}

impl<'a, E: Real> Column<'a, E> {
    fn new(weights: &'a [E]) -> Self {
        let mut sums = vec![E::zero(); weights.len().div_ceil(BLOCK)];
        block_sums::<E>(weights, &mut sums);
        let sums: Vec<f64> = sums.iter().map(|s| s.double()).collect();
        Self { weights, cumulative: running(&sums) }
    }

    /// The column of a uniform number.
    fn at(&self, u: f64) -> usize {
        let block = find(&self.cumulative, u);
        let before = if block == 0 { 0.0 } else { self.cumulative[block - 1] };
        let from = block * BLOCK;
        let weights = &self.weights[from..(from + BLOCK).min(self.weights.len())];
        let mut left = u * self.cumulative.last().copied().unwrap_or(0.0) - before;
        let mut last = 0;
        for (j, w) in weights.iter().enumerate().filter(|(_, w)| **w > E::zero()) {
            left -= w.double();
            last = j;
            if left < 0.0 {
                break;
            }
        }
        from + last
    }
}

vectorised! {
    fn block_sums<E: Real>(weights: &[E], sums: &mut [E]) {
        const LANES: usize = 16;
        for (block, sum) in weights.chunks(BLOCK).zip(sums) {
            let mut lanes = [E::zero(); LANES];
            for part in block.chunks(LANES) {
                for (lane, w) in lanes.iter_mut().zip(part) {
                    *lane += *w;
                }
            }
            *sum = lanes.iter().fold(E::zero(), |s, v| s + *v);
        }
    }
}
