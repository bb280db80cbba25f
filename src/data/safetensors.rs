//! Arrays of safetensors files, of any number type.

use std::collections::BTreeMap;
use std::path::Path;

use ::safetensors::tensor::{Dtype, SafeTensors};

use super::array::Array;
use super::number::{decode, Number, Order, Stored};
use crate::error::{Error, Result};

/// All arrays of a safetensors file by name, converted to `E`: f16 weights can be asked for as `f32`.
/// Reading parameters of a module, of which nothing may be missing, is
/// [`weights::load`](crate::train::weights::load).
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Format`] if it is damaged, holds types without a
/// number of whole bytes, or a number that `E` cannot hold.
pub fn read_safetensors<E: Number>(path: &Path) -> Result<BTreeMap<String, Array<E>>> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|e| Error::format(path, format_args!("not a safetensors file: {e}")))?;
    let mut found = BTreeMap::new();
    for (name, view) in file.tensors() {
        let problem = |p: String| Error::format(path, format_args!("{name}: {p}"));
        let stored = stored(view.dtype())
            .ok_or_else(|| problem(format!("{:?} is not read", view.dtype())))?;
        let n = view.data().len() / stored.size();
        let values = decode(&mut view.data(), stored, Order::Little, n).map_err(problem)?;
        let array = Array::new(view.shape().to_vec(), values)?;
        found.insert(name, array);
    }
    Ok(found)
}

fn stored(kind: Dtype) -> Option<Stored> {
    Some(match kind {
        Dtype::BOOL => Stored::Bool,
        Dtype::U8 => Stored::U8,
        Dtype::U16 => Stored::U16,
        Dtype::U32 => Stored::U32,
        Dtype::U64 => Stored::U64,
        Dtype::I8 => Stored::I8,
        Dtype::I16 => Stored::I16,
        Dtype::I32 => Stored::I32,
        Dtype::I64 => Stored::I64,
        Dtype::F16 => Stored::F16,
        Dtype::BF16 => Stored::Bf16,
        Dtype::F32 => Stored::F32,
        Dtype::F64 => Stored::F64,
        _ => return None,
    })
}
