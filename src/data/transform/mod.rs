//! Changes of images and volumes as pure functions of a key.
//!
//! | function | does |
//! |---|---|
//! | [`colour_by_hue`] | grey images or volumes in a colour of a given hue |
//! | [`colour_voxels`] | grey volumes in yellow, red, blue or green |
//! | [`flip_at_random`] | mirrors left and right |
//! | [`rotate_images`] | turns images, bilinear |
//! | [`rotate_volumes`] | turns volumes about one axis or any, trilinear |
//! | [`extrude`] | images repeated over slices of a volume |
//!
//! Sets of images are rows `[n, C·H·W]`, volumes `[n, C·D·H·W]`. What is random (hues, colours, angles,
//! turns) is drawn by a function of its own from a key, one value for each image, so that it can be looked at,
//! replaced, or used again for a label.

mod colour;
mod extrude;
mod flip;
mod rotate;
mod turn;
mod voxel_colour;

pub use colour::{colour_by_hue, random_hues, Sector};
pub use extrude::{extrude, VolumeShape};
pub use flip::flip_at_random;
pub use rotate::{random_angles, rotate_images};
pub use turn::{random_turns, rotate_volumes, Turn, TurnAxes};
pub use voxel_colour::{colour_voxels, random_colours, VoxelColour};

use crate::error::{Error, Result};

/// Refuses rows that are not `wanted` sets of `size` numbers.
fn check_rows(what: &str, rows: &[f32], size: usize, wanted: usize) -> Result<()> {
    if size == 0 || rows.len() != size * wanted {
        let expected = format!("{wanted} of {size} numbers");
        return Err(Error::shape(what, expected, format!("{} numbers", rows.len())));
    }
    Ok(())
}
