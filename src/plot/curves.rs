//! Losses and scores against the step, or against whatever else.

use std::path::Path;

use super::axis::{Axis, Scale};
use super::decimate::decimate;
use super::frame::{room_below, room_left, Frame};
use super::legend::{Entry, Legend, Mark};
use super::page::{curve_style, draw_page, Font};
use crate::error::{Error, Result};
use crate::files::write_atomically;

/// Points of a curve that are drawn, at most.
const DRAWN: usize = 2000;
/// Curves with fewer points get a dot at each.
const DOTTED: usize = 25;
const MARGIN: f64 = 14.0;
const RIGHT: f64 = 26.0;
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 270.0;

/// A named sequence of points (step, value).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// What the legend says.
    pub name: String,
    /// Steps (or whatever the horizontal axis is) and values, joined in this order.
    pub points: Vec<(f64, f64)>,
}

/// Curves in one pair of axes, such as the losses of a training run.
///
/// Points that the axes cannot show (NaN, infinite, above 1e300; on [`Scale::Log`] also 0 and
/// negative numbers) are left out and counted in the caption. Of more than 2000 points, the lowest and
/// the highest of each bucket of consecutive ones are drawn, so that spikes stay visible.
///
/// ```
/// use brenier::plot::{Curve, CurvePicture};
/// let curve = Curve { name: "loss".into(), points: vec![(0.0, 2.0), (1.0, f64::NAN), (2.0, 1.0)] };
/// let picture = CurvePicture { curves: vec![curve], ..CurvePicture::default() };
/// assert!(picture.to_svg()?.contains("1 value left out: not finite."));
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CurvePicture {
    /// Above the curves; blank for none.
    pub title: String,
    /// Name of the horizontal axis; blank for none.
    pub x_label: String,
    /// Layout of the horizontal axis.
    pub x_scale: Scale,
    /// Name of the vertical axis; blank for none.
    pub y_label: String,
    /// Layout of the vertical axis.
    pub scale: Scale,
    /// At least one with at least one point that can be drawn.
    pub curves: Vec<Curve>,
    /// Below the curves; blank for none.
    pub caption: String,
}

impl CurvePicture {
    /// The picture as the text of an SVG file.
    ///
    /// # Errors
    /// [`Error::Shape`] if no curve has a point that can be drawn.
    pub fn to_svg(&self) -> Result<String> {
        self.render(Path::new("the curves"))
    }

    /// Writes the picture to a file; folders are created, an older file is replaced atomically.
    ///
    /// # Errors
    /// As [`CurvePicture::to_svg`], and [`Error::Io`] if the file cannot be written.
    pub fn write_svg(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        write_atomically(path, self.render(path)?.as_bytes())
    }

    fn render(&self, path: &Path) -> Result<String> {
        let scales = [self.x_scale, self.scale];
        let mut left_out = LeftOut::default();
        let curves: Vec<Vec<(f64, f64)>> =
            self.curves.iter().map(|c| left_out.filter(&c.points, scales)).collect();
        let Some(axes) = axes(&curves, scales) else {
            let expected = "at least one point with finite coordinates (positive on a log axis)";
            let found = format!("{} curves, {}", curves.len(), left_out.sentence());
            return Err(Error::shape("curves to draw", expected, found));
        };
        let entries = self.curves.iter().zip(&curves).enumerate().map(|(i, (curve, drawn))| {
            let (ink, width) = curve_style(i);
            let none = if drawn.is_empty() { " (nothing to draw)" } else { "" };
            Entry { mark: Mark::Line(width.max(2.0)), ink, text: format!("{}{none}", curve.name) }
        });
        let before = MARGIN + room_left(&axes[1], HEIGHT, &self.y_label);
        let legend = Legend::new(entries.collect(), WIDTH);
        let width = before + WIDTH + RIGHT;
        let title = Font::TITLE.wrap(&self.title, WIDTH);
        let caption = format!("{}\n{}", self.caption, left_out.sentence());
        let caption = Font::SMALL.wrap(&caption, width - 2.0 * MARGIN);
        let legend_top = MARGIN + title.len() as f64 * Font::TITLE.line();
        let top = legend_top + legend.height() + 6.0;
        let caption_top = top + HEIGHT + room_below(&self.x_label) + 6.0;
        let height = caption_top + caption.len() as f64 * Font::SMALL.line() + MARGIN - 6.0;
        let names = [self.x_label.as_str(), self.y_label.as_str()];
        let frame =
            Frame { left: before, top, width: WIDTH, height: HEIGHT, axes, names, overhang: RIGHT };
        draw_page((width, height), path, |page| {
            page.block(&title, before, MARGIN, Font::TITLE)?;
            legend.draw(page, before, legend_top)?;
            frame.draw(page, true)?;
            for (i, points) in curves.into_iter().enumerate() {
                let (ink, width) = curve_style(i);
                let dotted = points.len() < DOTTED;
                let places = decimate(points, DRAWN);
                let places: Vec<_> = places.into_iter().map(|(x, y)| frame.place(x, y)).collect();
                if places.len() > 1 {
                    page.line(&places, width, ink)?;
                }
                if dotted {
                    places.iter().try_for_each(|&at| page.dot(at, width.max(2.2), ink))?;
                }
            }
            page.block(&caption, MARGIN, caption_top, Font::SMALL)
        })
    }
}

/// The axes that hold all points; none if there are no points.
fn axes(curves: &[Vec<(f64, f64)>], scales: [Scale; 2]) -> Option<[Axis; 2]> {
    let extent = |values: &mut dyn Iterator<Item = f64>| {
        let first = values.next()?;
        Some(values.fold((first, first), |(low, high), v| (low.min(v), high.max(v))))
    };
    let (left, right) = extent(&mut curves.iter().flatten().map(|p| p.0))?;
    let (low, high) = extent(&mut curves.iter().flatten().map(|p| p.1))?;
    let x = Axis::covering(scales[0], left, right, 0.01);
    Some([x, Axis::covering(scales[1], low, high, 0.04)])
}

/// Counts of the values that cannot be drawn.
#[derive(Default)]
struct LeftOut {
    not_finite: usize,
    not_positive: usize,
}

impl LeftOut {
    fn filter(&mut self, points: &[(f64, f64)], scales: [Scale; 2]) -> Vec<(f64, f64)> {
        let mut keep = |&(x, y): &(f64, f64)| {
            let finite = Scale::Linear.places(x) && Scale::Linear.places(y);
            let placed = finite && scales[0].places(x) && scales[1].places(y);
            self.not_finite += usize::from(!finite);
            self.not_positive += usize::from(finite && !placed);
            placed
        };
        points.iter().filter(|p| keep(p)).copied().collect()
    }

    /// Blank if nothing was left out.
    fn sentence(&self) -> String {
        let values = |n: usize| if n == 1 { "1 value".into() } else { format!("{n} values") };
        let positive = "not positive, which a logarithmic axis cannot show";
        match (self.not_finite, self.not_positive) {
            (0, 0) => String::new(),
            (n, 0) => format!("{} left out: not finite.", values(n)),
            (0, n) => format!("{} left out: {positive}.", values(n)),
            (a, b) => format!("{} left out: {a} not finite, {b} {positive}.", values(a + b)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::inspect::{assert_legible, parse, texts};
    use super::super::page::PALETTE;
    use super::*;
    use crate::random::Key;

    /// The lines drawn in the colour of curve `i`, after that of the legend.
    fn drawn(svg: &str, i: usize) -> Vec<Vec<(f64, f64)>> {
        let color = PALETTE[i];
        let name = format!("#{:02X}{:02X}{:02X}", color.0, color.1, color.2);
        let lines = parse(svg).into_iter().filter(|e| e.tag == "polyline");
        lines.filter(|e| e.get("stroke") == name).skip(1).map(|e| e.points()).collect()
    }

    fn picture(scale: Scale, points: Vec<(f64, f64)>) -> CurvePicture {
        let curves = vec![Curve { name: "loss".into(), points }];
        CurvePicture { x_label: "step".into(), scale, curves, ..CurvePicture::default() }
    }

    #[test]
    fn long_noisy_curves_keep_their_spikes() {
        let noise = Key::new(1).uniform(50_000);
        let mut points: Vec<_> =
            (0..).map(f64::from).zip(noise.iter().map(|&u| u.into())).collect();
        let flat = picture(Scale::Linear, points.clone()).to_svg().unwrap();
        points[31_234].1 = 40.0;
        let svg = picture(Scale::Linear, points).to_svg().unwrap();
        let line = &drawn(&svg, 0)[0];
        assert!((1000..=DRAWN).contains(&line.len()));
        assert!(line.windows(2).all(|w| w[0].0 <= w[1].0));
        // The spike is a single point, far above the rest, at its step.
        let mut heights: Vec<_> = line.iter().map(|p| (p.1, p.0)).collect();
        heights.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(heights[1].0 - heights[0].0 > 0.9 * (heights[line.len() - 1].0 - heights[0].0));
        let share = (heights[0].1 - line[0].0) / (line[line.len() - 1].0 - line[0].0);
        assert!((share - 31_234.0 / 49_999.0).abs() < 1e-3);
        assert_ne!(flat, svg);
        assert!(svg.len() < 100_000);
    }

    /// Equal ratios are equally far apart on a logarithmic axis.
    #[test]
    fn four_decades() {
        let points = (0..9).map(|i| (f64::from(i), 10f64.powf(2.0 - 0.5 * f64::from(i)))).collect();
        let svg = picture(Scale::Log, points).to_svg().unwrap();
        let line = &drawn(&svg, 0)[0];
        assert_eq!(line.len(), 9);
        let step = (line[8].1 - line[0].1) / 8.0;
        assert!(line.windows(2).all(|w| (w[1].1 - w[0].1 - step).abs() <= 1.0));
        let labels = texts(&svg);
        assert!(["10²", "10¹", "10⁰", "10⁻¹", "10⁻²"]
            .iter()
            .all(|l| labels.contains(&(*l).into())));
        assert_legible(&svg);
    }

    /// Dimensions that double lie equally far apart on a logarithmic horizontal axis.
    #[test]
    fn powers_of_two() {
        let points = (1..8).map(|i| (f64::from(1 << i), 1.0 + f64::from(i))).collect();
        let mut doubling = picture(Scale::Linear, points);
        doubling.x_scale = Scale::Log;
        let svg = doubling.to_svg().unwrap();
        let line = &drawn(&svg, 0)[0];
        let step = (line[6].0 - line[0].0) / 6.0;
        assert!(line.windows(2).all(|w| (w[1].0 - w[0].0 - step).abs() <= 1.0));
        assert_legible(&svg);
        doubling.curves[0].points.push((0.0, 1.0));
        assert!(doubling.to_svg().unwrap().contains("1 value left out: not positive"));
    }

    #[test]
    fn what_cannot_be_drawn_is_counted() {
        let points = vec![
            (0.0, 1.0),
            (1.0, f64::NAN),
            (f64::INFINITY, 1.0),
            (3.0, -1.0),
            (4.0, 0.0),
            (5.0, 2.0),
        ];
        let log = picture(Scale::Log, points.clone()).to_svg().unwrap();
        let reason = "4 values left out: 2 not finite, 2 not positive, which a logarithmic axis cannot show.";
        assert!(texts(&log).contains(&reason.to_string()), "{:?}", texts(&log));
        assert_eq!(drawn(&log, 0)[0].len(), 2);
        let linear = picture(Scale::Linear, points).to_svg().unwrap();
        assert!(texts(&linear).contains(&"2 values left out: not finite.".to_string()));
        let clean = picture(Scale::Linear, vec![(0.0, 1.0)]).to_svg().unwrap();
        assert!(!clean.contains("left out"));
    }

    #[test]
    fn few_points_and_extreme_values() {
        for scale in [Scale::Linear, Scale::Log] {
            for points in [
                vec![(0.0, 1.0)],
                vec![(7.0, 3.0), (7.0, 3.0)],
                vec![(0.0, 1e-300), (1.0, 1e300)],
                vec![(-1e300, f64::from_bits(1)), (1e300, 1e-320)],
                vec![(0.0, 1.0), (1.0, 1.0 + f64::EPSILON)],
            ] {
                let svg = picture(scale, points.clone()).to_svg().unwrap();
                let dots = parse(&svg).iter().filter(|e| e.tag == "circle").count();
                assert_eq!(dots, points.len());
                assert_legible(&svg);
            }
        }
    }

    #[test]
    fn many_long_names_fit() {
        let curve = |i: usize| Curve {
            name: format!("a curve with number {i}, {}", "and more ".repeat(i)),
            points: vec![(0.0, i as f64), (1.0, -1e-7)],
        };
        let mut all = picture(Scale::Linear, vec![]);
        all.curves.extend((0..20).map(curve));
        all.title = "title ".repeat(40);
        all.y_label = "value ".repeat(40);
        all.caption = "caption\n".repeat(9);
        let svg = all.to_svg().unwrap();
        assert_legible(&svg);
        assert!(texts(&svg).contains(&"loss (nothing to draw)".to_string()));
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        for bad in [
            CurvePicture::default(),
            picture(Scale::Linear, vec![]),
            picture(Scale::Linear, vec![(f64::NAN, 1.0)]),
            picture(Scale::Log, vec![(0.0, -1.0), (1.0, 0.0)]),
        ] {
            assert!(matches!(bad.to_svg(), Err(Error::Shape { .. })), "{bad:?}");
            let folder = tempfile::tempdir().unwrap();
            assert!(bad.write_svg(folder.path().join("a.svg")).is_err());
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
