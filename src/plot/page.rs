//! A sheet to draw on, measured in points, with the few marks that pictures are made of.

use std::path::Path;

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Text};
use plotters::prelude::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color, FontStyle, FontTransform, IntoFont, RGBAColor, RGBColor, ShapeStyle, WHITE,
};

use crate::error::{Error, Result};

/// The result of drawing.
pub(super) type Drawn = std::result::Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// The drawing library counts in whole units; this many of them make a point.
pub(super) const UNITS: f64 = 8.0;
/// The drawing library gives fonts a nominal size this much larger than the one in the file.
const NOMINAL: f64 = 1.24;

/// Text and axes.
pub(super) const BLACK: RGBColor = RGBColor(0x22, 0x22, 0x22);
/// Secondary text.
pub(super) const GREY: RGBColor = RGBColor(0x55, 0x55, 0x55);
/// Grid lines.
pub(super) const PALE: RGBColor = RGBColor(0xE4, 0xE4, 0xE4);

/// Colours that colour-blind readers can tell apart (Okabe and Ito), the yellow left out because it
/// is hard to see on white.
pub(super) const PALETTE: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x22, 0x22, 0x22),
];

/// Colour and width of curve number `i`: the palette, then its colours again, pale and broad.
pub(super) fn curve_style(i: usize) -> (RGBAColor, f64) {
    let color = PALETTE[i % PALETTE.len()];
    match (i / PALETTE.len()) % 2 {
        0 => (color.mix(0.85), 1.3),
        _ => (color.mix(0.4), 3.0),
    }
}

/// Where a text lies with respect to its position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Anchor {
    Left,
    Centre,
    Right,
    /// Centred, read from below.
    Upward,
}

/// A size and weight of the one font.
#[derive(Clone, Copy, Debug)]
pub(super) struct Font {
    pub(super) size: f64,
    pub(super) bold: bool,
    pub(super) color: RGBColor,
}

impl Font {
    pub(super) const TITLE: Self = Self { size: 14.0, bold: true, color: BLACK };
    pub(super) const HEADING: Self = Self { size: 11.5, bold: true, color: BLACK };
    pub(super) const LABEL: Self = Self { size: 11.0, bold: false, color: BLACK };
    pub(super) const SMALL: Self = Self { size: 10.0, bold: false, color: GREY };

    /// Height of a line.
    pub(super) fn line(&self) -> f64 {
        (1.4 * self.size).round()
    }

    /// About how wide `text` becomes in a wide sans-serif font; narrower fonts need less.
    pub(super) fn width(&self, text: &str) -> f64 {
        let share = |c: char| match c {
            ' ' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | 'i' | 'j' | 'l' | '·' => 0.34,
            'f' | 'r' | 't' | 'I' | '(' | ')' | '[' | ']' | '-' | '/' => 0.42,
            '⁰'..='⁹' | '¹' | '²' | '³' | '⁻' | '₀'..='₉' => 0.42,
            'm' | 'w' | 'M' | 'W' | '%' | '@' | '—' | '…' => 1.0,
            '+' | '=' | '<' | '>' | '×' | '−' | '→' => 0.84,
            'A'..='Z' => 0.76,
            c if c < '\u{1100}' => 0.64,
            _ => 1.0,
        };
        let bold = if self.bold { 1.1 } else { 1.0 };
        self.size * bold * text.chars().map(share).sum::<f64>()
    }

    /// The text in lines no wider than `room`, broken at spaces and line ends, or anywhere in words
    /// that are too long. No lines for a blank text.
    pub(super) fn wrap(&self, text: &str, room: f64) -> Vec<String> {
        let mut lines = Vec::new();
        for paragraph in text.lines() {
            let mut line = String::new();
            for word in paragraph.split_whitespace() {
                let joined = if line.is_empty() { word.into() } else { format!("{line} {word}") };
                if self.width(&joined) <= room {
                    line = joined;
                    continue;
                }
                if !line.is_empty() {
                    lines.push(std::mem::take(&mut line));
                }
                for c in word.chars() {
                    line.push(c);
                    if self.width(&line) > room && line.chars().count() > 1 {
                        line.pop();
                        lines.push(std::mem::replace(&mut line, c.into()));
                    }
                }
            }
            if !line.is_empty() {
                lines.push(line);
            }
        }
        lines
    }

    /// The text, cut with an ellipsis if it is wider than `room`.
    pub(super) fn cut(&self, text: &str, room: f64) -> String {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if self.width(&text) <= room {
            return text;
        }
        let mut short = String::new();
        for c in text.chars() {
            short.push(c);
            if self.width(&short) + self.width("…") > room {
                short.pop();
                break;
            }
        }
        short.push('…');
        short
    }
}

/// A sheet. Positions are in points from the upper left corner.
pub(super) struct Page<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

/// The SVG text of a sheet of the given size in points. `path` is for the error message.
pub(super) fn draw_page(
    (width, height): (f64, f64),
    path: &Path,
    paint: impl FnOnce(&Page<'_>) -> Drawn,
) -> Result<String> {
    let units = |length: f64| (length.ceil() * UNITS) as u32;
    let mut svg = String::new();
    let page = Page {
        area: SVGBackend::with_string(&mut svg, (units(width), units(height))).into_drawing_area(),
    };
    let drawn = page.area.fill(&WHITE).and_then(|()| paint(&page));
    drawn
        .and_then(|()| page.area.present())
        .map_err(|e| Error::Plot { path: path.into(), problem: e.to_string() })?;
    drop(page);
    // The sheet is laid out in points; its contents are drawn in the finer units.
    let fine = format!("width=\"{}\" height=\"{}\" viewBox", units(width), units(height));
    let plain = format!("width=\"{}\" height=\"{}\" viewBox", width.ceil(), height.ceil());
    Ok(svg.replacen(&fine, &plain, 1))
}

fn pixel((x, y): (f64, f64)) -> (i32, i32) {
    ((x * UNITS).round() as i32, (y * UNITS).round() as i32)
}

fn stroke(width: f64, ink: RGBAColor) -> ShapeStyle {
    let width = (width * UNITS).round().max(1.0) as u32;
    ShapeStyle { color: ink, filled: false, stroke_width: width }
}

impl Page<'_> {
    pub(super) fn dot(&self, at: (f64, f64), radius: f64, ink: RGBAColor) -> Drawn {
        self.area.draw(&Circle::new(pixel(at), (radius * UNITS).round() as i32, ink.filled()))
    }

    pub(super) fn line(&self, points: &[(f64, f64)], width: f64, ink: RGBAColor) -> Drawn {
        let points: Vec<_> = points.iter().map(|&p| pixel(p)).collect();
        self.area.draw(&PathElement::new(points, stroke(width, ink)))
    }

    /// A thin arrow; its head is left out where `headless` or where it would hide the shaft.
    pub(super) fn arrow(
        &self,
        from: (f64, f64),
        to: (f64, f64),
        ink: RGBAColor,
        headless: bool,
    ) -> Drawn {
        const HEAD: f64 = 5.0;
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        if headless || length < 1.5 * HEAD {
            return self.line(&[from, to], 0.7, ink);
        }
        let (ux, uy) = (dx / length, dy / length);
        let neck = (to.0 - HEAD * ux, to.1 - HEAD * uy);
        let side = |s: f64| (neck.0 - s * 0.36 * HEAD * uy, neck.1 + s * 0.36 * HEAD * ux);
        self.line(&[from, neck], 0.7, ink)?;
        self.area.draw(&Polygon::new([to, side(1.0), side(-1.0)].map(pixel), ink))
    }

    /// A text whose middle line goes through `at`. Characters that XML forbids become spaces.
    pub(super) fn text(&self, text: &str, at: (f64, f64), font: Font, anchor: Anchor) -> Drawn {
        let forbidden = |c: char| c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}');
        let text = text.replace(forbidden, " ");
        let (transform, side) = match anchor {
            Anchor::Left => (FontTransform::None, HPos::Left),
            Anchor::Centre => (FontTransform::None, HPos::Center),
            Anchor::Right => (FontTransform::None, HPos::Right),
            Anchor::Upward => (FontTransform::Rotate270, HPos::Center),
        };
        let weight = if font.bold { FontStyle::Bold } else { FontStyle::Normal };
        let style = ("sans-serif", font.size * UNITS * NOMINAL)
            .into_font()
            .style(weight)
            .transform(transform)
            .color(&font.color)
            .pos(Pos::new(side, VPos::Center));
        self.area.draw(&Text::new(text, pixel(at), style))
    }

    /// Lines of text below `top`.
    pub(super) fn block(&self, lines: &[String], left: f64, top: f64, font: Font) -> Drawn {
        (0..).zip(lines).try_for_each(|(i, line)| {
            let middle = top + (f64::from(i) + 0.5) * font.line();
            self.text(line, (left, middle), font, Anchor::Left)
        })
    }
}
