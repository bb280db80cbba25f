//! Between the rows of points outside of a program, channel by channel, and its values, channels last.

use super::super::dense::add;
use super::super::parallel::for_each_chunk;
use super::super::thin::transpose;
use super::super::{Real, Scratch};
use super::program::Extent;

/// The part from `from` of rows of `pitch` numbers, channels last.
pub(super) fn channels_last<E: Real>(
    rows: &[E],
    pitch: usize,
    from: usize,
    extent: Extent,
) -> Scratch<E> {
    let (len, samples) = (extent.len(), rows.len() / pitch.max(1));
    let mut out = Scratch::new(samples * len);
    for_each_chunk(&mut out, len, |i, to| {
        let row = &rows[i * pitch + from..][..len];
        if extent.positions() == 1 || extent.channels == 1 {
            to.copy_from_slice(row);
        } else {
            transpose::<E>(row, extent.channels, extent.positions(), to);
        }
    });
    out
}

/// Samples as rows, channel by channel.
pub(super) fn channels_first<E: Real>(v: &[E], extent: Extent) -> Scratch<E> {
    let mut out = Scratch::exactly(v.len());
    for_each_chunk(&mut out, extent.len(), |i, to| {
        sample_first(&v[i * extent.len()..][..extent.len()], extent, to);
    });
    out
}

/// Adds samples to a part from `from` of rows of `pitch` numbers.
pub(super) fn add_first<E: Real>(
    v: &[E],
    extent: Extent,
    rows: &mut [E],
    (pitch, from): (usize, usize),
) {
    let len = extent.len();
    for_each_chunk(rows, pitch, |sample, row| {
        let own = &v[sample * len..(sample + 1) * len];
        let mut first = Scratch::new(len);
        sample_first(own, extent, &mut first);
        add::<E>(&mut row[from..from + len], &first);
    });
}

/// A sample channel by channel.
fn sample_first<E: Real>(from: &[E], extent: Extent, to: &mut [E]) {
    if extent.positions() == 1 || extent.channels == 1 {
        to.copy_from_slice(from);
    } else {
        transpose::<E>(from, extent.positions(), extent.channels, to);
    }
}
