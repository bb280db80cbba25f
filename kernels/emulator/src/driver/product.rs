//! Products of matrices in device memory, by the host: what `cublas*gemm` asks for.

use super::queue::failed;
use crate::check::{Kind, Report};
use crate::machine::{host_report, Memory};

/// What came of work; a report is large.
pub(super) type Outcome<T> = Result<T, Box<Report>>;

/// A number type of the products.
pub(super) trait Number: Copy {
    const NAME: &'static str;
    const BYTES: usize;
    fn read(bytes: &[u8]) -> f64;
    fn write(value: f64, to: &mut Vec<u8>);
}

macro_rules! number {
    ($ty:ty, $bytes:literal, $name:literal) => {
        impl Number for $ty {
            const NAME: &'static str = $name;
            const BYTES: usize = $bytes;

            fn read(bytes: &[u8]) -> f64 {
                let mut word = [0; $bytes];
                word.copy_from_slice(&bytes[..$bytes]);
                f64::from(<$ty>::from_le_bytes(word))
            }

            fn write(value: f64, to: &mut Vec<u8>) {
                to.extend_from_slice(&(value as $ty).to_le_bytes());
            }
        }
    };
}

number!(f32, 4, "cublasSgemm");
number!(f64, 8, "cublasDgemm");

/// A matrix by columns: its address, the distance of its columns, the distance to the next of a batch.
#[derive(Clone, Copy)]
pub(super) struct Matrix {
    pub(super) base: u64,
    pub(super) lead: i32,
    pub(super) next: i64,
    pub(super) transposed: bool,
}

/// C ← α op(A) op(B) + β C for every matrix of a batch, op(A) m × k, op(B) k × n.
///
/// Sums are taken in double precision and rounded once. What is read must have been written, and C is read
/// for β ≠ 0 only.
pub(super) struct Product {
    pub(super) size: [i32; 3],
    pub(super) factors: [f64; 2],
    pub(super) a: Matrix,
    pub(super) b: Matrix,
    pub(super) c: Matrix,
    pub(super) count: i32,
}

impl Product {
    /// What cuBLAS refuses: negative sizes, and columns that are longer than their distance.
    pub(super) fn valid(&self) -> bool {
        let [m, n, k] = self.size;
        let rows =
            |x: &Matrix, plain: i32, flipped: i32| if x.transposed { flipped } else { plain };
        m.min(n).min(k).min(self.count) >= 0
            && self.a.lead >= rows(&self.a, m, k).max(1)
            && self.b.lead >= rows(&self.b, k, n).max(1)
            && self.c.lead >= m.max(1)
    }

    pub(super) fn run<T: Number>(&self, memory: &mut Memory) -> Outcome<()> {
        let [m, n, k] = self.size.map(|v| v as usize);
        for index in 0..i64::from(self.count) {
            let at = |x: &Matrix| x.base.wrapping_add_signed(x.next * index * T::BYTES as i64);
            let a = load::<T>(memory, &self.a, at(&self.a), m, k)?;
            let b = load::<T>(memory, &self.b, at(&self.b), k, n)?;
            for j in 0..n {
                let column = at(&self.c) + (j * self.c.lead as usize * T::BYTES) as u64;
                let mut old = vec![0.0; m];
                if self.factors[1] != 0.0 {
                    old = column_at::<T>(memory, column, m)?;
                }
                let mut bytes = Vec::with_capacity(m * T::BYTES);
                for i in 0..m {
                    let sum: f64 = (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
                    T::write(self.factors[0] * sum + self.factors[1] * old[i], &mut bytes);
                }
                memory.write(column, &bytes).map_err(|e| Box::new(failed(T::NAME, column, e)))?;
            }
        }
        Ok(())
    }
}

fn column_at<T: Number>(memory: &Memory, at: u64, len: usize) -> Outcome<Vec<f64>> {
    match memory.read(at, len * T::BYTES) {
        Err(e) => Err(Box::new(failed(T::NAME, at, e))),
        Ok((_, Some(byte))) => {
            let text = format!("byte {byte} of a column of {len} numbers was never written");
            Err(Box::new(host_report(Kind::Uninitialised, T::NAME, at + byte as u64, text)))
        }
        Ok((bytes, None)) => Ok(bytes.chunks_exact(T::BYTES).map(T::read).collect()),
    }
}

/// op(X), rows × columns, by rows.
fn load<T: Number>(
    memory: &Memory,
    x: &Matrix,
    base: u64,
    rows: usize,
    columns: usize,
) -> Outcome<Vec<f64>> {
    let (tall, wide) = if x.transposed { (columns, rows) } else { (rows, columns) };
    let mut found = vec![0.0; rows * columns];
    for j in 0..wide {
        let at = base + (j * x.lead as usize * T::BYTES) as u64;
        for (i, value) in column_at::<T>(memory, at, tall)?.into_iter().enumerate() {
            let (row, column) = if x.transposed { (j, i) } else { (i, j) };
            found[row * columns + column] = value;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A buffer whose columns of `tall` numbers are `lead` apart; what lies between is never written.
    fn buffer(memory: &mut Memory, lead: usize, tall: usize, columns: &[Vec<f64>]) -> u64 {
        let base = memory.allocate(columns.len() * lead * 8);
        for (j, column) in columns.iter().enumerate() {
            assert_eq!(column.len(), tall);
            let mut bytes = Vec::new();
            column.iter().for_each(|v| f64::write(*v, &mut bytes));
            memory.write(base + (j * lead * 8) as u64, &bytes).unwrap();
        }
        base
    }

    fn matrix(base: u64, lead: usize, transposed: bool) -> Matrix {
        Matrix { base, lead: lead as i32, next: 0, transposed }
    }

    /// Entry (i, j) of the factors, small integers, so that every sum is exact.
    fn entry(i: usize, j: usize, salt: usize) -> f64 {
        ((7 * i + 3 * j + salt) % 11) as f64 - 5.0
    }

    #[test]
    fn transposes_gaps_and_factors_as_a_loop_has_them() {
        let [m, n, k] = [3, 4, 5];
        for (ta, tb, beta) in
            [(false, false, 0.0), (true, false, 2.0), (false, true, 1.0), (true, true, 0.5)]
        {
            let mut memory = Memory::default();
            let columns = |rows: usize, wide: usize, flipped: bool, salt| -> Vec<Vec<f64>> {
                let at = |i, j| if flipped { entry(j, i, salt) } else { entry(i, j, salt) };
                let (tall, wide) = if flipped { (wide, rows) } else { (rows, wide) };
                (0..wide).map(|j| (0..tall).map(|i| at(i, j)).collect()).collect()
            };
            let (a, b) = (columns(m, k, ta, 1), columns(k, n, tb, 2));
            let (ra, rb) = (a[0].len(), b[0].len());
            let (pa, pb) =
                (buffer(&mut memory, ra + 2, ra, &a), buffer(&mut memory, rb + 1, rb, &b));
            // for β = 0 nothing has written C
            let old = if beta == 0.0 { vec![] } else { columns(m, n, false, 3) };
            let pc = match beta == 0.0 {
                true => memory.allocate(n * (m + 1) * 8),
                false => buffer(&mut memory, m + 1, m, &old),
            };
            let product = Product {
                size: [m, n, k].map(|v| v as i32),
                factors: [-1.5, beta],
                a: matrix(pa, ra + 2, ta),
                b: matrix(pb, rb + 1, tb),
                c: matrix(pc, m + 1, false),
                count: 1,
            };
            assert!(product.valid());
            product.run::<f64>(&mut memory).unwrap();
            for j in 0..n {
                let found = column_at::<f64>(&memory, pc + (j * (m + 1) * 8) as u64, m).unwrap();
                for (i, found) in found.iter().enumerate() {
                    let sum: f64 = (0..k).map(|l| entry(i, l, 1) * entry(l, j, 2)).sum();
                    let before = if beta == 0.0 { 0.0 } else { entry(i, j, 3) };
                    assert_eq!(*found, -1.5 * sum + beta * before, "{ta} {tb} {beta} {i} {j}");
                }
            }
        }
    }

    #[test]
    fn unwritten_factors_short_buffers_and_bad_sizes_are_found() {
        let mut memory = Memory::default();
        let full = buffer(&mut memory, 2, 2, &[vec![1.0, 2.0], vec![3.0, 4.0]]);
        let empty = memory.allocate(32);
        let square = |a, b, c| Product {
            size: [2, 2, 2],
            factors: [1.0, 0.0],
            a: matrix(a, 2, false),
            b: matrix(b, 2, false),
            c: matrix(c, 2, false),
            count: 1,
        };
        let kind = |p: Product, memory: &mut Memory| p.run::<f64>(memory).unwrap_err().kind;
        assert_eq!(kind(square(full, empty, full), &mut memory), Kind::Uninitialised);
        let short = memory.allocate(24);
        assert_eq!(kind(square(full, full, short), &mut memory), Kind::OutOfBounds);
        assert!(!Product { size: [3, 2, 2], ..square(full, full, full) }.valid());
        assert!(!Product { count: -1, ..square(full, full, full) }.valid());
    }

    #[test]
    fn a_batch_takes_its_strides() {
        let mut memory = Memory::default();
        let a = buffer(&mut memory, 1, 1, &[vec![2.0], vec![3.0], vec![5.0]]);
        let b = buffer(&mut memory, 1, 1, &[vec![7.0]]);
        let c = memory.allocate(24);
        let with = |base, next| Matrix { base, lead: 1, next, transposed: false };
        let product = Product {
            size: [1, 1, 1],
            factors: [1.0, 0.0],
            a: with(a, 1),
            b: with(b, 0),
            c: with(c, 1),
            count: 3,
        };
        product.run::<f64>(&mut memory).unwrap();
        assert_eq!(column_at::<f64>(&memory, c, 3).unwrap(), [14.0, 21.0, 35.0]);
    }
}
