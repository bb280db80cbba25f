//! Tables of text: CSV and TSV with headers.

use std::collections::HashSet;
use std::path::Path;

use super::array::Array;
use crate::error::{Error, Result};

/// What separates the cells of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// `,`
    Comma,
    /// A tabulator.
    Tab,
    /// `;`
    Semicolon,
}

impl Delimiter {
    /// Tabulators for files ending in `tsv` or `txt`, commas otherwise.
    pub fn of(path: &Path) -> Self {
        match path.extension().and_then(|e| e.to_str()) {
            Some(e) if e.eq_ignore_ascii_case("tsv") || e.eq_ignore_ascii_case("txt") => Self::Tab,
            _ => Self::Comma,
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Tab => b'\t',
            Self::Semicolon => b';',
        }
    }
}

/// The cells of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Every cell is a number (`nan` and `inf` are; an empty cell is not).
    Numbers(Vec<f64>),
    /// Some cell is none.
    Text(Vec<String>),
}

/// Columns by name, all of one length.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    names: Vec<String>,
    columns: Vec<Column>,
    rows: usize,
}

/// Reads a table whose first line names its columns. Cells may be quoted; blanks around them are cut
/// off. A first column without a name, as pandas and R write row names, is named `index`.
///
/// # Errors
/// [`Error::Io`] if the file cannot be opened; [`Error::Format`] with the line if a line has another
/// number of cells than the header, if a name is blank or comes twice, or if the text is not UTF-8.
pub fn read_table(path: &Path, delimiter: Delimiter) -> Result<Table> {
    let file = std::fs::File::open(path).map_err(Error::io("open", path))?;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter.byte())
        .trim(csv::Trim::All)
        .from_reader(file);
    let bad = |e: csv::Error| Error::format(path, e);
    let mut names: Vec<String> = reader.headers().map_err(bad)?.iter().map(str::to_owned).collect();
    if let Some(first) = names.first_mut().filter(|n| n.is_empty()) {
        *first = "index".into();
    }
    let mut seen = HashSet::new();
    for (i, name) in names.iter().enumerate() {
        if name.is_empty() || !seen.insert(name) {
            let problem = format!("column {} is named {name:?}: blank, or taken", i + 1);
            return Err(Error::format(path, problem));
        }
    }
    if names.is_empty() {
        return Err(Error::format(path, "no line that names columns"));
    }
    let mut columns = vec![Column::Numbers(Vec::new()); names.len()];
    let mut rows = 0;
    for record in reader.records() {
        let record = record.map_err(bad)?;
        columns.iter_mut().zip(&record).for_each(|(column, cell)| column.push(cell));
        rows += 1;
    }
    Ok(Table { names, columns, rows })
}

impl Column {
    fn push(&mut self, cell: &str) {
        match self {
            Self::Text(cells) => cells.push(cell.to_owned()),
            Self::Numbers(numbers) => match cell.parse() {
                Ok(number) => numbers.push(number),
                // Rust writes the shortest text that parses to the same number.
                Err(_) => {
                    let mut cells: Vec<String> = numbers.iter().map(f64::to_string).collect();
                    cells.push(cell.to_owned());
                    *self = Self::Text(cells);
                }
            },
        }
    }
}

impl Table {
    /// The names of the columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// A column.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is none of this name; the message lists those that there are.
    pub fn column(&self, name: &str) -> Result<&Column> {
        let found = self.names.iter().position(|n| n == name);
        let missing = || Error::shape(format!("column {name:?}"), "a name", self.names.join(", "));
        found.map(|i| &self.columns[i]).ok_or_else(missing)
    }

    /// Columns of numbers side by side: `[rows, names]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if one is missing or holds text, [`Error::NonFinite`] if a number is.
    pub fn numbers(&self, names: &[&str]) -> Result<Array<f32>> {
        let mut values = vec![0.0; self.rows * names.len()];
        for (k, name) in names.iter().enumerate() {
            let Column::Numbers(column) = self.column(name)? else {
                return Err(Error::shape(format!("column {name:?}"), "numbers", "text"));
            };
            for (i, &v) in column.iter().enumerate() {
                let number = v as f32;
                if !number.is_finite() {
                    return Err(Error::NonFinite {
                        what: format!("row {i} of column {name}"),
                        value: v,
                        step: None,
                        remedy: "clean the table, or leave the column out",
                    });
                }
                values[i * names.len() + k] = number;
            }
        }
        Array::new(vec![self.rows, names.len()], values)
    }

    /// The rows whose cell in a column of text is `value`, such as those of one condition. Numbers are
    /// compared as they are written by Rust.
    ///
    /// # Errors
    /// As [`column`](Self::column).
    pub fn rows_where(&self, name: &str, value: &str) -> Result<Vec<usize>> {
        let matches: Vec<bool> = match self.column(name)? {
            Column::Text(cells) => cells.iter().map(|c| c == value).collect(),
            Column::Numbers(numbers) => numbers.iter().map(|n| n.to_string() == value).collect(),
        };
        Ok((0..self.rows).filter(|&i| matches[i]).collect())
    }
}
