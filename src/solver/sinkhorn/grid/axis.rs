//! The pass along one axis.

use crate::error::{Error, Result};
use crate::ops::gemm::{multiply_here, Into, Matrix};
use crate::ops::parallel::for_each_chunk;
use crate::ops::simd::vectorised;
use crate::ops::{Real, Scratch};
use crate::solver::sinkhorn::shape::Contract;

/// Numbers of a panel of lines, which should stay in the second-level cache.
const PANEL: usize = 1 << 14;
/// Columns of a panel where there is one line.
const COLUMNS: usize = 512;

/// Exponents beyond this are taken for overflow; log₂ of a weight of zero is −1e30.
const MOST: f64 = 1e28;

/// Calls a vectorised loop for this processor's rounding.
macro_rules! rounded {
    ($f:ident($($arg:expr),* $(,)?)) => {
        if crate::ops::simd::level() == crate::ops::simd::Level::Portable {
            $f::<E, crate::solver::sinkhorn::shape::Separate>($($arg),*)
        } else {
            $f::<E, crate::solver::sinkhorn::shape::Fused>($($arg),*)
        }
    };
}
pub(super) use rounded;

/// The kernel of an axis in one direction: from n coordinates to m.
pub(super) struct Kernel<E> {
    pub(super) n: usize,
    pub(super) m: usize,
    /// −C / (ε ln 2): `[n, m]`.
    pub(super) exponents: Vec<E>,
    /// The largest of them.
    top: E,
    /// Powers of two of the exponents, relative to the largest.
    pub(super) powers: Vec<E>,
    /// Sums of powers below this may have lost terms: above 2^−100 in single precision, lost terms are
    /// below 2^−25 of the sum each.
    pub(super) least: E,
}

impl<E: Real> Kernel<E> {
    /// From costs `[n, m]`.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if a cost overflows when divided by ε.
    pub(super) fn new(costs: &[f64], n: usize, epsilon: f64) -> Result<Self> {
        let unit = epsilon * std::f64::consts::LN_2;
        let exponents: Vec<E> = costs.iter().map(|c| E::of(-c / unit)).collect();
        if let Some(i) = exponents.iter().position(|e| e.is_nan() || e.double().abs() > MOST) {
            return Err(Error::NonFinite {
                what: "a cost divided by epsilon".into(),
                value: -costs[i] / unit,
                step: None,
                remedy: "scale the costs or raise epsilon",
            });
        }
        let top = exponents.iter().fold(E::min_value(), |t, e| t.max(*e));
        let power = |e: &E| E::of((e.double() - top.double()).exp2());
        // Processors are slow at products of subnormal numbers.
        let normal = |v: E| if v < E::min_positive_value() { E::zero() } else { v };
        let powers = exponents.iter().map(power).map(normal).collect();
        let least = E::of(E::min_positive_value().double().powf(0.8));
        Ok(Self { n, m: costs.len() / n, exponents, top, powers, least })
    }

    /// y(r, j) = log₂ Σᵢ 2^(x(i, r) − C̃ᵢⱼ), from `[n, R]` to `[R, m]`.
    pub(super) fn pass(&self, x: &[E], y: &mut [E]) {
        let lines = x.len() / self.n;
        let size = self.chunk(lines);
        for_each_chunk(y, size, |c, y| {
            let place = self.place(lines, c * size, y.len());
            let panel = Panel::new(x, lines, &place);
            multiply_here(
                panel.matrix(self.n),
                self.columns(&self.powers, &place),
                y,
                place.width,
                Into::Overwrite,
            );
            let whole = complete::<E>(y, self.least);
            for (l, row) in y.chunks_exact_mut(place.width).enumerate() {
                if whole || complete::<E>(row, self.least) {
                    scale_back::<E>(panel.best[l] + self.top, row);
                } else {
                    let line = line_of(x, lines, place.line + l, self.n);
                    self.explicit(&line, &place, row);
                }
            }
        });
    }

    /// Numbers of a chunk of the output.
    pub(super) fn chunk(&self, lines: usize) -> usize {
        if lines == 1 {
            COLUMNS
        } else {
            (PANEL / self.n.max(self.m)).clamp(64, 512) / 16 * 16 * self.m
        }
    }

    /// Which part of the output starts at `from`.
    pub(super) fn place(&self, lines: usize, from: usize, len: usize) -> Place {
        if lines == 1 {
            Place { line: 0, lines: 1, column: from, width: len }
        } else {
            Place { line: from / self.m, lines: len / self.m, column: 0, width: self.m }
        }
    }

    pub(super) fn columns<'k>(&self, values: &'k [E], place: &Place) -> Matrix<'k, E> {
        Matrix::new(values, self.n, self.m).some_columns(place.column, place.width)
    }

    /// A line with a maximum for each sum.
    fn explicit(&self, line: &[E], place: &Place, out: &mut [E]) {
        let mut best = Scratch::new(out.len());
        best.fill(E::min_value());
        let rows = || line.iter().zip(self.exponents.chunks_exact(self.m));
        for (x, e) in rows() {
            raise::<E>(*x, &e[place.columns()], &mut best);
        }
        out.fill(E::zero());
        for (x, e) in rows() {
            rounded!(add_power(*x, &e[place.columns()], &best, out));
        }
        for (out, best) in out.iter_mut().zip(best.iter()) {
            *out = *best + out.fast_log2();
        }
    }
}

/// Part of the output of a pass: some lines whole, or some columns of a single line.
pub(super) struct Place {
    pub(super) line: usize,
    lines: usize,
    column: usize,
    pub(super) width: usize,
}

impl Place {
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    pub(super) fn columns(&self) -> std::ops::Range<usize> {
        self.column..self.column + self.width
    }
}

/// Lines scaled by their largest number.
pub(super) struct Panel<E: Real> {
    /// `[n, lines]`.
    pub(super) powers: Scratch<E>,
    best: Scratch<E>,
}

impl<E: Real> Panel<E> {
    pub(super) fn new(x: &[E], lines: usize, place: &Place) -> Self {
        let width = place.lines;
        let mut powers = Scratch::new(x.len() / lines * width);
        let mut best = Scratch::new(width);
        best.fill(E::min_value());
        for (row, x) in powers.chunks_exact_mut(width).zip(x.chunks_exact(lines)) {
            let x = &x[place.line..place.line + width];
            row.copy_from_slice(x);
            raise::<E>(E::zero(), x, &mut best);
        }
        for row in powers.chunks_exact_mut(width) {
            rounded!(powers_below(&best, row));
        }
        Self { powers, best }
    }

    pub(super) fn matrix(&self, n: usize) -> Matrix<'_, E> {
        Matrix::new(&self.powers, n, self.best.len()).transposed()
    }
}

pub(super) fn line_of<E: Real>(x: &[E], lines: usize, line: usize, n: usize) -> Scratch<E> {
    let mut out = Scratch::new(n);
    for (out, row) in out.iter_mut().zip(x.chunks_exact(lines)) {
        *out = row[line];
    }
    out
}

vectorised! {
    /// best ← max(best, x + e).
    fn raise<E: Real>(x: E, e: &[E], best: &mut [E]) {
        for (best, e) in best.iter_mut().zip(e) {
            let v = x + *e;
            *best = if v > *best { v } else { *best };
        }
    }
}

vectorised! {
    /// row ← 2^(row − best).
    fn powers_below<E: Real, T: Contract>(best: &[E], row: &mut [E]) {
        for (v, best) in row.iter_mut().zip(best) {
            *v = T::exp2(*v - *best);
        }
    }
}

vectorised! {
    /// sum ← sum + 2^(x + e − best).
    fn add_power<E: Real, T: Contract>(x: E, e: &[E], best: &[E], sum: &mut [E]) {
        for ((sum, e), best) in sum.iter_mut().zip(e).zip(best) {
            *sum += T::exp2(x + *e - *best);
        }
    }
}

vectorised! {
    /// Whether no sum is so small that terms may have been lost.
    pub(super) fn complete<E: Real>(sums: &[E], least: E) -> bool {
        const LANES: usize = 16;
        let mut lowest = [E::max_value(); LANES];
        let mut parts = sums.chunks_exact(LANES);
        for part in &mut parts {
            for l in 0..LANES {
                lowest[l] = if part[l] < lowest[l] { part[l] } else { lowest[l] };
            }
        }
        lowest.iter().chain(parts.remainder()).all(|v| *v > least)
    }
}

vectorised! {
    /// sums ← best + log₂ sums.
    fn scale_back<E: Real>(best: E, sums: &mut [E]) {
        for v in sums {
            *v = best + v.fast_log2();
        }
    }
}
