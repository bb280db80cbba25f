//! Convolutions on slices, direct: no matrix of patches is made.
//!
//! Images lie channels last, `[sample, position, channel]`, and weights as in PyTorch, `[output, input,
//! kernel]`. What a position of the output reads is a table ([`taps`](self::taps)), in which borders,
//! strides, dilations and the adjoint are no special cases; over it run two sweeps, [`sweep`](self::sweep)
//! for outputs and gradients of inputs and [`products`](self::products) for gradients of weights, both
//! of which keep a tile of sums in registers. Kernels of sides 2 to 4 go by [`winograd`](self::winograd) and
//! [`phases`](self::phases) where channels are many, and for images that lie channel by channel there is
//! [`planes`](self::planes). No sum depends on the number of threads.

mod geometry;
mod memory;
mod panels;
mod phases;
pub(crate) mod planes;
mod products;
mod rows;
mod share;
mod sweep;
mod taps;
mod winograd;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use pulp::Arch;

use super::dense::add;
use super::parallel::for_each_chunk;
use super::{Aligned, Real, Scratch};
pub use geometry::Convolution;
use panels::{Panels, Strides, Tiling};
use products::Products;
use rows::by_rows;
use share::share;
use sweep::{Channels, Finish, Sweep};
use taps::Taps;

/// Parts at least into which the sums over a batch are cut, tiles of outputs counted.
const PARTS: usize = 8;

/// What is done besides the sums over taps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extra<'a, E> {
    /// One number for each channel of the output, or none.
    pub(crate) bias: &'a [E],
    /// Multiplies the weights (not the bias).
    pub(crate) scale: E,
    /// Whether the result is added to what is there.
    pub(crate) onto: bool,
    /// The slope below zero of the activation that follows: 1 for none, 0 for ReLU.
    pub(crate) slope: E,
}

impl<E: Real> Extra<'_, E> {
    /// Nothing.
    pub(crate) const fn none(one: E) -> Self {
        Self { bias: &[], scale: one, onto: false, slope: one }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Forward,
    Adjoint,
    Rows,
}

/// Tables that are kept; more are made anew each time.
const KEPT: usize = 512;
static TABLES: Mutex<BTreeMap<(Way, Convolution), Arc<Taps>>> = Mutex::new(BTreeMap::new());

fn table(way: Way, c: &Convolution) -> Arc<Taps> {
    // Channels do not matter to it.
    let key = (way, Convolution { inputs: 1, outputs: 1, groups: 1, ..*c });
    let kept = TABLES.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
    kept.unwrap_or_else(|| {
        let made = Arc::new(match way {
            Way::Forward => Taps::forward(c),
            Way::Adjoint => Taps::adjoint(c),
            Way::Rows => Taps::rows(c, rows::padded_size(c)),
        });
        let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
        if tables.len() < KEPT {
            tables.insert(key, made.clone());
        }
        made
    })
}

/// y = w ∗ x: `[n, positions, inputs] -> [n, positions, outputs]`. The convolution is valid
/// ([`Convolution::check`]).
pub(crate) fn convolve<E: Real>(
    c: &Convolution,
    x: &[E],
    weights: &[E],
    y: &mut [E],
    extra: Extra<E>,
) {
    if winograd::by_tiles(c) {
        return winograd::convolve(c, x, weights, y, extra);
    }
    if phases::by_phases(c) {
        return phases::convolve(c, x, weights, y, extra);
    }
    let by_rows = by_rows(c);
    let taps = table(if by_rows { Way::Rows } else { Way::Forward }, c);
    let (outputs, inputs) = (c.outputs / c.groups, c.inputs / c.groups);
    for group in 0..c.groups {
        let own = &weights[group * outputs * inputs * kernel(c)..];
        let panels = if by_rows {
            let (taps, run) = rows::taps_and_run(c);
            let own = rows::regrouped(c, weights);
            Panels::pack(&own, (outputs, taps, run), rows::strides(c), extra.scale)
        } else {
            let strides = Strides { output: inputs * kernel(c), run: kernel(c) };
            Panels::pack(own, (outputs, kernel(c), inputs), strides, extra.scale)
        };
        let from = Channels { all: c.inputs, first: group * inputs, some: inputs };
        let to = Channels { all: c.outputs, first: group * outputs, some: outputs };
        share(&taps, y, to.all, |samples, taps, y| {
            let x = &x[samples.start * c.input_len()..samples.end * c.input_len()];
            let padded = by_rows.then(|| rows::padded(c, x));
            let x = padded.as_deref().unwrap_or(x);
            let from_positions = x.len() / samples.len() / c.inputs;
            sweep(taps, &panels, (x, from, from_positions), (y, to), extra);
        });
    }
}

/// The adjoint of [`convolve`], `[n, positions, outputs] -> [n, positions, inputs]`: the gradient in
/// the input, and a transposed convolution.
pub(crate) fn convolve_adjoint<E: Real>(
    c: &Convolution,
    y: &[E],
    weights: &[E],
    x: &mut [E],
    extra: Extra<E>,
) {
    if winograd::by_tiles(c) {
        return winograd::adjoint(c, y, weights, x, extra);
    }
    if phases::by_phases(c) {
        return phases::adjoint(c, y, weights, x, extra);
    }
    if by_rows(c) {
        return rows::adjoint(c, y, weights, x, extra);
    }
    let taps = table(Way::Adjoint, c);
    let (outputs, inputs) = (c.outputs / c.groups, c.inputs / c.groups);
    for group in 0..c.groups {
        let own = &weights[group * outputs * inputs * kernel(c)..][..outputs * inputs * kernel(c)];
        let strides = Strides { output: kernel(c), run: inputs * kernel(c) };
        let panels = Panels::pack(own, (inputs, kernel(c), outputs), strides, extra.scale);
        let from = Channels { all: c.outputs, first: group * outputs, some: outputs };
        let to = Channels { all: c.inputs, first: group * inputs, some: inputs };
        share(&taps, x, to.all, |samples, taps, x| {
            let y = &y[samples.start * c.output_len()..samples.end * c.output_len()];
            let positions = c.output_len() / c.outputs;
            sweep(taps, &panels, (y, from, positions), (x, to), extra);
        });
    }
}

/// Adds scale · ∂/∂w of Σ slopes ∘ (w ∗ x) to `gradient`.
pub(crate) fn add_weight_gradient<E: Real>(
    c: &Convolution,
    x: &[E],
    slopes: &[E],
    scale: E,
    gradient: &mut [E],
) {
    if winograd::by_tiles(c) {
        return winograd::add_weight_gradient(c, x, slopes, scale, gradient);
    }
    if phases::by_phases(c) {
        return phases::add_weight_gradient(c, x, slopes, scale, gradient);
    }
    let (outputs, inputs) = (c.outputs / c.groups, c.inputs / c.groups);
    if by_rows(c) {
        let (padded, taps) = (rows::padded(c, x), table(Way::Rows, c));
        let (rows, run) = rows::taps_and_run(c);
        let channels = Channels { all: c.inputs, first: 0, some: c.inputs };
        let to = Channels { all: c.outputs, first: 0, some: c.outputs };
        let sums = products(&taps, (&padded, channels), (slopes, to), (rows, run));
        let mut regrouped = Scratch::new(gradient.len());
        regrouped.fill(E::zero());
        sums.add_to(&mut regrouped, outputs, rows::strides(c), scale);
        rows::add_regrouped(c, &regrouped, gradient);
        return;
    }
    let taps = table(Way::Forward, c);
    let len = outputs * inputs * kernel(c);
    for (group, gradient) in gradient.chunks_exact_mut(len).enumerate() {
        let from = Channels { all: c.inputs, first: group * inputs, some: inputs };
        let to = Channels { all: c.outputs, first: group * outputs, some: outputs };
        let sums = products(&taps, (x, from), (slopes, to), (kernel(c), inputs));
        let strides = Strides { output: inputs * kernel(c), run: kernel(c) };
        sums.add_to(gradient, outputs, strides, scale);
    }
}

/// The instruction set whose registers the kernels use: the best that this processor has. A test may ask
/// for another on its thread.
fn arch() -> Arch {
    #[cfg(test)]
    if let Some(asked) = tests::ASKED.get() {
        return asked;
    }
    Arch::new()
}

fn kernel(c: &Convolution) -> usize {
    c.kernel.iter().product()
}

fn sweep<E: Real>(
    taps: &Taps,
    panels: &Panels<E>,
    (x, from, from_positions): (&[E], Channels, usize),
    (y, to): (&mut [E], Channels),
    extra: Extra<E>,
) {
    // As long as the tiles are wide, of which the last may hold fewer outputs.
    let mut bias = Scratch::new(0);
    if !extra.bias.is_empty() {
        let own = &extra.bias[to.first..to.first + to.some];
        bias = Scratch::new(panels.tiling.tiles * panels.tiling.width);
        bias[..own.len()].copy_from_slice(own);
        bias[own.len()..].fill(E::zero());
    }
    let finish = Finish { bias: &bias, onto: extra.onto, slope: extra.slope };
    arch().dispatch(Sweep { taps, panels, x, from, from_positions, y, to, finish });
}

/// The products of `x` and `slopes` for every tap, summed over positions and samples. The samples are
/// cut into parts that depend on the sizes alone, which are added in order.
fn products<E: Real>(
    taps: &Taps,
    (x, from): (&[E], Channels),
    (slopes, to): (&[E], Channels),
    (rows, run): (usize, usize),
) -> Panels<E> {
    let samples = slopes.len() / (taps.columns() * to.all);
    let tiles = Tiling::of::<E>(to.some).tiles;
    let part = samples.div_ceil(PARTS.div_ceil(tiles)).max(1);
    let parts = samples.div_ceil(part).max(1);
    let mut sums = Panels::new(to.some, rows, run);
    let len = sums.tile_len();
    let mut all = Aligned::new(parts * tiles * len);
    let from_positions = x.len() / samples.max(1) / from.all;
    for_each_chunk(&mut all, len, |i, to_sums| {
        let (tile, first) = (i % tiles, i / tiles * part);
        let here = first..samples.min(first + part);
        let of = |v: &'_ [E]| {
            let len = v.len() / samples.max(1);
            here.start * len..here.end * len
        };
        to_sums.fill(E::zero());
        arch().dispatch(Products {
            taps,
            x: &x[of(x)],
            from,
            from_positions,
            slopes: &slopes[of(slopes)],
            to,
            panels: &sums,
            tile,
            sums: to_sums,
        });
    });
    let (head, others) = all.split_at(tiles * len);
    sums.numbers.copy_from_slice(head);
    for part in others.chunks_exact(tiles * len) {
        add::<E>(&mut sums.numbers, part);
    }
    sums
}

#[cfg(test)]
mod tests;
