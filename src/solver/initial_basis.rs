//! A first feasible tree for the network simplex.

use super::scan::{least, position};
use super::spanning_tree::SpanningTree;
use crate::ops::Real;

/// Mass left at a node. The count breaks ties as an infinitesimal mass would (one at every source,
/// taken in by the root), which makes the tree strongly feasible: arcs without flow point to the root.
type Left = (f64, i64);

/// Source by source in the given order, as much as possible to the target with the least cᵢⱼ + price
/// that is still open. Targets with an infinite price and sources that are not listed stay out of the
/// tree, which is rooted at the last target.
pub(super) fn greedy<E: Real>(
    cost: &[E],
    prices: &[f64],
    rows: &[u32],
    supply: &[f64],
    demand: &[f64],
) -> SpanningTree {
    let (n, m) = (supply.len(), demand.len());
    let mut parent: Vec<u32> = (0..(n + m) as u32).collect();
    let mut flow = vec![0.0; n + m];
    let mut open = prices.to_vec();
    let mut left: Vec<Left> = demand.iter().map(|&b| (b, 0)).collect();
    let mut targets = prices.iter().filter(|p| p.is_finite()).count();
    let sink = prices.iter().rposition(|p| p.is_finite()).unwrap_or(0);
    left[sink].1 = rows.len() as i64;
    let mut top = n + sink;
    for (k, &i) in rows.iter().enumerate() {
        let i = i as usize;
        let row = &cost[i * m..][..m];
        let last = k + 1 == rows.len();
        let mut mine: Left = (supply[i], 1);
        loop {
            let j = position(row, &open, least(row, &open));
            if !last && (targets == 1 || mine < left[j]) {
                parent[i] = (n + j) as u32;
                flow[i] = mine.0;
                left[j] = ((left[j].0 - mine.0).max(0.0), left[j].1 - mine.1);
                break;
            }
            parent[n + j] = i as u32;
            flow[n + j] = left[j].0;
            mine = ((mine.0 - left[j].0).max(0.0), mine.1 - left[j].1);
            open[j] = f64::INFINITY;
            targets -= 1;
            if targets == 0 {
                top = i;
                break;
            }
        }
    }
    turn(&mut parent, &mut flow, n + sink, top);
    SpanningTree::new(n, n + sink, parent, flow)
}

/// Makes `root` the root of the tree that has been hanging on `top`.
fn turn(parent: &mut [u32], flow: &mut [f64], root: usize, top: usize) {
    let (mut node, mut above, mut carried) = (root, root, 0.0);
    loop {
        let next = parent[node] as usize;
        parent[node] = above as u32;
        std::mem::swap(&mut flow[node], &mut carried);
        if node == top {
            break;
        }
        (above, node) = (node, next);
    }
}
