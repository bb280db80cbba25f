//! One panel of a picture of a map.

use plotters::style::{Color, RGBColor};

use super::cloud::{Arrow, Visible};
use super::frame::Frame;
use super::legend::{Entry, Legend, Mark};
use super::page::{Drawn, Page, BLACK, PALETTE};

/// Width of the box.
pub(super) const WIDTH: f64 = 270.0;
/// The source.
pub(super) const BLUE: RGBColor = PALETTE[0];
/// Images of the source.
pub(super) const GREEN: RGBColor = PALETTE[2];
/// The target.
pub(super) const ORANGE: RGBColor = PALETTE[4];
const ARROW: (RGBColor, f64) = (BLACK, 0.5);

/// Two sets of points and, on top, some ways from points to their images.
pub(super) struct Panel {
    pub(super) heading: &'static str,
    clouds: [(Visible, RGBColor); 2],
    arrows: Vec<Arrow>,
    pub(super) legend: Legend,
}

impl Panel {
    pub(super) fn new(
        heading: &'static str,
        clouds: [(Visible, RGBColor); 2],
        arrows: Option<(&str, Vec<Arrow>)>,
    ) -> Self {
        let mut entries: Vec<Entry> = clouds
            .iter()
            .map(|(cloud, color)| Entry {
                mark: Mark::Dot,
                ink: color.mix(0.9),
                text: cloud.legend.clone(),
            })
            .collect();
        entries.extend(arrows.iter().map(|(way, _)| Entry {
            mark: Mark::Arrow,
            ink: ARROW.0.mix(0.9),
            text: (*way).into(),
        }));
        let arrows = arrows.map(|(_, arrows)| arrows).unwrap_or_default();
        Self { heading, clouds, arrows, legend: Legend::new(entries, WIDTH) }
    }

    pub(super) fn draw(&self, page: &Page<'_>, frame: &Frame<'_>) -> Drawn {
        for (cloud, color) in &self.clouds {
            // Many points need small dots.
            let radius = (40.0 / (cloud.points.len().max(1) as f64).sqrt()).clamp(0.9, 2.2);
            for &[x, y] in &cloud.points {
                page.dot(frame.place(x, y), radius, color.mix(0.5))?;
            }
        }
        for Arrow { from, to, leaves } in &self.arrows {
            let (from, to) = (frame.place(from[0], from[1]), frame.place(to[0], to[1]));
            page.arrow(from, to, ARROW.0.mix(ARROW.1), *leaves)?;
            page.dot(from, 1.6, BLUE.mix(0.9))?;
        }
        Ok(())
    }
}
