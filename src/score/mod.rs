//! How good an answer is.
//!
//! | score | of |
//! |---|---|
//! | [`map_error`], [`baselines`] | a map whose truth is known |
//! | [`monge_gap`] | optimality of a map, without a target |
//! | [`sinkhorn_divergence`], [`map_divergence`], [`pair_divergence`] | two measures |
//! | [`frechet_distance`], [`Moments`] | two sets of features by mean and covariance; FID |
//! | [`mmd`], [`energy_distance`] | two samples by sums over pairs |
//! | [`marker_scores`], [`r2_of_means`] | two samples, coordinate by coordinate |
//! | [`image_errors`] | paired images, with units in the types |
//! | [`hue_distances`] | the colours of paired images |
//! | [`diversity`] | the images of a point under a map with noise |
//! | [`used_share`] | how much of the target partial transport uses |
//! | [`perception`] | images as trained networks see them: LPIPS, FID, a cost |

pub mod benchmark;
mod divergence;
mod diversity;
mod frechet;
mod hue;
mod kernel;
mod map_error;
mod markers;
mod moments;
mod optimality;
mod pair_divergence;
pub mod perception;
mod pixels;
mod usage;

pub use divergence::{map_divergence, sinkhorn_divergence, DivergenceScore};
pub use diversity::{diversity, Diversity};
pub use frechet::frechet_distance;
pub use hue::hue_distances;
pub use kernel::{energy_distance, mmd, Pairs, GAMMAS};
pub use map_error::{baselines, map_error, Baselines, MapError};
pub use markers::{marker_scores, r2_of_means, MarkerScore};
pub use moments::{load_statistics, save_statistics, Moments};
pub use optimality::{monge_gap, GapScore};
pub use pair_divergence::pair_divergence;
pub use pixels::{image_errors, ImageErrors, L2PerImage, L2PerPixel, RmsePerImage, RmsePerPixel};
pub use usage::used_share;
