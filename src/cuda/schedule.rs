//! Which block works on which rows and columns.

/// Columns of a part of the columns are a multiple of this, the tile of every kernel.
const TILE: usize = 128;
/// Blocks per processor that fill a device.
const FULL: usize = 2;
/// Fewest columns that are worth a part of their own.
const LEAST: usize = 256;

/// Tasks for the kernels, eight integers each: rows, columns, problem, part; and the number of parts.
pub(super) struct Schedule {
    pub(super) tasks: Vec<i32>,
    pub(super) splits: usize,
}

impl Schedule {
    pub(super) fn blocks(&self) -> usize {
        self.tasks.len() / 8
    }
}

/// `rows` and `columns`: where the points of each problem start, and the end. `splits` parts of the
/// columns, or as many as fill the device.
pub(super) fn schedule(
    rows: &[usize],
    columns: &[usize],
    block: usize,
    processors: usize,
    splits: Option<usize>,
    active: impl Fn(usize) -> bool,
) -> Schedule {
    let sizes = |starts: &[usize], k: usize| starts[k + 1] - starts[k];
    let problems = rows.len() - 1;
    let blocks: usize = (0..problems).map(|k| sizes(rows, k).div_ceil(block)).sum();
    let widest = (0..problems).map(|k| sizes(columns, k)).max().unwrap_or(1);
    let splits = splits.unwrap_or_else(|| {
        let wanted = (FULL * processors).div_ceil(blocks.max(1));
        wanted.clamp(1, widest.div_ceil(LEAST))
    });
    let mut tasks = Vec::new();
    for k in (0..problems).filter(|k| active(*k)) {
        let width = sizes(columns, k).div_ceil(splits).next_multiple_of(TILE);
        for row in (rows[k]..rows[k + 1]).step_by(block) {
            let row_end = (row + block).min(rows[k + 1]);
            for part in 0..splits {
                let column = (columns[k] + part * width).min(columns[k + 1]);
                let column_end = (column + width).min(columns[k + 1]);
                let task = [row, row_end, column, column_end, k, part, 0, 0];
                // The totals were checked to be below 2³¹ when the points were uploaded.
                tasks.extend(task.map(|v| v as i32));
            }
        }
    }
    Schedule { tasks, splits }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair of every problem is in one task, and every part of every row has one.
    #[test]
    fn tasks_cover_all_pairs_once() {
        let (rows, columns) = ([0, 1, 300, 420], [0, 700, 701, 1400]);
        for (block, processors) in [(32, 4), (256, 100), (16, 1)] {
            let Schedule { tasks, splits } =
                schedule(&rows, &columns, block, processors, None, |_| true);
            let mut pairs = vec![0u8; 420 * 1400];
            let mut parts = vec![0u32; 420];
            for t in tasks.chunks_exact(8) {
                let at = |k: usize| t[k] as usize;
                assert!(at(1) - at(0) <= block && at(5) < splits);
                for i in at(0)..at(1) {
                    parts[i] |= 1 << at(5);
                    (at(2)..at(3)).for_each(|j| pairs[i * 1400 + j] += 1);
                }
            }
            assert!(parts.iter().all(|p| *p == (1 << splits) - 1));
            for k in 0..3 {
                for i in rows[k]..rows[k + 1] {
                    let row = &pairs[i * 1400..(i + 1) * 1400];
                    let inside = |j: usize| (columns[k]..columns[k + 1]).contains(&j);
                    assert!((0..1400).all(|j| row[j] == u8::from(inside(j))));
                }
            }
        }
    }
}
