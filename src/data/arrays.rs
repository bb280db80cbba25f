//! NumPy archives.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};

/// An array of numbers as NumPy wrote it, in double precision.
#[derive(Clone, Debug, PartialEq)]
pub struct NumpyArray {
    /// Sizes of its axes; empty for a scalar.
    pub shape: Vec<usize>,
    /// Its numbers in row-major order.
    pub values: Vec<f64>,
}

/// All arrays of 32- and 64-bit floats in an `.npz` archive (compressed or not), by name. Arrays of
/// other types are left out.
///
/// # Errors
/// [`Error::Io`] if the file cannot be opened, [`Error::Format`] if it is no such archive or an array
/// in it is damaged or stored in column-major order.
pub fn read_npz(path: &Path) -> Result<BTreeMap<String, NumpyArray>> {
    let format = |problem: String| Error::format(path, problem);
    let file = File::open(path).map_err(Error::io("open", path))?;
    let mut archive =
        zip::ZipArchive::new(file).map_err(|e| format(format!("not an npz archive: {e}")))?;
    let mut found = BTreeMap::new();
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).map_err(|e| format(e.to_string()))?;
        let name = entry.name().trim_end_matches(".npy").to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|e| format(format!("{name}: {e}")))?;
        if let Some(array) = parse(&bytes).map_err(|e| format(format!("{name}: {e}")))? {
            found.insert(name, array);
        }
    }
    Ok(found)
}

fn parse(bytes: &[u8]) -> std::result::Result<Option<NumpyArray>, String> {
    let npy = npyz::NpyFile::new(bytes).map_err(|e| e.to_string())?;
    let shape: Vec<usize> = npy.shape().iter().map(|&s| s as usize).collect();
    if npy.order() == npyz::Order::Fortran && shape.len() > 1 {
        return Err("column-major order is not supported; save np.ascontiguousarray(a)".into());
    }
    let npyz::DType::Plain(kind) = npy.dtype() else { return Ok(None) };
    let values: std::io::Result<Vec<f64>> = match (kind.type_char(), kind.size_field()) {
        (npyz::TypeChar::Float, 8) => npy.into_vec::<f64>(),
        (npyz::TypeChar::Float, 4) => {
            npy.into_vec::<f32>().map(|v| v.into_iter().map(f64::from).collect())
        }
        _ => return Ok(None),
    };
    Ok(Some(NumpyArray { shape, values: values.map_err(|e| e.to_string())? }))
}
