//! Exact assignment: as many targets as sources, one for each.

use super::masses::check_costs;
use super::scan::{find, least, lower, position, relax, two_least};
use crate::error::{Error, Result};
use crate::ops::Real;

/// Row or column without a partner.
const FREE: u32 = u32::MAX;
/// Bids per row before augmentation.
const BIDS: usize = 2;

/// An optimal assignment.
#[must_use]
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The target of each source: a permutation of `0..n`.
    pub targets: Vec<usize>,
    /// Σᵢ c(i, targets\[i\]).
    pub cost: f64,
    /// f, with f(i) + g(j) ≤ c(i, j), and equality on the assignment; both to rounding.
    pub source_potential: Vec<f64>,
    /// g.
    pub target_potential: Vec<f64>,
}

/// The permutation σ with the least Σᵢ c(i, σ(i)), for an n × n matrix given row by row.
///
/// Column reduction, two bids for every row (the augmenting row reduction of Jonker and Volgenant),
/// then shortest augmenting paths (Dijkstra on a dense graph). Computed in double precision whatever
/// the matrix holds: the result is optimal up to n roundings of the largest cost. O(n³) time in the
/// worst case, O(n) memory beside the matrix, which is not copied; one thread. Among several optimal
/// assignments the order of rows and columns decides, always in the same way.
///
/// Source: Jonker and Volgenant, A shortest augmenting path algorithm for dense and sparse linear
/// assignment problems, Computing 38 (1987).
///
/// # Errors
/// [`Error::Shape`] if n is zero or the matrix is not n × n, [`Error::NonFinite`] for a cost that is
/// NaN or infinite, [`Error::InvalidConfig`] for costs whose sums overflow.
///
/// ```
/// use brenier::solver::assignment;
/// let found = assignment(&[4.0, 1.0, 3.0, 2.0, 0.0, 5.0, 3.0, 2.0, 2.0], 3)?;
/// assert_eq!(found.targets, [1, 0, 2]);
/// assert_eq!(found.cost, 5.0);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn assignment<E: Real>(cost: &[E], n: usize) -> Result<Assignment> {
    if n == 0 {
        return Err(Error::shape("rows of the cost matrix", "at least one", 0));
    }
    check_costs(cost, n, n)?;
    let mut matching = Matching::new(cost, n);
    matching.bid();
    Ok(matching.complete())
}

/// A partial assignment with prices of the columns. A row with a partner has none that is cheaper,
/// prices included.
pub(super) struct Matching<'a, E> {
    cost: &'a [E],
    n: usize,
    column_of: Vec<u32>,
    row_of: Vec<u32>,
    /// Prices: −g.
    pub prices: Vec<f64>,
}

impl<'a, E: Real> Matching<'a, E> {
    /// Column reduction: a price of minus the least cost for each column, and the first column that
    /// names a row as its cheapest goes to it.
    pub fn new(cost: &'a [E], n: usize) -> Self {
        let (mut prices, mut cheapest) = (vec![f64::INFINITY; n], vec![0; n]);
        for (i, row) in cost.chunks_exact(n).enumerate() {
            lower(row, 0.0, &mut prices, &mut cheapest, i as u32);
        }
        let (mut column_of, mut row_of) = (vec![FREE; n], vec![FREE; n]);
        for (j, &i) in cheapest.iter().enumerate() {
            // The tight column makes the row's least value 0: prices are column minima.
            if column_of[i as usize] == FREE {
                column_of[i as usize] = j as u32;
                row_of[j] = i;
            }
        }
        prices.iter_mut().for_each(|p| *p = -*p);
        Self { cost, n, column_of, row_of, prices }
    }

    fn row(&self, i: usize) -> &'a [E] {
        &self.cost[i * self.n..][..self.n]
    }

    /// Rows without a partner.
    pub fn free(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.n as u32).filter(|&i| self.column_of[i as usize] == FREE)
    }

    /// Rows without a partner take their cheapest column and raise its price to what makes it as
    /// cheap as the second; whoever had it is free again. At most [`BIDS`] n times.
    pub fn bid(&mut self) {
        let mut open: Vec<u32> = self.free().collect();
        let mut evicted = Vec::new();
        let mut left = BIDS * self.n;
        while !open.is_empty() && left > 0 {
            for &i in open.iter().take(left) {
                let row = self.row(i as usize);
                let (first, second) = two_least(row, &self.prices);
                let j = position(row, &self.prices, first);
                if second > first && second.is_finite() {
                    self.prices[j] += second - first;
                } else if self.row_of[j] != FREE {
                    continue;
                }
                let before = std::mem::replace(&mut self.row_of[j], i);
                self.column_of[i as usize] = j as u32;
                if before != FREE {
                    self.column_of[before as usize] = FREE;
                    evicted.push(before);
                }
            }
            left -= open.len().min(left);
            open.clear();
            std::mem::swap(&mut open, &mut evicted);
        }
    }

    /// A partner for every row, by a shortest augmenting path from each free one.
    pub fn complete(mut self) -> Assignment {
        let mut search = Search::new(self.n);
        let free: Vec<u32> = self.free().collect();
        for row in free {
            self.augment(row, &mut search);
        }
        let (mut cost, mut source_potential) = (0.0, Vec::with_capacity(self.n));
        for i in 0..self.n {
            source_potential.push(least(self.row(i), &self.prices));
            cost += self.row(i)[self.column_of[i] as usize].double();
        }
        let target_potential = self.prices.iter().map(|p| -p).collect();
        let targets = self.column_of.iter().map(|&j| j as usize).collect();
        Assignment { targets, cost, source_potential, target_potential }
    }

    fn augment(&mut self, start: u32, search: &mut Search) {
        search.keys.fill(f64::INFINITY);
        search.open.copy_from_slice(&self.prices);
        search.settled.clear();
        let mut i = start;
        let mut shift = -least(self.row(i as usize), &self.prices);
        let (end, length) = loop {
            let Search { keys, origins, open, settled } = search;
            let row = self.row(i as usize);
            let key = relax(row, open, shift, keys, origins, i);
            let j = find(keys, key);
            if self.row_of[j] == FREE {
                break (j, key);
            }
            settled.push((j, key));
            (keys[j], open[j]) = (f64::INFINITY, f64::INFINITY);
            i = self.row_of[j];
            shift = key - (self.row(i as usize)[j].double() + self.prices[j]);
        };
        for &(j, key) in &search.settled {
            self.prices[j] += length - key;
        }
        let mut j = end;
        loop {
            let i = search.origins[j];
            self.row_of[j] = i;
            let next = std::mem::replace(&mut self.column_of[i as usize], j as u32);
            if i == start {
                break;
            }
            j = next as usize;
        }
    }
}

/// What a search for a path needs; columns that are settled have infinite keys and prices.
struct Search {
    keys: Vec<f64>,
    origins: Vec<u32>,
    open: Vec<f64>,
    settled: Vec<(usize, f64)>,
}

impl Search {
    fn new(n: usize) -> Self {
        let settled = Vec::with_capacity(n);
        Self { keys: vec![0.0; n], origins: vec![0; n], open: vec![0.0; n], settled }
    }
}
