//! The paths of points along a flow.

use std::path::Path;

use plotters::style::Color;

use super::cloud::{equal_axes, visible};
use super::frame::{room_below, room_left, Frame};
use super::legend::{Entry, Legend, Mark};
use super::page::{draw_page, Font, BLACK};
use super::panel::{BLUE, GREEN, ORANGE};
use crate::error::{Error, Result};
use crate::files::write_atomically;

const WIDTH: f64 = 400.0;
const MARGIN: f64 = 14.0;

/// Paths of points, their starts and ends, and the target measure, with equal axes. Points that are not
/// finite are left out; lines end where a path leaves the axes, which hold all starts and targets.
///
/// ```
/// use brenier::plot::PathPicture;
/// let paths = [vec![[0.0, 0.0], [1.0, 0.2], [2.0, 0.0]], vec![[0.0, 1.0], [2.0, 1.0]]];
/// let picture = PathPicture { paths: &paths, target: &[[2.0, 0.5]], ..PathPicture::default() };
/// assert!(picture.to_svg()?.contains("x(0) (2)"));
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PathPicture<'a> {
    /// Above the picture; blank for none.
    pub title: String,
    /// The places of each point, from its start to its end.
    pub paths: &'a [Vec<[f32; 2]>],
    /// Points of the target.
    pub target: &'a [[f32; 2]],
    /// Below the picture; blank for none.
    pub caption: String,
}

impl PathPicture<'_> {
    /// The picture as the text of an SVG file.
    ///
    /// # Errors
    /// [`Error::Shape`] if neither a start nor a target is finite.
    pub fn to_svg(&self) -> Result<String> {
        self.render(Path::new("the paths"))
    }

    /// Writes the picture to a file; folders are created, an older file is replaced atomically.
    ///
    /// # Errors
    /// As [`PathPicture::to_svg`], and [`Error::Io`] if the file cannot be written.
    pub fn write_svg(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        write_atomically(path, self.render(path)?.as_bytes())
    }

    fn render(&self, path: &Path) -> Result<String> {
        let starts: Vec<[f32; 2]> = self.paths.iter().filter_map(|p| p.first()).copied().collect();
        let ends: Vec<[f32; 2]> = self.paths.iter().filter_map(|p| p.last()).copied().collect();
        let Some((axes, height)) = equal_axes(&[&starts, self.target], &ends, WIDTH) else {
            let expected = "at least one finite start or target";
            return Err(Error::shape("paths to draw", expected, "none"));
        };
        let clouds = [
            (visible("Q", self.target, &axes), ORANGE),
            (visible("x(0)", &starts, &axes), BLUE),
            (visible("x(1)", &ends, &axes), GREEN),
        ];
        let mut entries: Vec<Entry> = clouds
            .iter()
            .map(|(cloud, color)| Entry {
                mark: Mark::Dot,
                ink: color.mix(0.9),
                text: cloud.legend.clone(),
            })
            .collect();
        let ink = BLACK.mix(0.25);
        entries.push(Entry { mark: Mark::Line(0.6), ink, text: "x(t)".into() });
        let legend = Legend::new(entries, WIDTH);
        let left = MARGIN + room_left(&axes[1], height, "");
        let width = left + WIDTH + MARGIN + 4.0;
        let title = Font::TITLE.wrap(&self.title, WIDTH);
        let caption = Font::SMALL.wrap(&self.caption, width - 2.0 * MARGIN);
        let legend_top = MARGIN + title.len() as f64 * (Font::TITLE.line() + 2.0);
        let top = legend_top + legend.height() + 5.0;
        let caption_top = top + height + room_below("") + 6.0;
        let total = caption_top + caption.len() as f64 * Font::SMALL.line() + MARGIN - 6.0;
        let frame =
            Frame { left, top, width: WIDTH, height, axes, names: ["", ""], overhang: MARGIN };
        let inside =
            |p: &[f32; 2]| (0..2).all(|k| (0.0..=1.0).contains(&frame.axes[k].share(p[k].into())));
        draw_page((width, total), path, |page| {
            page.block(&title, left, MARGIN, Font::TITLE)?;
            legend.draw(page, left, legend_top)?;
            frame.draw(page, true)?;
            for path in self.paths {
                // NaN is not inside.
                let shown = path.iter().take_while(|p| inside(p));
                let line: Vec<(f64, f64)> =
                    shown.map(|[x, y]| frame.place((*x).into(), (*y).into())).collect();
                if line.len() > 1 {
                    page.line(&line, 0.6, ink)?;
                }
            }
            for (cloud, color) in &clouds {
                let radius = (40.0 / (cloud.points.len().max(1) as f64).sqrt()).clamp(0.9, 2.2);
                for &[x, y] in &cloud.points {
                    page.dot(frame.place(x, y), radius, color.mix(0.5))?;
                }
            }
            page.block(&caption, MARGIN, caption_top, Font::SMALL)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::inspect::{assert_legible, circles};
    use super::*;

    #[test]
    fn starts_and_ends_are_drawn_and_bad_points_are_not() {
        let paths = [
            vec![[0.0, 0.0], [0.5, 0.5], [1.0, 0.0]],
            vec![[0.0, 1.0], [f32::NAN, 0.0], [1.0, 1.0]],
            vec![[0.2, 0.2], [1e9, 0.0]],
        ];
        let picture = PathPicture {
            title: "Paths".into(),
            paths: &paths,
            target: &[[1.0, 0.5], [1.0, f32::INFINITY]],
            caption: "A caption.".into(),
        };
        let svg = picture.to_svg().unwrap();
        assert_legible(&svg);
        // One more of each colour in the legend.
        assert_eq!(circles(&svg, BLUE).len(), 3 + 1);
        assert_eq!(circles(&svg, GREEN).len(), 2 + 1);
        assert_eq!(circles(&svg, ORANGE).len(), 1 + 1);
        assert!(svg.contains("x(1) (2 of 3: 1 outside)"));
        assert!(PathPicture::default().to_svg().is_err());
    }
}
