//! Which outputs go to a thread together: whole samples, or bands of the positions of one where there are
//! fewer samples than threads.

use std::ops::Range;

use rayon::current_num_threads as threads;

use super::super::parallel::{for_each_chunk, map_each};
use super::super::Real;
use super::taps::Taps;

/// Positions that a thread takes at once, in whole samples.
const POSITIONS: usize = 960;
/// Positions at least of a band.
const BAND: usize = 64;

/// `each(samples, taps, y)` for groups of samples, or for bands of one, of which `taps` has the positions; a
/// position of `y` has `channels` numbers.
pub(super) fn share<E: Real>(
    taps: &Taps,
    y: &mut [E],
    channels: usize,
    each: impl Fn(Range<usize>, &Taps, &mut [E]) + Sync,
) {
    let (columns, len) = (taps.columns(), taps.columns() * channels);
    let samples = y.len() / len;
    if let Some(band) = band(columns, samples) {
        let bands = columns / band;
        let parts = map_each(bands, |i| taps.part(i * band..(i + 1) * band));
        return for_each_chunk(y, band * channels, |i, y| {
            each(i / bands..i / bands + 1, &parts[i % bands], y);
        });
    }
    let group = (POSITIONS / columns).min(samples.div_ceil(threads())).max(1);
    for_each_chunk(y, group * len, |i, y| {
        let first = i * group;
        each(first..first + y.len() / len, taps, y);
    });
}

/// The positions of a band, which divide those of a sample, if there are to be several.
fn band(columns: usize, samples: usize) -> Option<usize> {
    let least = columns.div_ceil(threads().div_ceil(samples.max(1))).max(BAND);
    (least..columns).find(|band| columns.is_multiple_of(*band))
}
