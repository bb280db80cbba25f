//! Turned volumes.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::{check_rows, VolumeShape};
use crate::error::{Error, Result};
use crate::random::Key;

/// A rotation of (depth, height, width), as an orthogonal matrix of determinant one, row by row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn(pub [[f32; 3]; 3]);

/// About which axes random turns go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TurnAxes {
    /// About the axis of depth by an angle uniform on [−most, most): slices are turned in their plane.
    Depth {
        /// In radians.
        most: f32,
    },
    /// About all three, uniform on the group of rotations (Haar).
    Three,
}

impl Turn {
    /// The turn about the axis of depth by an angle in radians, counter-clockwise as slices are looked at.
    pub fn about_depth(angle: f32) -> Self {
        let (s, c) = angle.sin_cos();
        Self([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    }

    /// The turn of a unit quaternion (w, x, y, z).
    fn of_quaternion([w, x, y, z]: [f32; 4]) -> Self {
        Self([
            [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
            [2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)],
            [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)],
        ])
    }
}

/// `n` random turns.
pub fn random_turns(key: Key, n: usize, axes: TurnAxes) -> Vec<Turn> {
    let mut rng = key.rng();
    let one = |_| match axes {
        TurnAxes::Depth { most } => Turn::about_depth(most * rng.gen_range(-1.0f32..1.0)),
        TurnAxes::Three => {
            // Directions of normal vectors are uniform on the sphere of quaternions.
            let q: [f32; 4] = std::array::from_fn(|_| StandardNormal.sample(&mut rng));
            let norm = q.iter().map(|v| v * v).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            Turn::of_quaternion(q.map(|v| v / norm))
        }
    };
    (0..n).map(one).collect()
}

/// Volumes `[n, C·D·H·W]`, each turned about its centre, by trilinear interpolation; `background` is
/// what lies around a volume. The voxel at r (from the centre) of the result is taken from Rᵀ r.
///
/// # Errors
/// [`Error::Shape`] unless there are as many volumes as turns, [`Error::NonFinite`] for a turn that is
/// not finite.
pub fn rotate_volumes(
    shape: VolumeShape,
    volumes: &[f32],
    turns: &[Turn],
    background: f32,
) -> Result<Vec<f32>> {
    let size = shape.numbers();
    check_rows("volumes, one for each turn,", volumes, size, turns.len())?;
    if let Some(&value) = turns.iter().flat_map(|t| t.0.iter().flatten()).find(|v| !v.is_finite()) {
        return Err(Error::NonFinite {
            what: "an entry of a turn".into(),
            value: value.into(),
            step: None,
            remedy: "turns are orthogonal matrices",
        });
    }
    let mut out = vec![0.0; volumes.len()];
    let pairs = out.par_chunks_exact_mut(size).zip(volumes.par_chunks_exact(size));
    pairs.zip(turns.par_iter()).for_each(|((to, from), turn)| {
        let one = size / shape.channels;
        for (to, from) in to.chunks_exact_mut(one).zip(from.chunks_exact(one)) {
            turned(shape, from, turn, background, to);
        }
    });
    Ok(out)
}

fn turned(shape: VolumeShape, from: &[f32], turn: &Turn, background: f32, to: &mut [f32]) {
    let sizes = [shape.depth, shape.height, shape.width];
    let middle = sizes.map(|s| 0.5 * (s as f32 - 1.0));
    let at = |p: [f32; 3]| {
        let inside = p.iter().zip(sizes).all(|(&p, s)| p >= 0.0 && p < s as f32);
        let [d, y, x] = p;
        let index = || (d as usize * shape.height + y as usize) * shape.width + x as usize;
        if inside {
            from[index()]
        } else {
            background
        }
    };
    for (p, to) in to.iter_mut().enumerate() {
        let (d, rest) = (p / (sizes[1] * sizes[2]), p % (sizes[1] * sizes[2]));
        let here = [d, rest / sizes[2], rest % sizes[2]];
        let r: [f32; 3] = std::array::from_fn(|k| here[k] as f32 - middle[k]);
        let source: [f32; 3] =
            std::array::from_fn(|k| middle[k] + (0..3).map(|j| turn.0[j][k] * r[j]).sum::<f32>());
        let low = source.map(f32::floor);
        let share: [f32; 3] = std::array::from_fn(|k| source[k] - low[k]);
        *to = (0..8)
            .map(|corner| {
                let bit: [bool; 3] = std::array::from_fn(|k| corner >> k & 1 == 1);
                let weight = |k: usize| if bit[k] { share[k] } else { 1.0 - share[k] };
                let place = std::array::from_fn(|k| low[k] + f32::from(u8::from(bit[k])));
                (0..3).map(weight).product::<f32>() * at(place)
            })
            .sum();
    }
}
