//! Volumes as shaded cubes.

use std::path::Path;

use super::raster::Raster;
use crate::data::transform::VolumeShape;
use crate::data::PixelRange;
use crate::error::{Error, Result};
use crate::files::write_atomically;

/// Canvas pixels that become one pixel of the picture, on each axis.
const FINER: usize = 3;
/// The share of a face that its dark rim leaves.
const INNER: f64 = 0.88;
/// Brightness of faces across the axes of depth, height and width.
const BRIGHTNESS: [f64; 3] = [0.78, 1.0, 0.6];
/// Brightness of rims, as a share of that of their face.
const RIM: f64 = 0.55;

/// Where a volume is looked at from, in degrees. At 0 and 0 the first slice is seen from the front.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// To the right.
    pub azimuth: f64,
    /// Upwards.
    pub elevation: f64,
}

impl View {
    /// From the front, from the upper right, and from the upper left.
    pub const USUAL: [Self; 3] = [
        Self { azimuth: 0.0, elevation: 0.0 },
        Self { azimuth: 35.0, elevation: 25.0 },
        Self { azimuth: -50.0, elevation: 30.0 },
    ];
}

/// Which voxels are drawn; their brightness is that of their brightest channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Visible {
    /// Those brighter than this, on the scale from 0 to 1.
    Above(f32),
    /// The brightest share of each volume, if they are brighter than 0. The coloured 3-D MNIST shows 0.08.
    Brightest(f32),
}

/// Volumes in columns, views in rows.
///
/// ```
/// use brenier::data::transform::VolumeShape;
/// use brenier::plot::VoxelPicture;
/// let shape = VolumeShape { channels: 1, depth: 2, height: 2, width: 2 };
/// let picture = VoxelPicture::new(shape, vec![1.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 1.0]);
/// assert_eq!(picture.to_png()?[..4], *b"\x89PNG");
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct VoxelPicture {
    /// Sizes of a volume; of 1 channel (grey) or 3 (red, green, blue).
    pub shape: VolumeShape,
    /// The volumes, `[n, C·D·H·W]`.
    pub volumes: Vec<f32>,
    /// The interval of their values.
    pub range: PixelRange,
    /// Which voxels are drawn.
    pub visible: Visible,
    /// Where they are looked at from, a row each.
    pub views: Vec<View>,
    /// Pixels of the square in which one volume is drawn.
    pub side: usize,
}

impl VoxelPicture {
    /// Volumes with values in [0, 1], of which those above ½ are drawn, from the usual views.
    pub fn new(shape: VolumeShape, volumes: Vec<f32>) -> Self {
        Self {
            shape,
            volumes,
            range: PixelRange::Unit,
            visible: Visible::Above(0.5),
            views: View::USUAL.to_vec(),
            side: 160,
        }
    }

    /// The bytes of a PNG file.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the numbers are whole volumes of 1 or 3 channels, at least one;
    /// [`Error::Plot`] if there is no view, an angle is not finite, or the picture would be too large.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        self.png(Path::new("the volumes"))
    }

    /// Writes the picture; folders are created, an older file is replaced atomically.
    ///
    /// # Errors
    /// As [`to_png`](Self::to_png), and [`Error::Io`] if the file cannot be written.
    pub fn write_png(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        write_atomically(path, &self.png(path)?)
    }

    fn png(&self, path: &Path) -> Result<Vec<u8>> {
        let size = self.shape.numbers();
        let n = self.volumes.len() / size.max(1);
        let colours = matches!(self.shape.channels, 1 | 3);
        if size == 0 || n == 0 || self.volumes.len() != n * size || !colours {
            let expected = format!("volumes of {:?}, of 1 or 3 channels", self.shape);
            return Err(Error::shape(
                "volumes",
                expected,
                format!("{} numbers", self.volumes.len()),
            ));
        }
        if self.views.iter().any(|v| !(v.azimuth.is_finite() && v.elevation.is_finite())) {
            let problem = "angles of views must be finite".into();
            return Err(Error::Plot { path: path.into(), problem });
        }
        let mut sheet = Raster::new(n * self.side, self.views.len() * self.side, path)?;
        for (row, view) in self.views.iter().enumerate() {
            for (column, volume) in self.volumes.chunks_exact(size).enumerate() {
                let one = self.render(volume, view, path)?;
                sheet.paste(&one, column * self.side, row * self.side);
            }
        }
        sheet.to_png(path)
    }

    fn render(&self, volume: &[f32], view: &View, path: &Path) -> Result<Raster> {
        let VolumeShape { depth, height, width, .. } = self.shape;
        let sizes = [depth, height, width];
        let colours = self.colours(volume);
        let camera = Camera::new(view, sizes, self.side * FINER);
        let mut canvas = Raster::new(self.side * FINER, self.side * FINER, path)?;
        let filled = |p: [usize; 3]| colours[(p[0] * height + p[1]) * width + p[2]];
        // From the far end to the near one on each axis: what is nearer covers what is farther.
        let order = |k: usize| -> Vec<usize> {
            let near_last = camera.towards[k] > 0.0;
            (0..sizes[k]).map(|i| if near_last { i } else { sizes[k] - 1 - i }).collect()
        };
        for d in order(0) {
            for y in order(1) {
                for x in order(2) {
                    let here = [d, y, x];
                    let Some(colour) = filled(here) else { continue };
                    for (axis, brightness) in BRIGHTNESS.into_iter().enumerate() {
                        if let Some(face) = camera.face(here, axis, sizes, &filled) {
                            draw(&mut canvas, &face, colour, brightness);
                        }
                    }
                }
            }
        }
        Ok(canvas.reduced(FINER))
    }

    /// The colours of the voxels that are drawn.
    fn colours(&self, volume: &[f32]) -> Vec<Option<[u8; 3]>> {
        let voxels = volume.len() / self.shape.channels;
        let unit = |v: f32| f32::from(self.range.byte(v)) / 255.0;
        let brightness: Vec<f32> = (0..voxels)
            .map(|p| volume[p..].iter().step_by(voxels).map(|v| unit(*v)).fold(0.0, f32::max))
            .collect();
        let threshold = match self.visible {
            Visible::Above(least) => least,
            Visible::Brightest(share) => {
                let mut sorted = brightness.clone();
                sorted.sort_unstable_by(|a, b| b.total_cmp(a));
                let drawn = (share.clamp(0.0, 1.0) * voxels as f32).round() as usize;
                sorted.get(drawn).copied().unwrap_or(0.0)
            }
        };
        let colour = |p: usize| {
            let channel = |c: usize| self.range.byte(volume[c % self.shape.channels * voxels + p]);
            [0, 1, 2].map(channel)
        };
        (0..voxels).map(|p| (brightness[p] > threshold).then(|| colour(p))).collect()
    }
}

/// A parallel projection of (depth, height, width) onto a square.
struct Camera {
    right: [f64; 3],
    down: [f64; 3],
    /// The direction from the volume to the eye.
    towards: [f64; 3],
    middle: [f64; 3],
    scale: f64,
    centre: f64,
}

impl Camera {
    fn new(view: &View, sizes: [usize; 3], side: usize) -> Self {
        let (sa, ca) = view.azimuth.to_radians().sin_cos();
        let (se, ce) = view.elevation.to_radians().sin_cos();
        let sizes = sizes.map(|s| s as f64);
        // The diagonal fits whatever the view.
        let diagonal = sizes.iter().map(|s| s * s).sum::<f64>().sqrt();
        Self {
            right: [sa, 0.0, ca],
            down: [-ca * se, ce, sa * se],
            towards: [-ca * ce, -se, sa * ce],
            middle: sizes.map(|s| 0.5 * s),
            scale: side as f64 / diagonal,
            centre: 0.5 * side as f64,
        }
    }

    fn place(&self, p: [f64; 3]) -> [f64; 2] {
        let along = |axis: &[f64; 3]| -> f64 {
            (0..3).map(|k| axis[k] * (p[k] - self.middle[k])).sum::<f64>() * self.scale
        };
        [self.centre + along(&self.right), self.centre + along(&self.down)]
    }

    /// The face of a voxel across an axis that the eye sees, unless another voxel covers it.
    fn face(
        &self,
        here: [usize; 3],
        axis: usize,
        sizes: [usize; 3],
        filled: &impl Fn([usize; 3]) -> Option<[u8; 3]>,
    ) -> Option<[[f64; 2]; 4]> {
        if self.towards[axis].abs() < 1e-9 {
            return None;
        }
        let far = self.towards[axis] > 0.0;
        let mut beside = here;
        let neighbour = if far { here[axis] + 1 } else { here[axis].wrapping_sub(1) };
        if neighbour < sizes[axis] {
            beside[axis] = neighbour;
            if filled(beside).is_some() {
                return None;
            }
        }
        let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
        Some([[0, 0], [0, 1], [1, 1], [1, 0]].map(|[a, b]| {
            let mut corner = here;
            corner[axis] += usize::from(far);
            corner[u] += a;
            corner[v] += b;
            self.place(corner.map(|c| c as f64))
        }))
    }
}

fn draw(canvas: &mut Raster, face: &[[f64; 2]; 4], colour: [u8; 3], brightness: f64) {
    let shade = |b: f64| colour.map(|c| (b * f64::from(c)) as u8);
    canvas.polygon(face, shade(RIM * brightness));
    let middle = [0, 1].map(|k| face.iter().map(|c| 0.25 * c[k]).sum::<f64>());
    let inner = face.map(|c| [0, 1].map(|k| middle[k] + INNER * (c[k] - middle[k])));
    canvas.polygon(&inner, shade(brightness));
}
