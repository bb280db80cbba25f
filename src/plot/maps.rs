//! A learned transport map beside the true one.

use std::path::Path;

use super::axis::Axis;
use super::cloud::{arrows, equal_axes, visible};
use super::frame::{room_below, room_left, Frame};
use super::page::{draw_page, Font};
use super::panel::{Panel, BLUE, GREEN, ORANGE, WIDTH};
use crate::error::{Error, Result};
use crate::files::write_atomically;

/// Arrows from points to their images.
const ARROWS: usize = 48;
const MARGIN: f64 = 14.0;
const GAP: f64 = 28.0;

/// Source, target, a learned map and, if it is known, the true one, in panels with equal axes.
///
/// The first panel shows the source P and the target Q. The second shows the images T#P of the
/// source over Q, with arrows from 48 of the source points (blue) to their images; the third shows
/// the same arrows for the true map. A unit is equally long on both axes. Points that are not finite
/// are left out, so are images far outside of the other points, and more than 5000 points of a set
/// are represented by a fixed random choice; the legends tell the counts.
///
/// Points held in tensors, of any dimension, are made pairs by a [`Plane`](super::Plane).
///
/// ```
/// use brenier::plot::MapPicture;
/// let source = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
/// let moved = source.map(|[x, y]| [x + 2.0, y]);
/// let picture = MapPicture {
///     title: "A translation".into(),
///     source: &source,
///     target: &moved,
///     learned: &moved,
///     ..MapPicture::default()
/// };
/// assert!(picture.to_svg()?.contains("P (3)"));
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MapPicture<'a> {
    /// Above the panels; blank for none.
    pub title: String,
    /// Points of the source P.
    pub source: &'a [[f32; 2]],
    /// Points of the target Q; any number.
    pub target: &'a [[f32; 2]],
    /// The image of each source point under the learned map.
    pub learned: &'a [[f32; 2]],
    /// The image of each source point under the true map, if it is known.
    pub truth: Option<&'a [[f32; 2]]>,
    /// Names of the two axes; blank for none.
    pub axes: [String; 2],
    /// Below the panels; blank for none.
    pub caption: String,
}

impl MapPicture<'_> {
    /// The picture as the text of an SVG file.
    ///
    /// # Errors
    /// [`Error::Shape`] if the images are not as many as the source points, or if neither source nor
    /// target nor truth has a finite point.
    pub fn to_svg(&self) -> Result<String> {
        self.render(Path::new("the map"))
    }

    /// Writes the picture to a file; folders are created, an older file is replaced atomically.
    ///
    /// # Errors
    /// As [`MapPicture::to_svg`], and [`Error::Io`] if the file cannot be written.
    pub fn write_svg(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        write_atomically(path, self.render(path)?.as_bytes())
    }

    fn render(&self, path: &Path) -> Result<String> {
        let images = [("images under the learned map", Some(self.learned))];
        for (what, images) in images.into_iter().chain([("images under the true map", self.truth)])
        {
            if let Some(images) = images.filter(|i| i.len() != self.source.len()) {
                let expected = format!("{}, one per source point", self.source.len());
                return Err(Error::shape(what, expected, images.len()));
            }
        }
        let fixed = [self.source, self.target, self.truth.unwrap_or(&[])];
        let Some((axes, height)) = equal_axes(&fixed, self.learned, WIDTH) else {
            let expected = "at least one finite point in source or target";
            return Err(Error::shape("points to draw", expected, "none"));
        };
        let panels = self.panels(&axes);
        let before = MARGIN + room_left(&axes[1], height, &self.axes[1]);
        let width = before + panels.len() as f64 * (WIDTH + GAP) - GAP + MARGIN + 4.0;
        let title = Font::TITLE.wrap(&self.title, width - before - MARGIN);
        let caption = Font::SMALL.wrap(&self.caption, width - 2.0 * MARGIN);
        let heading_top = MARGIN + title.len() as f64 * (Font::TITLE.line() + 2.0);
        let legend_top = heading_top + Font::HEADING.line();
        let legends = panels.iter().map(|p| p.legend.height()).fold(0.0, f64::max);
        let top = legend_top + legends + 5.0;
        let caption_top = top + height + room_below(&self.axes[0]) + 6.0;
        let total = caption_top + caption.len() as f64 * Font::SMALL.line() + MARGIN - 6.0;
        let names = [self.axes[0].as_str(), self.axes[1].as_str()];
        draw_page((width, total), path, |page| {
            page.block(&title, before, MARGIN, Font::TITLE)?;
            for (i, panel) in panels.iter().enumerate() {
                let left = before + i as f64 * (WIDTH + GAP);
                let frame = Frame {
                    left,
                    top,
                    width: WIDTH,
                    height,
                    axes,
                    names,
                    overhang: GAP / 2.0 - 3.0,
                };
                page.block(&[panel.heading.into()], left, heading_top, Font::HEADING)?;
                panel.legend.draw(page, left, legend_top)?;
                frame.draw(page, i == 0)?;
                panel.draw(page, &frame)?;
            }
            page.block(&caption, MARGIN, caption_top, Font::SMALL)
        })
    }

    fn panels(&self, axes: &[Axis; 2]) -> Vec<Panel> {
        let source = visible("P", self.source, axes);
        let target = visible("Q", self.target, axes);
        let first = [(source, BLUE), (target.clone(), ORANGE)];
        let mut panels = vec![Panel::new("Source P and target Q", first, None)];
        let learned = ("Learned map T", "T#P", "x → T(x)", Some(self.learned));
        let truth = ("True map T*", "T*#P", "x → T*(x)", self.truth);
        for (heading, pushed, way, images) in [learned, truth] {
            let Some(images) = images else { continue };
            let clouds = [(target.clone(), ORANGE), (visible(pushed, images, axes), GREEN)];
            let arrows = arrows(self.source, images, axes, ARROWS);
            panels.push(Panel::new(heading, clouds, Some((way, arrows))));
        }
        panels
    }
}

#[cfg(test)]
mod tests {
    use super::super::inspect::{assert_legible, circles, parse, texts};
    use super::*;
    use crate::random::Key;

    fn cloud(seed: u64, n: usize) -> Vec<[f32; 2]> {
        Key::new(seed).normal(2 * n).chunks(2).map(|c| [c[0], c[1]]).collect()
    }

    fn moved(points: &[[f32; 2]], by: f32) -> Vec<[f32; 2]> {
        points.iter().map(|[x, y]| [x + by, 0.5 * y]).collect()
    }

    /// Every point is drawn once in each panel where it belongs; the legend adds one dot each.
    #[test]
    fn circles_are_points() {
        let (source, target) = (cloud(1, 150), cloud(2, 70));
        let (learned, truth) = (moved(&source, 1.0), moved(&source, 1.2));
        let picture = MapPicture {
            source: &source,
            target: &target,
            learned: &learned,
            truth: Some(&truth),
            ..MapPicture::default()
        };
        let svg = picture.to_svg().unwrap();
        assert_eq!(circles(&svg, BLUE).len(), (150 + 1) + 2 * ARROWS);
        assert_eq!(circles(&svg, ORANGE).len(), 3 * (70 + 1));
        assert_eq!(circles(&svg, GREEN).len(), 2 * (150 + 1));
        let two = MapPicture { truth: None, ..picture.clone() }.to_svg().unwrap();
        assert_eq!(circles(&two, GREEN).len(), 150 + 1);
        assert_eq!(svg, picture.to_svg().unwrap());
        assert_legible(&svg);
    }

    /// Where the circles lie: equal lengths are equal in all directions and all panels.
    #[test]
    fn panels_have_the_same_axes_and_an_equal_aspect() {
        let source = [[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]];
        let picture = MapPicture {
            source: &source,
            target: &source,
            learned: &source,
            truth: Some(&source),
            ..MapPicture::default()
        };
        let svg = picture.to_svg().unwrap();
        // The dot of the legend comes first.
        let places = |color| -> Vec<Vec<(f64, f64)>> {
            let all = circles(&svg, color);
            all.chunks(4)
                .map(|panel| panel[1..].iter().map(|c| (c.number("cx"), c.number("cy"))).collect())
                .collect()
        };
        let panels = places(ORANGE);
        assert_eq!(panels.len(), 3);
        for panel in &panels {
            let [o, right, up] = panel[..] else { panic!() };
            assert!((right.0 - o.0 - (o.1 - up.1)).abs() <= 2.0, "{panel:?}");
            assert!(right.1 == o.1 && up.0 == o.0 && right.0 > o.0 && up.1 < o.1);
            let shift = panel[0].0 - panels[0][0].0;
            for (a, b) in panel.iter().zip(&panels[0]) {
                assert!((a.0 - b.0 - shift).abs() <= 1.0 && a.1 == b.1);
            }
        }
        for (images, targets) in places(GREEN).iter().zip(&panels[1..]) {
            assert_eq!(images, targets);
        }
    }

    /// Labels of neighbouring panels stay apart wherever the points lie.
    #[test]
    fn labels_stay_apart_at_any_place_and_scale() {
        let source = cloud(5, 20);
        for u in Key::new(6).uniform(3 * 60).chunks(3) {
            let scale = 10f32.powf(30.0 * (u[0] - 0.5));
            let far = scale * 10f32.powf(6.0 * u[1] - 1.0) * (u[2] - 0.5).signum();
            let points: Vec<_> = source.iter().map(|p| p.map(|v| far + scale * v)).collect();
            let picture = MapPicture {
                source: &points,
                target: &points,
                learned: &points,
                truth: Some(&points),
                ..MapPicture::default()
            };
            let svg = picture.to_svg().unwrap();
            assert_legible(&svg);
            // Two clouds and an arrow in the legends, a heading, and at least one label per axis.
            assert!(texts(&svg).len() >= 3 + 8 + 4, "{far} {scale}: {:?}", texts(&svg));
        }
    }

    #[test]
    fn a_map_gone_astray_is_still_a_picture() {
        let source = cloud(1, 60);
        let mut learned = moved(&source, 0.1);
        learned[3] = [f32::NAN, 1.0];
        learned[4] = [1e9, f32::INFINITY];
        learned[5] = [-1e30, 1e30];
        let picture = MapPicture {
            title: "A title < & > \u{0} with everything \u{1F600} ".repeat(12),
            source: &source,
            target: &source,
            learned: &learned,
            axes: ["x".repeat(300), "y".repeat(300)],
            caption: "w".repeat(2000),
            ..MapPicture::default()
        };
        let svg = picture.to_svg().unwrap();
        assert_legible(&svg);
        assert!(texts(&svg).contains(&"T#P (57 of 60: 1 outside, 2 not finite)".to_string()));
        let nothing = vec![[f32::NAN; 2]; 60];
        let lost = MapPicture { learned: &nothing, ..picture }.to_svg().unwrap();
        assert!(texts(&lost).contains(&"T#P (0 of 60: 60 not finite)".to_string()));
    }

    #[test]
    fn wrong_data_are_errors() {
        let source = cloud(1, 5);
        let good = MapPicture {
            source: &source,
            target: &source,
            learned: &source,
            truth: Some(&source),
            ..MapPicture::default()
        };
        let nan = [[f32::NAN; 2]; 5];
        for bad in [
            MapPicture { learned: &source[1..], ..good.clone() },
            MapPicture { truth: Some(&[]), ..good.clone() },
            MapPicture { source: &nan, target: &nan, truth: None, ..good.clone() },
            MapPicture::default(),
        ] {
            assert!(matches!(bad.to_svg(), Err(Error::Shape { .. })), "{bad:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pictures/map.svg");
        good.write_svg(&path).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        assert_eq!(parse(&svg)[0].tag, "svg");
        assert!(matches!(good.write_svg(path.join("below")), Err(Error::Io { .. })));
    }
}
