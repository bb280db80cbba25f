//! The spanning tree of a network simplex: parents, flows, and the nodes in preorder.

/// A rooted spanning tree of a bipartite graph. Nodes `0..sources` are sources, the rest targets; an
/// arc always goes from a source to a target, so the nodes at its ends say its direction.
///
/// The preorder is a circular list in which a subtree is one run, `node` to `last[node]`.
pub(super) struct SpanningTree {
    sources: usize,
    root: usize,
    /// The parent of a node; of the root, the root.
    parent: Vec<u32>,
    /// Flow on the arc between a node and its parent.
    flow: Vec<f64>,
    /// Nodes in the subtree of a node.
    size: Vec<u32>,
    next: Vec<u32>,
    previous: Vec<u32>,
    last: Vec<u32>,
    stem: Vec<u32>,
}

/// The arc that leaves, between `node` and its parent, and the flow that the entering arc takes.
pub(super) struct Leaving {
    flow: f64,
    node: usize,
    /// Whether the leaving arc lies between the source of the entering arc and the apex.
    pub on_source_side: bool,
    apex: usize,
}

impl SpanningTree {
    /// The tree with these parents and flows; nodes that are their own parents, but for the root,
    /// are not in it.
    pub fn new(sources: usize, root: usize, parent: Vec<u32>, flow: Vec<f64>) -> Self {
        let all = parent.len();
        let mut children = vec![Vec::new(); all];
        for (node, &p) in parent.iter().enumerate() {
            if node != p as usize {
                children[p as usize].push(node as u32);
            }
        }
        let mut order = Vec::with_capacity(all);
        let mut open = vec![root as u32];
        while let Some(node) = open.pop() {
            order.push(node);
            open.extend_from_slice(&children[node as usize]);
        }
        let (mut size, mut next, mut previous) = (vec![1; all], vec![0; all], vec![0; all]);
        let mut last: Vec<u32> = (0..all as u32).collect();
        for (k, &a) in order.iter().enumerate() {
            let b = order[(k + 1) % order.len()];
            next[a as usize] = b;
            previous[b as usize] = a;
        }
        // Children are taken from the end of their lists, so that the first of a list ends the run.
        for &node in order.iter().rev() {
            let node = node as usize;
            for &child in &children[node] {
                size[node] += size[child as usize];
            }
            if let Some(&child) = children[node].first() {
                last[node] = last[child as usize];
            }
        }
        Self { sources, root, parent, flow, size, next, previous, last, stem: Vec::new() }
    }

    /// How many nodes are sources.
    pub fn sources(&self) -> usize {
        self.sources
    }

    /// The parent of a node; of the root, the root.
    pub fn parent(&self, node: usize) -> usize {
        self.parent[node] as usize
    }

    /// Flow on the arc between a node and its parent.
    pub fn flow(&self, node: usize) -> f64 {
        self.flow[node]
    }

    /// All nodes but the root, parents before children.
    pub fn below_root(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.size[self.root] as usize);
        let mut node = self.next[self.root] as usize;
        while node != self.root {
            order.push(node);
            node = self.next[node] as usize;
        }
        order
    }

    /// The arc that leaves when `source → target` enters: the last one that blocks on the way from
    /// the apex of the cycle along its orientation, which keeps the tree strongly feasible
    /// (Cunningham's rule): every arc without flow points to the root, and pivots cannot cycle.
    pub fn leaving(&self, source: usize, target: usize) -> Leaving {
        let (mut i, mut j) = (source, target);
        let mut on_i = (f64::INFINITY, source);
        let mut on_j = (f64::INFINITY, target);
        // Sizes grow towards the root: the node with the smaller subtree is not above the other.
        while i != j {
            if self.size[i] <= self.size[j] {
                if i < self.sources && self.flow[i] < on_i.0 {
                    on_i = (self.flow[i], i);
                }
                i = self.parent[i] as usize;
            } else {
                if j >= self.sources && self.flow[j] <= on_j.0 {
                    on_j = (self.flow[j], j);
                }
                j = self.parent[j] as usize;
            }
        }
        let on_source_side = on_i.0 < on_j.0;
        let (flow, node) = if on_source_side { on_i } else { on_j };
        Leaving { flow, node, on_source_side, apex: i }
    }

    /// Sends the flow of `leaving` around the cycle and exchanges the two arcs.
    pub fn pivot(&mut self, source: usize, target: usize, leaving: &Leaving) {
        let (apex, flow) = (leaving.apex, leaving.flow);
        if flow > 0.0 {
            for (start, sign) in [(source, -flow), (target, flow)] {
                let mut node = start;
                while node != apex {
                    self.flow[node] += if node < self.sources { sign } else { -sign };
                    node = self.parent[node] as usize;
                }
            }
        }
        let (inner, outer) =
            if leaving.on_source_side { (source, target) } else { (target, source) };
        self.rehang(inner, outer, leaving.node, apex, flow);
    }

    /// Cuts the subtree of `cut` off, makes `inner` its root, and hangs it on `outer`.
    fn rehang(&mut self, inner: usize, outer: usize, cut: usize, apex: usize, flow: f64) {
        let total = self.size[cut];
        let (before, old_last) = (self.previous[cut], self.last[cut]);
        let above = self.parent[cut] as usize;
        // From `inner` up to `cut`: each hangs on the one before, followed by what is left of its run.
        let mut stem = std::mem::take(&mut self.stem);
        stem.clear();
        let mut node = inner;
        stem.push(node as u32);
        while node != cut {
            node = self.parent[node] as usize;
            stem.push(node as u32);
        }
        let mut end = self.last[inner];
        let mut after = self.next[end as usize];
        let mut tail = end;
        let mut prefix_end = self.previous[inner];
        let (mut carried, mut below) = (self.flow[inner], self.size[inner]);
        for pair in stem.windows(2) {
            let (child, node) = (pair[1] as usize, pair[0]);
            let next_prefix_end = self.previous[child];
            self.link(tail, child as u32);
            tail = prefix_end;
            if self.last[child] != end {
                self.link(tail, after);
                end = self.last[child];
                tail = end;
                after = self.next[end as usize];
            }
            prefix_end = next_prefix_end;
            self.parent[child] = node;
            std::mem::swap(&mut self.flow[child], &mut carried);
            let old = self.size[child];
            self.size[child] = total - below;
            below = old;
        }
        for &node in &stem {
            self.last[node as usize] = tail;
        }
        self.stem = stem;
        self.parent[inner] = outer as u32;
        self.flow[inner] = flow;
        self.size[inner] = total;

        // Out of the old place.
        self.link(before, after);
        let mut node = above;
        while self.last[node] == old_last {
            self.last[node] = before;
            if node == self.root {
                break;
            }
            node = self.parent[node] as usize;
        }
        self.resize(above, apex, total.wrapping_neg());
        // Into the new one.
        let after = self.next[outer];
        self.link(outer as u32, inner as u32);
        self.link(tail, after);
        let mut node = outer;
        while self.last[node] as usize == outer {
            self.last[node] = tail;
            if node == self.root {
                break;
            }
            node = self.parent[node] as usize;
        }
        self.resize(outer, apex, total);
    }

    fn link(&mut self, a: u32, b: u32) {
        self.next[a as usize] = b;
        self.previous[b as usize] = a;
    }

    fn resize(&mut self, from: usize, apex: usize, by: u32) {
        let mut node = from;
        while node != apex {
            self.size[node] = self.size[node].wrapping_add(by);
            node = self.parent[node] as usize;
        }
    }

    /// Adds `change` to the values of the subtree of `node`, or subtracts it from all others,
    /// whichever are fewer.
    pub fn shift(&self, node: usize, change: f64, values: &mut [f64]) {
        let (inside, all) = (self.size[node] as usize, self.size[self.root] as usize);
        let (mut at, count, change) = if 2 * inside <= all {
            (node, inside, change)
        } else {
            (self.next[self.last[node] as usize] as usize, all - inside, -change)
        };
        for _ in 0..count {
            values[at] += change;
            at = self.next[at] as usize;
        }
    }
}

#[cfg(test)]
mod tests;
