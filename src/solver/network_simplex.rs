//! Exact transport between any weights: the network simplex on a dense bipartite graph.

use super::initial_basis::greedy;
use super::masses::{Masses, Transfer};
use super::scan::{least, lower, position};
use super::spanning_tree::SpanningTree;
use crate::ops::Real;

/// Entries of the cost matrix that are priced before one of them enters, where rows are short.
const BLOCK: usize = 512;
/// Longest run of one row that is priced at once.
const RUN: usize = 2048;
/// Neighbouring rows that are priced one after the other: they stream from memory better than rows
/// far apart. The greedy tree takes single rows: that its order is another saves pivots.
const GROUP: u32 = 8;

/// An optimal tree, or the last one before the limit.
pub(super) struct Basis {
    pub plan: Vec<Transfer>,
    pub source_potential: Vec<f64>,
    pub target_potential: Vec<f64>,
    pub pivots: u64,
    pub optimal: bool,
}

/// The primal network simplex with block pricing on strongly feasible trees.
///
/// A tree of arcs carries the flow and gives the potentials by f(i) + g(j) = c(i, j); an arc with
/// f(i) + g(j) > c(i, j) enters, the arc that blocks leaves. Only the nodes of the smaller part into
/// which the tree falls get new potentials. Rows are priced in turn by vectorised scans.
struct Simplex<'a, E> {
    cost: &'a [E],
    columns: usize,
    /// Sources with mass, in the order in which they are priced.
    rows: Vec<u32>,
    tree: SpanningTree,
    /// f of the sources, then −g of the targets; infinite for a target without mass.
    values: Vec<f64>,
    /// An arc must gain more than this to enter.
    tolerance: f64,
    next_row: usize,
    next_run: usize,
}

/// An arc that gains, and by how much (a negative number).
struct Entering {
    source: usize,
    target: usize,
    slack: f64,
}

/// Solves from the greedy tree for the given prices (minus g).
/// `scale` is the largest absolute cost.
pub(super) fn solve<E: Real>(
    cost: &[E],
    masses: &Masses,
    prices: &[f64],
    scale: f64,
    limit: u64,
) -> Basis {
    let (n, m) = (masses.supply.len(), masses.demand.len());
    let supplied = |i: &u32| masses.supply[*i as usize] > 0.0;
    let build: Vec<u32> = scattered(n as u32, 1).filter(supplied).collect();
    let rows: Vec<u32> = scattered(n as u32, GROUP).filter(supplied).collect();
    let price = |(p, b): (&f64, &f64)| if *b > 0.0 { *p } else { f64::INFINITY };
    let prices: Vec<f64> = prices.iter().zip(&masses.demand).map(price).collect();
    let tree = greedy(cost, &prices, &build, &masses.supply, &masses.demand);
    let mut values = vec![0.0; n];
    values.extend_from_slice(&prices);
    let tolerance = 64.0 * f64::EPSILON * scale;
    let mut simplex =
        Simplex { cost, columns: m, rows, tree, values, tolerance, next_row: 0, next_run: 0 };
    let (pivots, optimal) = simplex.run(limit);
    simplex.finish(masses, pivots, optimal)
}

/// `0..n` in groups of consecutive numbers, with neighbouring groups far apart: in the order of sorted
/// points the greedy tree and the pricing would work on one region after the other, which takes
/// several times as many pivots.
fn scattered(n: u32, group: u32) -> impl Iterator<Item = u32> {
    let groups = n.div_ceil(group);
    let gcd = |mut a: u32, mut b: u32| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    // Next to the golden section, coprime to the number of groups.
    let near = (f64::from(groups) * 0.618_033_988_75) as u32;
    let stride = (near.max(1)..=groups.max(1)).find(|&s| gcd(s, groups) == 1).unwrap_or(1);
    let nth = move |k| (k * u64::from(stride) % u64::from(groups)) as u32;
    (0..u64::from(groups))
        .map(nth)
        .flat_map(move |g| g * group..n.min((g * group).saturating_add(group)))
}

impl<E: Real> Simplex<'_, E> {
    /// Pivots until no arc gains. Potentials are computed afresh from the tree before that is
    /// believed, since pivots leave roundings in them.
    fn run(&mut self, limit: u64) -> (u64, bool) {
        self.refresh();
        let (mut pivots, mut fresh) = (0, true);
        loop {
            match self.entering() {
                Some(_) if pivots >= limit => return (pivots, false),
                Some(arc) => {
                    self.pivot(&arc);
                    pivots += 1;
                    fresh = false;
                }
                None if fresh => return (pivots, true),
                None => {
                    self.refresh();
                    fresh = true;
                }
            }
        }
    }

    /// The arc that gains most in the next block that has one that does.
    fn entering(&mut self) -> Option<Entering> {
        let n = self.tree.sources();
        let runs = self.columns.div_ceil(RUN);
        let prices = &self.values[n..];
        let (mut best, mut found) = (-self.tolerance, None);
        let (mut priced, mut since) = (0, 0);
        while priced < self.rows.len() * runs {
            let i = self.rows[self.next_row] as usize;
            let from = self.next_run * RUN;
            let to = self.columns.min(from + RUN);
            let value = least(&self.cost[i * self.columns..][from..to], &prices[from..to]);
            if value - self.values[i] < best {
                best = value - self.values[i];
                found = Some((i, from, to, value));
            }
            self.next_run += 1;
            if self.next_run == runs {
                self.next_run = 0;
                self.next_row = (self.next_row + 1) % self.rows.len();
            }
            priced += 1;
            since += to - from;
            if since >= BLOCK {
                if found.is_some() {
                    break;
                }
                since = 0;
            }
        }
        found.map(|(source, from, to, value)| {
            let row = &self.cost[source * self.columns..][from..to];
            Entering { source, target: from + position(row, &prices[from..to], value), slack: best }
        })
    }

    fn pivot(&mut self, arc: &Entering) {
        let (source, target) = (arc.source, self.tree.sources() + arc.target);
        let leaving = self.tree.leaving(source, target);
        self.tree.pivot(source, target, &leaving);
        let (moved, change) =
            if leaving.on_source_side { (source, arc.slack) } else { (target, -arc.slack) };
        self.tree.shift(moved, change, &mut self.values);
    }

    /// The ends of the arc between a node and its parent.
    fn arc(&self, node: usize) -> (usize, usize) {
        let (n, parent) = (self.tree.sources(), self.tree.parent(node));
        if node < n {
            (node, parent - n)
        } else {
            (parent, node - n)
        }
    }

    /// Potentials of all nodes from that of the root.
    fn refresh(&mut self) {
        for node in self.tree.below_root() {
            let (i, j) = self.arc(node);
            let c = self.cost[i * self.columns + j].double();
            let above = self.values[self.tree.parent(node)];
            self.values[node] = if node < self.tree.sources() { above + c } else { above - c };
        }
    }

    /// Flows afresh from the masses, and feasible potentials for every node.
    fn finish(mut self, masses: &Masses, pivots: u64, optimal: bool) -> Basis {
        let (n, m) = (self.tree.sources(), self.columns);
        // What must leave a source, and what must reach a target, over the arc to the parent.
        let mut owed: Vec<f64> = masses.supply.iter().chain(&masses.demand).copied().collect();
        let order = self.tree.below_root();
        let mut plan = Vec::with_capacity(order.len());
        for node in order.into_iter().rev() {
            let (source, target) = self.arc(node);
            let mass = owed[node].max(0.0);
            owed[self.tree.parent(node)] -= mass;
            // An arc that carries nothing may be left with a rounding.
            if mass > 0.0 && self.tree.flow(node) > 0.0 {
                plan.push(Transfer { source, target, mass: mass * masses.unit });
            }
        }
        plan.sort_unstable_by_key(|t| (t.source, t.target));

        // Targets without mass take the highest potential that is feasible, then sources do.
        let (mut minima, mut origins) = (vec![f64::INFINITY; m], vec![0; m]);
        if self.values[n..].iter().any(|v| v.is_infinite()) {
            for &i in &self.rows {
                let (row, f) = (&self.cost[i as usize * m..][..m], self.values[i as usize]);
                lower(row, f, &mut minima, &mut origins, i);
            }
        }
        for (v, g) in self.values[n..].iter_mut().zip(minima) {
            *v = if v.is_infinite() { -g } else { *v };
        }
        let prices = &self.values[n..];
        let source_potential = self.cost.chunks_exact(m).map(|row| least(row, prices)).collect();
        let target_potential = prices.iter().map(|v| -v).collect();
        Basis { plan, source_potential, target_potential, pivots, optimal }
    }
}
