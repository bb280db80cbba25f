//! What the marks of a picture mean, in rows above it.

use plotters::style::RGBAColor;

use super::page::{Anchor, Drawn, Font, Page, BLACK};

/// The mark of an entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mark {
    Dot,
    /// Of this width.
    Line(f64),
    Arrow,
}

/// A mark and its meaning.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) mark: Mark,
    pub(super) ink: RGBAColor,
    pub(super) text: String,
}

/// Entries laid out in rows.
#[derive(Debug)]
pub(super) struct Legend {
    /// Position of each entry: from the left, and the row.
    places: Vec<(f64, usize)>,
    entries: Vec<Entry>,
}

const FONT: Font = Font { size: 10.5, bold: false, color: BLACK };
const GAP: f64 = 12.0;

impl Mark {
    fn width(self) -> f64 {
        match self {
            Self::Dot => 10.0,
            Self::Line(_) | Self::Arrow => 24.0,
        }
    }
}

impl Legend {
    /// Rows no wider than `room`; texts that are wider alone are cut.
    pub(super) fn new(mut entries: Vec<Entry>, room: f64) -> Self {
        let (mut left, mut row) = (0.0, 0);
        let mut places = Vec::with_capacity(entries.len());
        for entry in &mut entries {
            entry.text = FONT.cut(&entry.text, room - entry.mark.width());
            let width = entry.mark.width() + FONT.width(&entry.text);
            if left > 0.0 && left + width > room {
                (left, row) = (0.0, row + 1);
            }
            places.push((left, row));
            left += width + GAP;
        }
        Self { places, entries }
    }

    pub(super) fn height(&self) -> f64 {
        self.places.last().map_or(0.0, |&(_, row)| (row + 1) as f64 * FONT.line())
    }

    pub(super) fn draw(&self, page: &Page<'_>, left: f64, top: f64) -> Drawn {
        for (&(from_left, row), entry) in self.places.iter().zip(&self.entries) {
            let x = left + from_left;
            let y = top + (row as f64 + 0.5) * FONT.line();
            let width = entry.mark.width();
            match entry.mark {
                Mark::Dot => page.dot((x + 3.5, y), 3.0, entry.ink)?,
                Mark::Line(thick) => {
                    page.line(&[(x, y), (x + width - 6.0, y)], thick, entry.ink)?
                }
                Mark::Arrow => page.arrow((x, y), (x + width - 6.0, y), entry.ink, false)?,
            }
            page.text(&entry.text, (x + width, y), FONT, Anchor::Left)?;
        }
        Ok(())
    }
}
