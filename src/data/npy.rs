//! Arrays of NumPy: `.npy`.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use super::array::Array;
use super::npy_header::Header;
use super::number::{count, decode, fill, Number};
use crate::error::{Error, Result};
use crate::files::write_atomically;

/// The array of an `.npy` file, in row-major order whatever the order of the file.
///
/// Booleans, integers and floats of 16 to 64 bits are read, of either byte order.
///
/// # Errors
/// [`Error::Io`] if the file cannot be opened; [`Error::Format`] if it is no such file, is truncated,
/// holds another type, or a number that `E` cannot hold.
pub fn read_npy<E: Number>(path: &Path) -> Result<Array<E>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    parse(&mut BufReader::new(file)).map_err(|problem| Error::format(path, problem))
}

/// Writes an array as an `.npy` file, atomically.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written.
///
/// ```
/// use brenier::data::{read_npy, write_npy, Array};
/// let folder = tempfile::tempdir()?;
/// let (path, array) = (folder.path().join("x.npy"), Array::new(vec![2, 1], vec![1f32, 2.0])?);
/// write_npy(&path, &array)?;
/// assert_eq!(read_npy::<f32>(&path)?, array);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_npy<E: Number>(path: &Path, array: &Array<E>) -> Result<()> {
    write_atomically(path, &encode(array))
}

pub(super) fn parse<E: Number>(from: &mut impl Read) -> std::result::Result<Array<E>, String> {
    let header = Header::read(from)?;
    let n = count(&header.shape, header.stored)?;
    let values = decode(from, header.stored, header.order, n)?;
    if fill(from, &mut [0])? > 0 {
        return Err(format!("goes on after the {n} numbers that its header announces"));
    }
    let values = if header.columns_first && header.shape.len() > 1 && n > 0 {
        row_major(&header.shape, &values)
    } else {
        values
    };
    Ok(Array { shape: header.shape, values })
}

/// The numbers of a column-major array in row-major order.
fn row_major<E: Number>(shape: &[usize], values: &[E]) -> Vec<E> {
    let mut strides = vec![1; shape.len()];
    for k in 1..shape.len() {
        strides[k] = strides[k - 1] * shape[k - 1];
    }
    let mut index = vec![0; shape.len()];
    let mut out = Vec::with_capacity(values.len());
    while out.len() < values.len() {
        out.push(values[index.iter().zip(&strides).map(|(i, s)| i * s).sum::<usize>()]);
        for k in (0..shape.len()).rev() {
            index[k] += 1;
            if index[k] < shape[k] {
                break;
            }
            index[k] = 0;
        }
    }
    out
}

pub(super) fn encode<E: Number>(array: &Array<E>) -> Vec<u8> {
    let mut bytes = Header::encode::<E>(&array.shape);
    array.values.iter().for_each(|v| v.put(&mut bytes));
    bytes
}
