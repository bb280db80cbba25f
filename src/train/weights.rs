//! The parameters of a module as a safetensors file, which Python reads:
//!
//! ```python
//! from safetensors.torch import load_file
//! weights = load_file("map.safetensors")  # {"first.weight": [H, I], "first.bias": [H], …}
//! ```
//!
//! Names are the paths of the fields (`hidden.0.weight`); a weight of a dense layer is
//! `[outputs, inputs]`, as in PyTorch. State dicts of PyTorch are read by [`load_state_dict`].

use std::path::Path;

use ::safetensors::tensor::{Dtype as FileDtype, SafeTensors, TensorView};
use dfdx::prelude::*;

use crate::data::read_safetensors;
use crate::error::{CheckpointProblem, Error, Result};
use crate::files;
use crate::function::{arrays, replace, NamedArray};

/// Writes all arrays of a module, atomically.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written; one that was there is then as it was.
pub fn save<P, D: Device<f32>>(path: &Path, module: &P) -> Result<()>
where
    P: TensorCollection<f32, D>,
{
    let arrays: Vec<NamedArray<f32>> = arrays(module);
    let views: std::result::Result<Vec<_>, _> = arrays
        .iter()
        .map(|a| {
            let bytes = bytemuck::cast_slice(&a.values);
            Ok((&a.name, TensorView::new(FileDtype::F32, a.shape.clone(), bytes)?))
        })
        .collect();
    let bytes = views
        .and_then(|views| ::safetensors::serialize(views, None))
        .map_err(|e| Error::io("encode", path)(std::io::Error::other(e)))?;
    files::write_atomically(path, &bytes)
}

/// Replaces all arrays of a module by those of a file, which must hold exactly these, in 32 bits.
///
/// # Errors
/// [`Error::Io`], [`Error::Format`] if the file is no safetensors file or holds other number types,
/// [`Error::Checkpoint`] with every misfit by name; the module is then as it was.
pub fn load<P, D: Device<f32>>(path: &Path, module: &mut P) -> Result<()>
where
    P: TensorCollection<f32, D>,
{
    let found = read(path)?;
    replace(module, &found).map_err(|p| Error::checkpoint(path, CheckpointProblem::Mismatch(p)))
}

/// Replaces all arrays of a module by those of a state dict that PyTorch saved (`safetensors.torch`), in any
/// number type, by name. `rename` turns a name of the file into one of the module, or into nothing for an
/// array that is to be left out; the counters of batch normalisation (`num_batches_tracked`), which have
/// no use here, are left out first. Networks of [`function::image`](crate::function::image) have the names
/// of their originals:
///
/// ```no_run
/// # use brenier::function::{build, image::{AsImage, UNet}};
/// # use brenier::prelude::*;
/// let mut map: AsImage<3, 64, 64, UNet<3, 3, 48, 96, 192, 384>> = build(Key::new(0));
/// weights::load_state_dict("map.safetensors".as_ref(), &mut map, |name| Some(name.into()))?;
/// // Saved from inside of `DataParallel`, with an array that this network has not.
/// weights::load_state_dict("map.safetensors".as_ref(), &mut map, |name| {
///     let name = name.strip_prefix("module.").unwrap_or(name);
///     (name != "sigma").then(|| name.into())
/// })?;
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::Io`]; [`Error::Format`] if the file is no safetensors file, or two of its names become one;
/// [`Error::Checkpoint`] with every array that is missing, unknown or of another shape, by name; the
/// module is then as it was.
pub fn load_state_dict<P, D: Device<f32>>(
    path: &Path,
    module: &mut P,
    rename: impl Fn(&str) -> Option<String>,
) -> Result<()>
where
    P: TensorCollection<f32, D>,
{
    let mut found: Vec<NamedArray<f32>> = Vec::new();
    for (name, array) in read_safetensors::<f32>(path)? {
        if name.ends_with("num_batches_tracked") {
            continue;
        }
        let Some(renamed) = rename(&name) else { continue };
        if found.iter().any(|other| other.name == renamed) {
            let problem = format!("{name} and another array are both renamed to {renamed}");
            return Err(Error::format(path, problem));
        }
        found.push(NamedArray { name: renamed, shape: array.shape, values: array.values });
    }
    replace(module, &found).map_err(|p| Error::checkpoint(path, CheckpointProblem::Mismatch(p)))
}

/// All arrays of a safetensors file with 32-bit numbers, in the order of their names.
///
/// # Errors
/// [`Error::Io`], [`Error::Format`].
pub fn read(path: &Path) -> Result<Vec<NamedArray<f32>>> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|e| Error::format(path, format_args!("not a safetensors file: {e}")))?;
    let mut found = Vec::new();
    for (name, view) in file.tensors() {
        if view.dtype() != FileDtype::F32 {
            let problem = format!("{name} holds {:?}, 32-bit floats wanted", view.dtype());
            return Err(Error::format(path, problem));
        }
        let numbers = view.data().chunks_exact(4);
        let values = numbers.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        found.push(NamedArray { name, shape: view.shape().to_vec(), values });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}
