//! Single cells as AnnData stores them: `.h5ad`.

use std::path::{Path, PathBuf};

use rust_hdf5::{H5Dataset, H5File, H5Group};

use super::array::Array;
use super::number::Number;
use super::table::Column;
use crate::error::{Error, Result};

/// Bytes of numbers that a byte of a file can stand for: the best that deflate can do is 1032.
const DENSEST: u64 = 1100;
/// Numbers of a dense matrix that is made of a sparse one, at most.
const LARGEST: usize = 1 << 34;

/// An open `.h5ad` file. What is asked for is read, the rest is not.
///
/// ```no_run
/// use brenier::data::AnnData;
/// let cells = AnnData::open("cells.h5ad".as_ref())?;
/// let pca = cells.embedding("X_pca")?.points::<50>()?;
/// let condition = cells.column("condition")?;
/// # Ok::<(), brenier::Error>(())
/// ```
pub struct AnnData {
    path: PathBuf,
    file: H5File,
    length: u64,
}

impl std::fmt::Debug for AnnData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnnData").field("path", &self.path).finish_non_exhaustive()
    }
}

impl AnnData {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be opened, [`Error::Format`] if it is no HDF5 file.
    pub fn open(path: &Path) -> Result<Self> {
        let data = std::fs::metadata(path).map_err(Error::io("open", path))?;
        let file = H5File::open(path)
            .map_err(|e| Error::format(path, format_args!("not an HDF5 file: {e}")))?;
        Ok(Self { path: path.into(), file, length: data.len() })
    }

    /// The names of the cells.
    ///
    /// # Errors
    /// [`Error::Format`] if there are none.
    pub fn cells(&self) -> Result<Vec<String>> {
        self.index("obs")
    }

    /// The names of the genes (or markers).
    ///
    /// # Errors
    /// [`Error::Format`] if there are none.
    pub fn genes(&self) -> Result<Vec<String>> {
        self.index("var")
    }

    /// X, `[cells, genes]`, dense or from compressed rows or columns.
    ///
    /// # Errors
    /// [`Error::Format`] if it is missing, damaged, or does not fit the names of cells and genes.
    pub fn matrix(&self) -> Result<Array<f32>> {
        self.any_matrix("X", self.genes()?.len())
    }

    /// A layer, `[cells, genes]`, such as raw counts.
    ///
    /// # Errors
    /// As [`matrix`](Self::matrix).
    pub fn layer(&self, name: &str) -> Result<Array<f32>> {
        self.any_matrix(&format!("layers/{name}"), self.genes()?.len())
    }

    /// An embedding of the cells, `[cells, d]`, such as `X_pca`.
    ///
    /// # Errors
    /// As [`matrix`](Self::matrix).
    pub fn embedding(&self, name: &str) -> Result<Array<f32>> {
        self.dense(&format!("obsm/{name}"))
    }

    /// What is known about each cell: numbers, or the names of categories (blank where none is given).
    ///
    /// # Errors
    /// [`Error::Format`] if there is no such column, or it is damaged.
    pub fn column(&self, name: &str) -> Result<Column> {
        let at = format!("obs/{name}");
        if let Ok(codes) = self.dataset(&format!("{at}/codes")) {
            return self.categories(&at, &codes, &format!("{at}/categories"));
        }
        let column = self.dataset(&at)?;
        // As versions before 0.8 wrote them.
        let old = format!("obs/__categories/{name}");
        if self.dataset(&old).is_ok() {
            return self.categories(&at, &column, &old);
        }
        match self.numbers(&at, &column) {
            Ok(numbers) => Ok(Column::Numbers(numbers)),
            Err(_) => Ok(Column::Text(self.said(&at, column.read_strings())?)),
        }
    }

    fn categories(&self, at: &str, codes: &H5Dataset, names: &str) -> Result<Column> {
        let names = self.dataset(names)?;
        let names = match names.read_strings() {
            Ok(names) => names,
            Err(_) => {
                let numbers: Vec<f64> = self.numbers(at, &names)?;
                numbers.iter().map(f64::to_string).collect()
            }
        };
        let name = |code: i64| match usize::try_from(code) {
            Ok(code) => names.get(code).cloned(),
            Err(_) => Some(String::new()),
        };
        let codes: Vec<i64> = self.numbers(at, codes)?;
        let cells: Option<Vec<String>> = codes.into_iter().map(name).collect();
        let unknown = || self.bad(format!("{at} has a code without a category"));
        cells.map(Column::Text).ok_or_else(unknown)
    }

    fn index(&self, axis: &str) -> Result<Vec<String>> {
        let group = self.group(axis)?;
        let name = group.attr_string("_index").unwrap_or_else(|_| "_index".into());
        let at = format!("{axis}/{name}");
        self.said(&at, self.dataset(&at)?.read_strings())
    }

    fn any_matrix(&self, at: &str, genes: usize) -> Result<Array<f32>> {
        let cells = self.cells()?.len();
        let found = match self.dataset(&format!("{at}/indptr")) {
            Ok(starts) => self.sparse(at, &starts, [cells, genes])?,
            Err(_) => self.dense(at)?,
        };
        if found.shape != [cells, genes] {
            let problem = format!("{at} is {:?} for {cells} cells and {genes} genes", found.shape);
            return Err(self.bad(problem));
        }
        Ok(found)
    }

    fn dense(&self, at: &str) -> Result<Array<f32>> {
        let dataset = self.dataset(at)?;
        Array::new(dataset.shape(), self.numbers(at, &dataset)?)
    }

    fn sparse(&self, at: &str, starts: &H5Dataset, [n, m]: [usize; 2]) -> Result<Array<f32>> {
        let by_columns = match self.group(at)?.attr_string("encoding-type").as_deref() {
            Ok("csc_matrix") => true,
            Ok("csr_matrix") => false,
            // As versions before 0.7 wrote it.
            _ => self.group(at)?.attr_string("h5sparse_format").is_ok_and(|f| f == "csc"),
        };
        let read = |name: &str| {
            let at = format!("{at}/{name}");
            self.numbers::<i64>(&at, &self.dataset(&at)?)
        };
        let starts: Vec<i64> = self.numbers(at, starts)?;
        let indices = read("indices")?;
        let values = format!("{at}/data");
        let values: Vec<f32> = self.numbers(&values, &self.dataset(&values)?)?;
        let (lines, width) = if by_columns { (m, n) } else { (n, m) };
        let size = n.checked_mul(m).filter(|s| *s <= LARGEST);
        let (Some(size), true) = (size, starts.len() == lines + 1 && indices.len() == values.len())
        else {
            let problem = format!("{at} does not fit {n} cells and {m} genes, or is too large");
            return Err(self.bad(problem));
        };
        let mut dense = vec![0.0; size];
        let damaged = || self.bad(format!("{at} has indices out of range"));
        for (line, ends) in starts.windows(2).enumerate() {
            let (from, to) = (usize::try_from(ends[0]), usize::try_from(ends[1]));
            let range = from.unwrap_or(usize::MAX)..to.unwrap_or_default();
            let entries = indices.get(range.clone()).zip(values.get(range)).ok_or_else(damaged)?;
            for (i, v) in entries.0.iter().zip(entries.1) {
                let across = usize::try_from(*i).ok().filter(|i| *i < width).ok_or_else(damaged)?;
                let (row, column) = if by_columns { (across, line) } else { (line, across) };
                dense[row * m + column] += v;
            }
        }
        Array::new(vec![n, m], dense)
    }

    /// A dataset, unless it announces more than the file can hold.
    fn dataset(&self, at: &str) -> Result<H5Dataset> {
        let dataset = self.said(at, self.file.dataset(at))?;
        let numbers = dataset.shape().iter().try_fold(1usize, |n, s| n.checked_mul(*s));
        let bytes = numbers.and_then(|n| n.checked_mul(dataset.element_size()));
        match bytes {
            Some(bytes) if bytes as u64 <= DENSEST * self.length => Ok(dataset),
            _ => Err(self.bad(format!("{at} announces more than the file can hold"))),
        }
    }

    /// The numbers of a dataset, of whatever type they are stored in.
    fn numbers<E: Number>(&self, at: &str, dataset: &H5Dataset) -> Result<Vec<E>> {
        let converted: Option<Vec<E>> = match dataset.read_numeric_as::<f64>() {
            Ok(floats) => floats.into_iter().map(E::of_float).collect(),
            Err(_) => {
                let integers = self.said(at, dataset.read_numeric_as::<i128>())?;
                integers.into_iter().map(E::of_integer).collect()
            }
        };
        let kind = std::any::type_name::<E>();
        converted.ok_or_else(|| self.bad(format!("{at} holds a number that is no {kind}")))
    }

    fn group(&self, at: &str) -> Result<H5Group> {
        self.said(at, self.file.root_group().group(at))
    }

    fn said<T>(&self, at: &str, found: rust_hdf5::Result<T>) -> Result<T> {
        found.map_err(|e| self.bad(format!("{at}: {e}")))
    }

    fn bad(&self, problem: String) -> Error {
        Error::format(&self.path, problem)
    }
}
