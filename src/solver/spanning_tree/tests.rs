//! The lists of a tree through random pivots.

use super::*;
use crate::random::Key;

/// The lists of a tree against what follows from its parents alone.
fn check(tree: &SpanningTree) {
    let all = tree.parent.len();
    let above = |mut node: usize| {
        let mut path = vec![node];
        while node != tree.root {
            node = tree.parent(node);
            path.push(node);
        }
        path
    };
    let mut size = vec![0; all];
    (0..all).for_each(|node| above(node).into_iter().for_each(|k| size[k] += 1));
    assert_eq!(size, tree.size);
    let mut order = vec![tree.root];
    order.extend(tree.below_root());
    assert_eq!(order.len(), all);
    for (k, &node) in order.iter().enumerate() {
        let run = &order[k..][..tree.size[node] as usize];
        assert!(run.iter().all(|&below| above(below).contains(&node)));
        assert_eq!(tree.last[node] as usize, run[run.len() - 1]);
        assert_eq!(tree.previous[tree.next[node] as usize] as usize, node);
    }
}

/// Net flow out of the sources and into the targets.
fn masses(tree: &SpanningTree) -> Vec<f64> {
    let mut masses = vec![0.0; tree.parent.len()];
    for node in tree.below_root() {
        masses[node] += tree.flow(node);
        masses[tree.parent(node)] += tree.flow(node);
    }
    masses
}

#[test]
fn pivots_keep_the_tree_its_masses_and_strong_feasibility() {
    let (n, m) = (9, 7);
    // A star of targets around source 0 and of sources around the root, the last target.
    let root = n + m - 1;
    let parent = |k: usize| if k > 0 && k < n || k == root { root } else { 0 } as u32;
    let mut parents: Vec<u32> = (0..n + m).map(parent).collect();
    parents[0] = root as u32;
    // Flows of 0 point to the root, and those away from it are positive: many ties.
    let flow = (0..n + m).map(|k| if k < n { (k % 2) as f64 } else { 1.0 }).collect();
    let mut tree = SpanningTree::new(n, root, parents, flow);
    check(&tree);
    let before = masses(&tree);
    let mut values = vec![0.0; n + m];
    for step in 0..2000 {
        let draw = Key::new(step).indices(2, n * m);
        let (source, target) = (draw[0] % n, n + draw[1] % m);
        if tree.parent(source) == target || tree.parent(target) == source {
            continue;
        }
        let leaving = tree.leaving(source, target);
        tree.pivot(source, target, &leaving);
        check(&tree);
        assert_eq!(masses(&tree), before);
        let feasible = |k: usize| tree.flow(k) > 0.0 || (k < n && tree.flow(k) == 0.0);
        assert!(tree.below_root().into_iter().all(feasible));
        // A shift of a subtree moves its nodes against all others.
        let node = tree.below_root()[draw[0] % (n + m - 1)];
        values.fill(0.0);
        tree.shift(node, 1.0, &mut values);
        let inside = values[node];
        let moved = values.iter().filter(|v| **v == inside).count();
        assert!(moved == tree.size[node] as usize && inside - values[root] == 1.0);
    }
}
