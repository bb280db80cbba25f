//! Which positions of its input a position of the output is a sum over.

use super::Convolution;

/// No position: the tap lies in the padding, or between the positions of a stride.
const NONE: u32 = u32::MAX;

/// For one axis: the position of the input that tap k of output position p reads.
struct Axis {
    taps: usize,
    at: Vec<u32>,
}

impl Axis {
    /// Of a convolution: p ↦ s·p + d·k − pad.
    fn forward(c: &Convolution, axis: usize) -> Self {
        let (stride, dilation) = (c.stride[axis], c.dilation[axis]);
        Self::new(c.output_size()[axis], c.kernel[axis], |p, k| {
            let i = (stride * p + dilation * k).checked_sub(c.padding[axis])?;
            (i < c.size[axis]).then_some(i)
        })
    }

    /// Of its adjoint: i ↦ (i + pad − d·k) / s, where that is a position of the output.
    fn adjoint(c: &Convolution, axis: usize) -> Self {
        let (stride, outputs) = (c.stride[axis], c.output_size()[axis]);
        Self::new(c.size[axis], c.kernel[axis], |i, k| {
            let p = (i + c.padding[axis]).checked_sub(c.dilation[axis] * k)?;
            (p.is_multiple_of(stride) && p / stride < outputs).then_some(p / stride)
        })
    }

    fn new(positions: usize, taps: usize, at: impl Fn(usize, usize) -> Option<usize>) -> Self {
        let pairs = (0..positions).flat_map(|p| (0..taps).map(move |k| (p, k)));
        Self { taps, at: pairs.map(|(p, k)| at(p, k).map_or(NONE, |i| i as u32)).collect() }
    }

    fn at(&self, p: usize) -> &[u32] {
        &self.at[p * self.taps..(p + 1) * self.taps]
    }

    /// For each position the number of its class: positions with the same taps are one.
    fn classes(&self) -> Vec<usize> {
        let mut patterns: Vec<Vec<bool>> = Vec::new();
        let positions = self.at.chunks_exact(self.taps);
        let class = |taps: &[u32]| {
            let pattern = taps.iter().map(|i| *i != NONE).collect();
            patterns.iter().position(|p| *p == pattern).unwrap_or_else(|| {
                patterns.push(pattern);
                patterns.len() - 1
            })
        };
        positions.map(class).collect()
    }
}

/// Output positions that read the same taps.
pub(super) struct Class {
    /// Their columns in [`Taps`].
    pub(super) columns: std::ops::Range<usize>,
    /// Whether a tap is read.
    pub(super) reads: Vec<bool>,
}

/// The positions of an output, sorted so that those that read the same taps are together: borders, the
/// phases of a stride and the holes of a dilation are then no special cases and cost no
/// multiplications with zero.
pub(super) struct Taps {
    /// Number of taps.
    pub(super) taps: usize,
    /// The output position of each column.
    pub(super) order: Vec<u32>,
    /// The input position that a tap reads in a column: `[taps, columns]`.
    pub(super) table: Vec<u32>,
    pub(super) classes: Vec<Class>,
}

impl Taps {
    /// Of a convolution.
    pub(super) fn forward(c: &Convolution) -> Self {
        Self::new([0, 1, 2].map(|a| Axis::forward(c, a)), c.output_size(), c.size)
    }

    /// Of its adjoint, which turns gradients of outputs into those of inputs.
    pub(super) fn adjoint(c: &Convolution) -> Self {
        Self::new([0, 1, 2].map(|a| Axis::adjoint(c, a)), c.size, c.output_size())
    }

    /// Of a convolution over an input with its padding stored, a row of taps being one: see `rows.rs`.
    pub(super) fn rows(c: &Convolution, padded: [usize; 3]) -> Self {
        let axis = |a: usize, taps: usize| {
            let (stride, dilation) = (c.stride[a], c.dilation[a]);
            Axis::new(c.output_size()[a], taps, |p, k| Some(stride * p + dilation * k))
        };
        let axes = [axis(0, c.kernel[0]), axis(1, c.kernel[1]), axis(2, 1)];
        Self::new(axes, c.output_size(), padded)
    }

    fn new(axes: [Axis; 3], to: [usize; 3], from: [usize; 3]) -> Self {
        let classes = axes.each_ref().map(Axis::classes);
        let class = |p: usize| {
            let [z, y, x] = unravel(p, to);
            (classes[0][z], classes[1][y], classes[2][x])
        };
        let mut order: Vec<u32> = (0..to.iter().product::<usize>() as u32).collect();
        order.sort_by_key(|p| class(*p as usize));

        let taps = axes.iter().map(|a| a.taps).product();
        let mut table = vec![NONE; taps * order.len()];
        for (column, p) in order.iter().enumerate() {
            let [z, y, x] = unravel(*p as usize, to);
            let mut tap = 0;
            for z in axes[0].at(z) {
                for y in axes[1].at(y) {
                    for x in axes[2].at(x) {
                        if *z != NONE && *y != NONE && *x != NONE {
                            let row = *z as usize * from[1] + *y as usize;
                            table[tap * order.len() + column] = (row * from[2]) as u32 + *x;
                        }
                        tap += 1;
                    }
                }
            }
        }
        let mut found: Vec<Class> = Vec::new();
        for (column, p) in order.iter().enumerate() {
            let same = column > 0 && class(*p as usize) == class(order[column - 1] as usize);
            match found.last_mut() {
                Some(last) if same => last.columns.end = column + 1,
                _ => {
                    let reads = (0..taps).map(|t| table[t * order.len() + column] != NONE);
                    found.push(Class { columns: column..column + 1, reads: reads.collect() });
                }
            }
        }
        Self { taps, order, table, classes: found }
    }

    /// Those of some positions alone, counted from the first of them.
    pub(super) fn part(&self, positions: std::ops::Range<usize>) -> Self {
        let here = |column: &usize| positions.contains(&(self.order[*column] as usize));
        let chosen: Vec<usize> = (0..self.columns()).filter(here).collect();
        let order = chosen.iter().map(|c| self.order[*c] - positions.start as u32).collect();
        let rows = (0..self.taps).map(|tap| self.row(tap));
        let table = rows.flat_map(|row| chosen.iter().map(|c| row[*c])).collect();
        let at = |column: usize| chosen.partition_point(|c| *c < column);
        let classes = self.classes.iter().map(|class| Class {
            columns: at(class.columns.start)..at(class.columns.end),
            reads: class.reads.clone(),
        });
        let classes = classes.filter(|class| !class.columns.is_empty()).collect();
        Self { taps: self.taps, order, table, classes }
    }

    /// Number of output positions.
    pub(super) fn columns(&self) -> usize {
        self.order.len()
    }

    /// The input positions that a tap reads, by column.
    pub(super) fn row(&self, tap: usize) -> &[u32] {
        &self.table[tap * self.columns()..(tap + 1) * self.columns()]
    }
}

fn unravel(p: usize, size: [usize; 3]) -> [usize; 3] {
    [p / (size[1] * size[2]), p / size[2] % size[1], p % size[2]]
}
