//! The weights of a network by their names in torchvision.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::unit::Unit;
use crate::data::{read_safetensors, Array};
use crate::error::{Error, Result};

/// What batch normalisation adds to a variance in Inception.
const VARIANCE: f32 = 1e-3;

pub(super) struct Weights {
    path: PathBuf,
    arrays: BTreeMap<String, Array<f32>>,
}

impl Weights {
    pub(super) fn read(path: &Path) -> Result<Self> {
        Ok(Self { path: path.into(), arrays: read_safetensors(path)? })
    }

    fn has(&self, name: &str) -> bool {
        self.arrays.contains_key(name)
    }

    /// An array, which must have the shape.
    pub(super) fn take(&self, name: &str, shape: &[usize]) -> Result<&[f32]> {
        let problem = match self.arrays.get(name) {
            None => format!("no array {name}"),
            Some(a) if a.shape != shape => {
                format!("{name} has shape {:?}, {shape:?} wanted", a.shape)
            }
            Some(a) if a.values.iter().any(|v| !v.is_finite()) => {
                format!("{name} holds numbers that are not finite")
            }
            Some(a) => return Ok(&a.values),
        };
        Err(Error::format(&self.path, problem))
    }

    /// A convolution with a bias, `name.weight` and `name.bias`.
    pub(super) fn biased(&self, name: &str, unit: Unit) -> Result<Unit> {
        let weights = self.take(&format!("{name}.weight"), &unit.weight_shape())?.to_vec();
        let bias = self.take(&format!("{name}.bias"), &[unit.outputs])?.to_vec();
        Ok(Unit { weights, bias, ..unit })
    }

    /// A convolution followed by batch normalisation in its evaluation form, folded into weights and bias:
    /// `name.conv.weight`, or `weight_u8`, `weight_scale`, `weight_min` with w = min + scale · u8;
    /// `name.bn.{bias, running_mean, running_var}` and, if it is not one, `name.bn.weight`.
    pub(super) fn normalised(&self, name: &str, unit: Unit) -> Result<Unit> {
        let shape = unit.weight_shape();
        let full = |part: &str| format!("{name}.{part}");
        let mut weights = if self.has(&full("conv.weight_u8")) {
            let scale = self.take(&full("conv.weight_scale"), &[1])?[0];
            let least = self.take(&full("conv.weight_min"), &[1])?[0];
            let codes = self.take(&full("conv.weight_u8"), &shape)?;
            codes.iter().map(|v| least + scale * v).collect()
        } else {
            self.take(&full("conv.weight"), &shape)?.to_vec()
        };
        let one = |part: &str| self.take(&full(part), &[unit.outputs]);
        let (mean, variance) = (one("bn.running_mean")?, one("bn.running_var")?);
        let mut bias = one("bn.bias")?.to_vec();
        let gain = if self.has(&full("bn.weight")) { Some(one("bn.weight")?) } else { None };
        let len = weights.len() / unit.outputs;
        for (o, weights) in weights.chunks_exact_mut(len).enumerate() {
            let factor = gain.map_or(1.0, |g| g[o]) / (variance[o] + VARIANCE).sqrt();
            weights.iter_mut().for_each(|w| *w *= factor);
            bias[o] -= mean[o] * factor;
        }
        if bias.iter().any(|b| !b.is_finite()) {
            return Err(Error::format(
                &self.path,
                format_args!("{name}.bn has a negative variance"),
            ));
        }
        Ok(Unit { weights, bias, ..unit })
    }
}
