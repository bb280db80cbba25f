//! Pairs of scores against the diagonal.

use std::path::Path;

use plotters::style::Color;

use super::axis::{Axis, Scale};
use super::curves::Curve;
use super::frame::{room_below, room_left, Frame};
use super::legend::{Entry, Legend, Mark};
use super::page::{curve_style, draw_page, Font, BLACK};
use crate::error::{Error, Result};
use crate::files::write_atomically;

const SIDE: f64 = 300.0;
const MARGIN: f64 = 14.0;
const RADIUS: f64 = 3.0;

/// Groups of points (x, y) whose two numbers are of the same kind, with the diagonal x = y: scores of
/// methods against those of one method, run by run. Both axes show the same interval.
///
/// Points that the axes cannot show (not finite; on [`Scale::Log`] also 0 and negative numbers) are left
/// out, and the legend counts those that are drawn.
///
/// ```
/// use brenier::plot::{Curve, ScatterPicture};
/// let linear = Curve { name: "linear".into(), points: vec![(2.0, 1.0), (3.0, f64::NAN)] };
/// let picture = ScatterPicture { groups: vec![linear], ..ScatterPicture::default() };
/// assert!(picture.to_svg()?.contains("linear (1)"));
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScatterPicture {
    /// Above the points; blank for none.
    pub title: String,
    /// Name of the horizontal axis; blank for none.
    pub x_label: String,
    /// Name of the vertical axis; blank for none.
    pub y_label: String,
    /// Layout of both axes.
    pub scale: Scale,
    /// At least one with at least one point that can be drawn; their order does not matter.
    pub groups: Vec<Curve>,
    /// Below the points; blank for none.
    pub caption: String,
}

impl ScatterPicture {
    /// The picture as the text of an SVG file.
    ///
    /// # Errors
    /// [`Error::Shape`] if no group has a point that can be drawn.
    pub fn to_svg(&self) -> Result<String> {
        self.render(Path::new("the points"))
    }

    /// Writes the picture to a file; folders are created, an older file is replaced atomically.
    ///
    /// # Errors
    /// As [`ScatterPicture::to_svg`], and [`Error::Io`] if the file cannot be written.
    pub fn write_svg(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        write_atomically(path, self.render(path)?.as_bytes())
    }

    fn render(&self, path: &Path) -> Result<String> {
        let placed = |p: &&(f64, f64)| self.scale.places(p.0) && self.scale.places(p.1);
        let groups: Vec<Vec<(f64, f64)>> =
            self.groups.iter().map(|g| g.points.iter().filter(placed).copied().collect()).collect();
        let values = groups.iter().flatten().flat_map(|p| [p.0, p.1]);
        let extent = values.fold(None, |extent, v| {
            let (low, high): (f64, f64) = extent.unwrap_or((v, v));
            Some((low.min(v), high.max(v)))
        });
        let Some((low, high)) = extent else {
            let expected = "at least one point with finite coordinates (positive on a log axis)";
            return Err(Error::shape("points to draw", expected, "none"));
        };
        let axis = Axis::covering(self.scale, low, high, 0.05);
        let entries = self.groups.iter().zip(&groups).enumerate().map(|(i, (group, drawn))| {
            let text = format!("{} ({})", group.name, drawn.len());
            Entry { mark: Mark::Dot, ink: curve_style(i).0, text }
        });
        let legend = Legend::new(entries.collect(), SIDE);
        let left = MARGIN + room_left(&axis, SIDE, &self.y_label);
        let width = left + SIDE + MARGIN + 4.0;
        let title = Font::TITLE.wrap(&self.title, SIDE);
        let caption = Font::SMALL.wrap(&self.caption, width - 2.0 * MARGIN);
        let legend_top = MARGIN + title.len() as f64 * (Font::TITLE.line() + 2.0);
        let top = legend_top + legend.height() + 5.0;
        let caption_top = top + SIDE + room_below(&self.x_label) + 6.0;
        let height = caption_top + caption.len() as f64 * Font::SMALL.line() + MARGIN - 6.0;
        let names = [self.x_label.as_str(), self.y_label.as_str()];
        let axes = [axis, axis];
        let frame = Frame { left, top, width: SIDE, height: SIDE, axes, names, overhang: MARGIN };
        draw_page((width, height), path, |page| {
            page.block(&title, left, MARGIN, Font::TITLE)?;
            legend.draw(page, left, legend_top)?;
            frame.draw(page, true)?;
            let diagonal = [(left, top + SIDE), (left + SIDE, top)];
            page.line(&diagonal, 0.7, BLACK.mix(0.4))?;
            for (i, points) in groups.iter().enumerate() {
                let ink = curve_style(i).0;
                points.iter().try_for_each(|&(x, y)| page.dot(frame.place(x, y), RADIUS, ink))?;
            }
            page.block(&caption, MARGIN, caption_top, Font::SMALL)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::inspect::{assert_legible, circles};
    use super::super::page::PALETTE;
    use super::*;

    #[test]
    fn points_lie_where_they_belong_and_bad_ones_are_left_out() {
        let group = |name: &str, points| Curve { name: name.into(), points };
        let picture = ScatterPicture {
            title: "Scores".into(),
            x_label: "others".into(),
            y_label: "one".into(),
            groups: vec![
                group("a", vec![(1.0, 1.0), (3.0, 2.0), (f64::NAN, 1.0)]),
                group("b", vec![(2.0, 3.0)]),
            ],
            caption: "A caption.".into(),
            ..ScatterPicture::default()
        };
        let svg = picture.to_svg().unwrap();
        assert_legible(&svg);
        // One more of each colour in the legend.
        assert_eq!(circles(&svg, PALETTE[0]).len(), 2 + 1);
        assert_eq!(circles(&svg, PALETTE[1]).len(), 1 + 1);
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        let zero = Curve { name: "zero".into(), points: vec![(0.0, 1.0)] };
        let picture =
            ScatterPicture { scale: Scale::Log, groups: vec![zero], ..Default::default() };
        assert!(picture.to_svg().unwrap_err().to_string().contains("points to draw"));
        assert!(ScatterPicture::default().to_svg().is_err());
    }
}
