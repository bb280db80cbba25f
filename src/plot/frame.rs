//! A box with two axes, into which data are drawn.

use plotters::style::Color;

use super::axis::Axis;
use super::page::{Anchor, Drawn, Font, Page, GREY, PALE};
use super::ticks::{ticks, Tick};

const TICK: f64 = 4.0;
const FONT: Font = Font { color: GREY, ..Font::SMALL };

/// A box on the page, the axes that it shows and their names.
pub(super) struct Frame<'a> {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    /// Horizontal and vertical.
    pub(super) axes: [Axis; 2],
    /// Names of the axes; blank for none.
    pub(super) names: [&'a str; 2],
    /// How far labels of the horizontal axis may stick out.
    pub(super) overhang: f64,
}

/// Horizontal room for the labels of `y` and its name, left of a box of the given height.
pub(super) fn room_left(y: &Axis, height: f64, name: &str) -> f64 {
    let widest = y_ticks(y, height)
        .iter()
        .filter_map(|tick| tick.label.as_deref())
        .fold(0.0, |widest: f64, label| widest.max(FONT.width(label)));
    TICK + 4.0 + widest + if name.trim().is_empty() { 0.0 } else { Font::LABEL.line() + 4.0 }
}

/// Vertical room for the labels of x and its name, below a box.
pub(super) fn room_below(name: &str) -> f64 {
    let name = if name.trim().is_empty() { 0.0 } else { Font::LABEL.line() };
    TICK + 2.0 + FONT.line() + name
}

fn y_ticks(axis: &Axis, height: f64) -> Vec<Tick> {
    ticks(axis, (height / 38.0) as usize)
}

/// As many as fit side by side; labels that would touch another one, however few there are, or stick
/// out by more than `overhang` are left out.
fn x_ticks(axis: &Axis, width: f64, overhang: f64) -> Vec<Tick> {
    let half = |t: &Tick| t.label.as_ref().map(|label| FONT.width(label) / 2.0);
    let fits = |ticks: &Vec<Tick>| {
        let labels: Vec<_> =
            ticks.iter().filter_map(|t| Some((t.share * width, half(t)?))).collect();
        labels.windows(2).all(|w| w[0].0 + w[0].1 + 6.0 <= w[1].0 - w[1].1)
    };
    let fewer = (2..=(width / 38.0) as usize).rev().map(|most| ticks(axis, most));
    let mut chosen =
        fewer.clone().find(fits).or_else(|| fewer.clone().next_back()).unwrap_or_default();
    let mut end = f64::NEG_INFINITY;
    for tick in &mut chosen {
        let Some(half) = half(tick) else { continue };
        let middle = tick.share * width;
        if middle - half < end.max(-overhang) || middle + half > width + overhang {
            tick.label = None;
        } else {
            end = middle + half;
        }
    }
    chosen
}

impl Frame<'_> {
    /// The place of a point on the page.
    pub(super) fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let right = self.axes[0].share(x) * self.width;
        let up = self.axes[1].share(y) * self.height;
        (self.left + right, self.top + self.height - up)
    }

    /// Draws the box, the grid, the ticks and the names; `labels_y` says whether the vertical axis
    /// gets labels and a name (no, if the box to the left has the same axis).
    pub(super) fn draw(&self, page: &Page<'_>, labels_y: bool) -> Drawn {
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        let (pale, dark) = (PALE.mix(1.0), GREY.mix(1.0));
        for tick in x_ticks(&self.axes[0], self.width, self.overhang) {
            let x = self.left + tick.share * self.width;
            let length = if tick.label.is_some() { TICK } else { TICK / 2.0 };
            page.line(&[(x, bottom), (x, bottom + length)], 0.6, dark)?;
            if let Some(label) = tick.label {
                page.line(&[(x, self.top), (x, bottom)], 0.6, pale)?;
                let middle = bottom + TICK + 2.0 + FONT.line() / 2.0;
                page.text(&label, (x, middle), FONT, Anchor::Centre)?;
            }
        }
        for tick in y_ticks(&self.axes[1], self.height) {
            let y = bottom - tick.share * self.height;
            let length = if tick.label.is_some() { TICK } else { TICK / 2.0 };
            page.line(&[(self.left - length, y), (self.left, y)], 0.6, dark)?;
            if let Some(label) = tick.label {
                page.line(&[(self.left, y), (right, y)], 0.6, pale)?;
                if labels_y {
                    page.text(&label, (self.left - TICK - 4.0, y), FONT, Anchor::Right)?;
                }
            }
        }
        let corners = [(self.left, self.top), (right, self.top), (right, bottom)];
        let around = [&corners[..], &[(self.left, bottom), (self.left, self.top)]].concat();
        page.line(&around, 0.6, dark)?;
        let [x, y] = self.names.map(str::trim);
        if !x.is_empty() {
            let below = bottom + room_below(x) - Font::LABEL.line() / 2.0;
            let name = Font::LABEL.cut(x, self.width);
            page.text(&name, ((self.left + right) / 2.0, below), Font::LABEL, Anchor::Centre)?;
        }
        if labels_y && !y.is_empty() {
            let before =
                self.left - room_left(&self.axes[1], self.height, y) + Font::LABEL.line() / 2.0;
            let name = Font::LABEL.cut(y, self.height + 2.0 * room_below(x));
            page.text(&name, (before, (self.top + bottom) / 2.0), Font::LABEL, Anchor::Upward)?;
        }
        Ok(())
    }
}
