//! Matrix products on slices, over the `gemm` crate.

use super::parallel::for_each_chunk;
use super::Real;

/// Multiply-adds below which a product runs on the calling thread: waking another costs more.
const SERIAL: usize = 1 << 22;

/// Most rows of a block.
const ROWS: usize = 256;

/// Columns of a panel: wider products of the `gemm` crate lose a tenth to the second-level cache.
const PANEL: usize = 128;

/// A matrix in a slice, with any strides.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, E> {
    data: &'a [E],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

/// What happens to the former contents of the destination.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Into {
    Overwrite,
    Add,
}

impl<'a, E> Matrix<'a, E> {
    /// Row-major `rows × cols`.
    pub(crate) fn new(data: &'a [E], rows: usize, cols: usize) -> Self {
        Self { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// Columns `from..from + cols`.
    pub(crate) fn some_columns(self, from: usize, cols: usize) -> Self {
        assert!(from + cols <= self.cols);
        Self { data: &self.data[from * self.col_stride..], cols, ..self }
    }

    /// Rows `from..from + rows`.
    fn some_rows(self, from: usize, rows: usize) -> Self {
        assert!(from + rows <= self.rows);
        Self { data: &self.data[from * self.row_stride..], rows, ..self }
    }

    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    pub(crate) fn cols(&self) -> usize {
        self.cols
    }

    fn fits(&self) -> bool {
        self.rows == 0
            || self.cols == 0
            || (self.rows - 1) * self.row_stride + (self.cols - 1) * self.col_stride
                < self.data.len()
    }
}

/// One block of rows, panel by panel, which stay in cache.
fn block<E: Real>(a: Matrix<E>, b: Matrix<E>, c: &mut [E], pitch: usize, into: Into) {
    for from in (0..b.cols).step_by(PANEL) {
        let width = if b.cols - from < PANEL + PANEL / 2 { b.cols - from } else { PANEL };
        panel(a, b.some_columns(from, width), &mut c[from..], pitch, into);
        if from + width == b.cols {
            break;
        }
    }
}

fn panel<E: Real>(a: Matrix<E>, b: Matrix<E>, c: &mut [E], pitch: usize, into: Into) {
    let alpha = if into == Into::Add { E::one() } else { E::zero() };
    // SAFETY: `check` has made sure that the strides and sizes of both operands stay inside
    // their slices and those of the destination inside `c`; a part of an operand stays inside too. `c`
    // is borrowed mutably, hence aliases neither `a` nor `b`.
    unsafe {
        gemm::gemm(
            a.rows,
            b.cols,
            a.cols,
            c.as_mut_ptr(),
            1,
            pitch as isize,
            into == Into::Add,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            alpha,
            E::one(),
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// C = A B or C += A B, with C row-major and contiguous.
pub(crate) fn multiply<E: Real>(a: Matrix<E>, b: Matrix<E>, c: &mut [E], into: Into) {
    multiply_then(a, b, c, into, |_| ());
}

/// The same, and `then(rows)` for each block of rows of C while it is in cache.
///
/// A large product is cut into blocks of rows, over which the threads share. The cut depends on the
/// sizes alone, so the result does not depend on the number of threads.
pub(crate) fn multiply_then<E: Real>(
    a: Matrix<E>,
    b: Matrix<E>,
    c: &mut [E],
    into: Into,
    then: impl Fn(&mut [E]) + Sync,
) {
    check(&a, &b, c, b.cols);
    let rows = if a.rows * a.cols * b.cols < SERIAL {
        a.rows
    } else {
        a.rows.div_ceil(4).next_multiple_of(16).min(ROWS)
    };
    for_each_chunk(c, rows * b.cols, |i, c| {
        let here = rows.min(a.rows - i * rows);
        block(a.some_rows(i * rows, here), b, c, b.cols, into);
        then(c);
    });
}

/// The same on the calling thread, with a C of pitch `pitch`: for callers that share out rows already.
pub(crate) fn multiply_here<E: Real>(
    a: Matrix<E>,
    b: Matrix<E>,
    c: &mut [E],
    pitch: usize,
    into: Into,
) {
    check(&a, &b, c, pitch);
    block(a, b, c, pitch, into);
}

fn check<E>(a: &Matrix<E>, b: &Matrix<E>, c: &[E], pitch: usize) {
    assert!(a.cols == b.rows && a.fits() && b.fits(), "operands of a product do not fit");
    assert!(b.cols <= pitch && (a.rows == 0 || c.len() >= (a.rows - 1) * pitch + b.cols));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Key;

    fn naive(a: &Matrix<f32>, b: &Matrix<f32>) -> Vec<f64> {
        let at = |m: &Matrix<f32>, i: usize, j: usize| {
            f64::from(m.data[i * m.row_stride + j * m.col_stride])
        };
        (0..a.rows * b.cols)
            .map(|p| (0..a.cols).map(|k| at(a, p / b.cols, k) * at(b, k, p % b.cols)).sum())
            .collect()
    }

    #[test]
    fn products_agree_with_loops_in_f64() {
        for (m, k, n) in [(1, 1, 1), (7, 5, 3), (64, 2, 65), (130, 64, 33), (5, 300, 1)] {
            let [p, q] = Key::new(0).split();
            let (x, y) = (p.normal(m * k), q.normal(k * n));
            let (xt, yt) = (transpose(&x, m, k), transpose(&y, k, n));
            for (a, b) in [
                (Matrix::new(&x, m, k), Matrix::new(&y, k, n)),
                (Matrix::new(&xt, k, m).transposed(), Matrix::new(&y, k, n)),
                (Matrix::new(&x, m, k), Matrix::new(&yt, n, k).transposed()),
            ] {
                let mut c = vec![1.0; m * n];
                multiply(a, b, &mut c, Into::Add);
                // A sum of k products of unit normals in f32: k rounding errors of size sqrt(k).
                let bound = 1e-7 * (k as f64 + 4.0) * 4.0;
                for (c, e) in c.iter().zip(naive(&a, &b)) {
                    assert!((f64::from(*c) - 1.0 - e).abs() < bound, "{m} {k} {n}");
                }
            }
        }
    }

    fn transpose(x: &[f32], m: usize, n: usize) -> Vec<f32> {
        (0..m * n).map(|p| x[(p % m) * n + p / m]).collect()
    }

    #[test]
    fn products_do_not_depend_on_threads() {
        let [p, q] = Key::new(1).split();
        for (m, k, n) in [(512, 1024, 512), (1024, 512, 64), (512, 512, 1030)] {
            let (x, y) = (p.normal(m * k), q.normal(k * n));
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut c = vec![0.0; m * n];
                let (a, b) = (Matrix::new(&x, m, k), Matrix::new(&y, k, n));
                pool.install(|| multiply(a, b, &mut c, Into::Overwrite));
                c
            };
            let one = run(1);
            assert!(one == run(2) && one == run(3), "{m} {k} {n}");
        }
    }
}
