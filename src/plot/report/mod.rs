//! A run on one page that a browser shows without a network.

mod cells;
mod machine;
mod pictures;
#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::path::Path;

use html_escape::encode_text;
use serde::Serialize;

use self::cells::{flatten, is_number, short};
use self::machine::environment;
use self::pictures::{figure, kind, pictures_below};
use super::axis::Scale;
use super::curves::{Curve, CurvePicture};
use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::train::read_log;

const STYLE: &str = include_str!("report.css");

/// One self-contained HTML file about a run: what was asked, what was seen, what came out, and how to
/// do it again. Pictures are embedded, nothing is fetched, no script is run.
///
/// Sections appear in the order in which they are added; each method appends one. The machine is
/// described at the end. Equal sections give equal bytes on one machine.
///
/// ```
/// use brenier::plot::Report;
/// let page = Report::new("A run <1>")
///     .text("Two Gaussians.")
///     .table("Errors", &["map", "L2-UVP, %"], &[vec!["identity".into(), "44.5".into()]])
///     .command("Again", "cargo run --release --example quickstart")
///     .to_html();
/// assert!(page.contains("<h1>A run &lt;1&gt;</h1>") && page.contains(">44.5</td>"));
/// ```
#[derive(Clone, Debug)]
pub struct Report {
    title: String,
    body: String,
}

impl Report {
    /// A page with nothing but a title.
    pub fn new(title: &str) -> Self {
        Self { title: title.into(), body: String::new() }
    }

    /// Adds a heading; the parts that follow belong to it.
    #[must_use]
    pub fn heading(self, text: &str) -> Self {
        self.add(format_args!("<h2>{}</h2>\n", encode_text(text)))
    }

    /// Adds a paragraph.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.add(format_args!("<p>{}</p>\n", encode_text(text)))
    }

    /// Adds a command line, to copy.
    #[must_use]
    pub fn command(self, name: &str, command: &str) -> Self {
        let (name, command) = (encode_text(name), encode_text(command));
        self.add(format_args!("<h2>{name}</h2>\n<pre><code>{command}</code></pre>\n"))
    }

    /// Adds the command line of this process, program and arguments as they were given, but for
    /// `--resume`: it says how to make the whole run again.
    #[must_use]
    pub fn this_command(self) -> Self {
        let quoted = |word: String| {
            let plain = |c: char| c.is_alphanumeric() || "-_./=,:+@".contains(c);
            if !word.is_empty() && word.chars().all(plain) {
                return word;
            }
            format!("'{}'", word.replace('\'', r"'\''"))
        };
        let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
        let words: Vec<String> = words.filter(|word| word != "--resume").map(quoted).collect();
        self.command("Command", &words.join(" "))
    }

    /// Adds a table. Columns whose cells all start like numbers are set to the right; rows may be
    /// shorter than the header.
    #[must_use]
    pub fn table(self, name: &str, header: &[&str], rows: &[Vec<String>]) -> Self {
        let numeric = |column: usize| {
            let mut cells = rows.iter().filter_map(|row| row.get(column)).peekable();
            cells.peek().is_some() && cells.all(|cell| is_number(cell))
        };
        let classes: Vec<&str> =
            (0..header.len()).map(|i| if numeric(i) { " class=number" } else { "" }).collect();
        let mut text = format!("<table>\n<caption>{}</caption>\n<tr>", encode_text(name));
        for (cell, class) in header.iter().zip(&classes) {
            add(&mut text, format_args!("<th{class}>{}</th>", encode_text(cell)));
        }
        for row in rows {
            text.push_str("</tr>\n<tr>");
            for (cell, class) in row.iter().zip(&classes) {
                add(&mut text, format_args!("<td{class}>{}</td>", encode_text(cell)));
            }
        }
        self.add(format_args!("{text}</tr>\n</table>\n"))
    }

    /// Adds a Markdown table under a name; lines that are no rows become paragraphs. Bold and code marks
    /// are taken off.
    #[must_use]
    pub fn markdown(self, name: &str, text: &str) -> Self {
        let plain = |cell: &str| cell.trim().replace("**", "").replace('`', "").replace("\\|", "|");
        let cells = |line: &str| -> Vec<String> {
            // A bar that is escaped divides no cells.
            let line = line.trim().trim_matches('|').replace("\\|", "\u{0}");
            line.split('|').map(|cell| plain(cell).replace('\u{0}', "|")).collect()
        };
        let (rows, others): (Vec<&str>, Vec<&str>) = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .partition(|line| line.trim_start().starts_with('|'));
        let rule = |line: &&str| !line.chars().all(|c| "|-: ".contains(c));
        let mut rows = rows.into_iter().filter(rule).map(cells);
        let header = rows.next().unwrap_or_default();
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        let page = self.table(name, &header, &rows.collect::<Vec<_>>());
        others.into_iter().fold(page, |page, line| page.text(&plain(line)))
    }

    /// Adds the table of a CSV file; numbers are cut to four digits.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is no table.
    pub fn csv(self, name: &str, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read(path).map_err(Error::io("read", path))?;
        let mut reader = csv::Reader::from_reader(&text[..]);
        let header = reader.headers().map_err(|e| Error::format(path, e))?.clone();
        let mut rows = Vec::new();
        for row in reader.records() {
            rows.push(row.map_err(|e| Error::format(path, e))?.iter().map(short).collect());
        }
        Ok(self.table(name, &header.iter().collect::<Vec<_>>(), &rows))
    }

    /// Adds the fields of a configuration, one a row, under the dotted names by which settings files and
    /// the command line know them.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if the configuration does not serialise.
    pub fn settings<C: Serialize>(self, name: &str, config: &C) -> Result<Self> {
        let value = serde_json::to_value(config).map_err(|e| Error::InvalidConfig {
            field: "settings",
            value: e.to_string(),
            rule: "must serialise as a table with string keys",
        })?;
        let mut rows = Vec::new();
        flatten(String::new(), &value, &mut rows);
        Ok(self.table(name, &["setting", "value"], &rows))
    }

    /// Adds a picture, SVG, PNG or JPEG by its extension, with a caption below.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Format`] for another extension.
    pub fn picture(self, caption: &str, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let kind = kind(path)
            .ok_or_else(|| Error::format(path, "a picture of a report is .svg, .png or .jpg"))?;
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        Ok(self.add(format_args!("{}", figure(caption, kind, &bytes))))
    }

    /// Adds all pictures below a folder, in the order of their paths, which are the captions.
    ///
    /// # Errors
    /// Those of [`picture`](Self::picture); [`Error::Io`] if the folder cannot be read.
    pub fn pictures(mut self, folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        for path in pictures_below(folder)? {
            let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
            self = self.picture(&name, &path)?;
        }
        Ok(self)
    }

    /// Adds the columns of a log that [`CsvLog`](crate::train::CsvLog) wrote, a small picture each.
    /// Columns without a finite number are named below.
    ///
    /// # Errors
    /// Those of [`read_log`].
    pub fn log(self, path: impl AsRef<Path>) -> Result<Self> {
        let mut pictures = String::new();
        let mut empty = Vec::new();
        for column in read_log(path.as_ref())? {
            let name = column.name.replace('_', " ");
            let curves = vec![Curve { name: name.clone(), points: column.points }];
            let x_label = "step".into();
            match (CurvePicture { x_label, scale: Scale::Linear, curves, ..Default::default() })
                .to_svg()
            {
                Ok(svg) => pictures.push_str(&figure(&name, "svg+xml", svg.as_bytes())),
                Err(_) => empty.push(name),
            }
        }
        let page = self.add(format_args!("<div class=curves>\n{pictures}</div>\n"));
        Ok(match empty.is_empty() {
            true => page,
            false => page.text(&format!("Without a finite number: {}.", empty.join(", "))),
        })
    }

    /// The page.
    pub fn to_html(&self) -> String {
        let title = encode_text(&self.title);
        let machine = Self::new("").table("Environment", &["", ""], &environment());
        format!(
            "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n\
             <meta name=viewport content=\"width=device-width\">\n<title>{title}</title>\n\
             <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{}{}</body>\n</html>\n",
            self.body, machine.body
        )
    }

    /// Writes the page; folders are created, an older file is replaced atomically.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        write_atomically(path.as_ref(), self.to_html().as_bytes())
    }

    fn add(mut self, text: std::fmt::Arguments<'_>) -> Self {
        add(&mut self.body, text);
        self
    }
}

/// Appends, which cannot fail for a string.
fn add(to: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = to.write_fmt(text);
}
