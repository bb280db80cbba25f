//! Points that stay in their `.npy` file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::npy_header::Header;
use super::number::{count, decode};
use crate::error::{check_count, Error, Result};
use crate::problem::Sampler;
use crate::random::Key;
use crate::tensor::{points, Points};

/// The empirical measure of the rows of an `.npy` file of shape `[n, …]` with `N` numbers a row, of any
/// number type. Rows are read when they are drawn: memory is that of a batch, however large the file.
///
/// ```
/// use brenier::data::{write_npy, Array, NpyRows};
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("embeddings.npy");
/// write_npy(&path, &Array::new(vec![3, 2], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0])?)?;
/// let rows = NpyRows::<2>::open(&path)?;
/// assert_eq!(brenier::tensor::rows(&rows.gather(&[2, 0])?), [4.0, 5.0, 0.0, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct NpyRows<const N: usize> {
    path: PathBuf,
    file: Mutex<File>,
    header: Header,
    /// Where the numbers start.
    start: u64,
    n: usize,
}

impl<const N: usize> NpyRows<N> {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be opened; [`Error::Format`] if it is no such file, of another length than
    /// its header says, in column-major order, without rows, or its rows have another number of elements.
    pub fn open(path: &Path) -> Result<Self> {
        let bad = |problem: String| Error::format(path, problem);
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let header = Header::read(&mut file).map_err(bad)?;
        let start = file.stream_position().map_err(Error::io("read", path))?;
        let length = file.metadata().map_err(Error::io("look at", path))?.len();
        let numbers = count(&header.shape, header.stored).map_err(bad)?;
        let n = header.shape.first().copied().unwrap_or_default();
        if N == 0 || n == 0 || n.checked_mul(N) != Some(numbers) {
            return Err(bad(format!("has shape {:?}, rows of {N} numbers wanted", header.shape)));
        }
        if header.columns_first && header.shape.len() > 1 {
            return Err(bad("is in column-major order; save np.ascontiguousarray(a)".into()));
        }
        let wanted = start + (numbers * header.stored.size()) as u64;
        if length != wanted {
            return Err(bad(format!("has {length} bytes where its header announces {wanted}")));
        }
        Ok(Self { path: path.into(), file: Mutex::new(file), header, start, n })
    }

    /// How many rows, at least one.
    pub fn count(&self) -> usize {
        self.n
    }

    /// The rows of the given indices, in this order.
    ///
    /// # Errors
    /// [`Error::Shape`] if one is missing or there are none; [`Error::Io`], [`Error::Format`] if the file changed
    /// meanwhile; [`Error::NonFinite`] for a number that is not finite.
    pub fn gather(&self, indices: &[usize]) -> Result<Points<N>> {
        let size = N * self.header.stored.size();
        let mut rows = Vec::with_capacity(indices.len() * N);
        let mut bytes = vec![0; size];
        // A panic of another reader leaves a position, which is set anew.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        for &i in indices {
            if i >= self.n {
                return Err(Error::shape("row of a file", format!("an index below {}", self.n), i));
            }
            let at = self.start + (i as u64) * size as u64;
            let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut bytes));
            read.map_err(Error::io("read", &self.path))?;
            let row =
                decode::<f32>(&mut bytes.as_slice(), self.header.stored, self.header.order, N);
            rows.extend(row.map_err(|problem| Error::format(&self.path, problem))?);
        }
        points(rows)
    }
}

impl<const N: usize> Sampler<N> for NpyRows<N> {
    fn sample(&self, key: Key, n: usize) -> Result<Points<N>> {
        check_count("sample size", n)?;
        self.gather(&key.indices(n, self.n))
    }
}
