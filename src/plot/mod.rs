//! Pictures: transport maps in the plane and curves against the step as SVG files, images and volumes as
//! PNG files, and a run as one HTML file.
//!
//! | picture | shows |
//! |---|---|
//! | [`MapPicture`] | source and target, the learned map over the target, the true map if it is known |
//! | [`PathPicture`] | the paths of points along a flow |
//! | [`CurvePicture`] | losses and scores against the step, on a linear or logarithmic axis |
//! | [`ScatterPicture`] | scores of methods against those of one method, run by run |
//! | [`ImageGrid`] | rows of images: input, output, target; before and after |
//! | [`VoxelPicture`] | volumes as shaded cubes from several sides |
//! | [`Report`] | a run on one page: settings, curves, pictures, tables, the command |
//! | [`Plane`] | points of any dimension on the first two principal axes of the target |
//!
//! Equal inputs give equal bytes. Data that cannot be drawn (NaN, infinite, negative on a logarithmic
//! axis) are left out and counted in the picture; a picture with nothing in it is an error. Text uses
//! the reader's sans-serif font. Files are replaced atomically.
//!
//! ```
//! use brenier::plot::{Curve, CurvePicture, Scale};
//! let loss = (0..100).map(|step| (step as f64, (-0.05 * step as f64).exp())).collect();
//! let picture = CurvePicture {
//!     x_label: "step".into(),
//!     y_label: "loss".into(),
//!     scale: Scale::Log,
//!     curves: vec![Curve { name: "map".into(), points: loss }],
//!     ..CurvePicture::default()
//! };
//! let folder = tempfile::tempdir()?;
//! picture.write_svg(folder.path().join("loss.svg"))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod axis;
mod cloud;
mod curves;
mod decimate;
mod frame;
mod image_grid;
#[cfg(test)]
mod inspect;
mod legend;
mod maps;
mod page;
mod panel;
mod paths;
mod plane;
mod raster;
mod report;
mod scatter;
mod ticks;
mod voxels;

pub use axis::Scale;
pub use curves::{Curve, CurvePicture};
pub use image_grid::{ImageGrid, ImageRow};
pub use maps::MapPicture;
pub use paths::PathPicture;
pub use plane::Plane;
pub use report::Report;
pub use scatter::ScatterPicture;
pub use voxels::{View, Visible, VoxelPicture};
