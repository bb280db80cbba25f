//! Planes with zeros around them, over which every tap of a position is at a fixed distance.

use super::super::memory::copy;
use super::super::Convolution;
use crate::ops::Real;

/// Where the numbers of planes are once their padding is stored.
pub(super) struct Frame {
    /// Depth, height and width of a plane.
    size: [usize; 3],
    padding: [usize; 3],
    /// Rows of a depth, and numbers of a row: so many that registers which begin at a position and at its
    /// taps end within the row.
    rows: usize,
    pitch: usize,
    /// Numbers of a plane.
    pub(super) plane: usize,
}

/// Registers that hold the positions of a plane, each within a row.
pub(super) struct Register {
    /// The first position.
    pub(super) position: usize,
    /// How many there are.
    pub(super) len: usize,
}

impl Frame {
    /// For the input of a convolution of stride 1, in registers of `lanes` numbers.
    pub(super) fn of(c: &Convolution, lanes: usize) -> Self {
        let (size, padding) = (c.size, c.padding);
        let whole = |width: usize| width.next_multiple_of(lanes);
        let reach = c.dilation[2] * (c.kernel[2] - 1);
        let pitch = (whole(c.output_size()[2]) + reach).max(padding[2] + whole(size[2]));
        let pitch = pitch.max(size[2] + 2 * padding[2]);
        let rows = size[1] + 2 * padding[1];
        let plane = (size[0] + 2 * padding[0]) * rows * pitch;
        Self { size, padding, rows, pitch, plane }
    }

    fn at(&self, [z, y, x]: [usize; 3]) -> usize {
        (z * self.rows + y) * self.pitch + x
    }

    /// The distances of the taps, for all of `channels` planes.
    pub(super) fn taps(&self, c: &Convolution, channels: usize) -> Vec<usize> {
        let ([depth, height, width], d) = (c.kernel, c.dilation);
        let of_plane = (0..depth * height * width).map(|k| {
            let [z, y, x] = [k / (height * width), k / width % height, k % width];
            self.at([z * d[0], y * d[1], x * d[2]])
        });
        let of_plane: Vec<_> = of_plane.collect();
        (0..channels).flat_map(|i| of_plane.iter().map(move |at| i * self.plane + at)).collect()
    }

    /// Where each register of a plane of `size` begins, if its corner lies at `corner`.
    pub(super) fn places(&self, size: [usize; 3], corner: [usize; 3], lanes: usize) -> Vec<usize> {
        let place = |register: Register| {
            let p = register.position;
            let place = [p / (size[1] * size[2]), p / size[2] % size[1], p % size[2]];
            self.at(std::array::from_fn(|a| place[a] + corner[a]))
        };
        registers(size, lanes).map(place).collect()
    }

    /// Writes planes into the inside of their frames; the zeros around them are there.
    #[inline(always)]
    pub(super) fn fill<E: Real>(&self, planes: &[E], to: &mut [E]) {
        let ([depth, height, width], [before, above, left]) = (self.size, self.padding);
        let planes = planes.chunks_exact(depth * height * width);
        for (plane, to) in planes.zip(to.chunks_exact_mut(self.plane)) {
            let depths = to.chunks_exact_mut(self.rows * self.pitch).skip(before);
            for (image, to) in plane.chunks_exact(height * width).zip(depths) {
                let rows = to.chunks_exact_mut(self.pitch).skip(above);
                for (row, to) in image.chunks_exact(width).zip(rows) {
                    copy(row, &mut to[left..left + width]);
                }
            }
        }
    }
}

/// The registers of a plane of `size`, row by row.
pub(super) fn registers(size: [usize; 3], lanes: usize) -> impl Iterator<Item = Register> {
    let [depth, height, width] = size;
    (0..depth * height).flat_map(move |row| {
        (0..width)
            .step_by(lanes)
            .map(move |x| Register { position: row * width + x, len: lanes.min(width - x) })
    })
}
