//! The high-dimensional pairs of the Wasserstein-2 benchmark, arXiv:2106.01954, read from files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::known_pair::{ConvexGradient, KnownPair};
use super::GaussianMixture;
use super::{read_npz, Array};
use crate::error::{Error, Result};
use crate::function::NamedArray;
use crate::ops::{Celu, Icnn, Scratch};
use crate::train::weights;

/// β with which the benchmark evaluates its networks.
const STRONG_CONVEXITY: f64 = 0.01;

/// ∇v₁ + ∇v₂ of the two networks of a pair.
#[derive(Debug)]
struct TwoNetworks(usize, [Vec<Vec<f32>>; 2]);

/// The pair "Mix3toMix10" of dimension `N` from `folder`, which holds the networks
/// (`mix3to10_d{N}.safetensors`: `v1`, `v2`) and the constants of the benchmark (`ref_d{N}.npz`:
/// `mix_centers`, `mix_maps`, `mix_std`, `bench_shift`, `bench_scale`, `output_var`).
///
/// # Errors
/// [`Error::Io`] if a file is missing (the message names it), [`Error::Format`] if one lacks an array
/// or holds one of another shape than dimension `N` asks for.
pub fn w2_benchmark_pair<const N: usize>(folder: &Path) -> Result<KnownPair<N>> {
    let networks_file = folder.join(format!("mix3to10_d{N}.safetensors"));
    let arrays = weights::read(&networks_file)?;
    let network = |name| network::<N>(&networks_file, &arrays, name);
    let psi = TwoNetworks(N, [network("v1")?, network("v2")?]);

    let constants_file = folder.join(format!("ref_d{N}.npz"));
    let constants = Constants { found: read_npz(&constants_file)?, path: constants_file };
    let (deviation, scale) = (constants.scalar("mix_std")?, constants.scalar("bench_scale")?);
    let maps = constants.take("mix_maps", &[3, N, N])?;
    let source = GaussianMixture::new(
        constants.take("mix_centers", &[3, N])?,
        maps.iter().map(|m| m * deviation).collect(),
    )?;
    let variance = constants.scalar("output_var")?;
    let shift = constants.take("bench_shift", &[N])?;
    KnownPair::with_target_variance(source, Arc::new(psi), shift, scale, variance.into())
}

/// The arrays of one network in the order that `Icnn` wants.
fn network<const N: usize>(
    path: &Path,
    arrays: &[NamedArray<f32>],
    name: &str,
) -> Result<Vec<Vec<f32>>> {
    let take = |suffix: String| {
        let full = format!("{name}.{suffix}");
        let found = arrays.iter().find(|a| a.name == full);
        found.map(|a| a.values.clone()).ok_or_else(|| Error::format(path, format!("no {full}")))
    };
    let mut out = Vec::new();
    for i in 0..3 {
        if i > 0 {
            out.push(take(format!("convex_layers.{}.weight", i - 1))?);
        }
        out.push(take(format!("quadratic_layers.{i}.quadratic_decomposed"))?);
        out.push(take(format!("quadratic_layers.{i}.weight"))?);
        out.push(take(format!("quadratic_layers.{i}.bias"))?);
    }
    out.push(take("final_layer.weight".into())?);
    match icnn(N, &out) {
        Some(_) => Ok(out),
        None => Err(Error::format(path, format!("{name} is no network of dimension {N}"))),
    }
}

fn icnn(inputs: usize, arrays: &[Vec<f32>]) -> Option<Icnn<f32>> {
    let arrays: Vec<Scratch<f32>> = arrays.iter().map(|a| Scratch::copy_of(a)).collect();
    Icnn::from_arrays(inputs, &arrays, STRONG_CONVEXITY)
}

impl ConvexGradient for TwoNetworks {
    fn gradient(&self, rows: &[f32]) -> Vec<f32> {
        let one = |arrays| icnn(self.0, arrays).map(|net| net.gradients::<Celu>(rows));
        let (first, second) = (one(&self.1[0]), one(&self.1[1]));
        let pairs = first.into_iter().flatten().zip(second.into_iter().flatten());
        pairs.map(|(a, b)| a + b).collect()
    }
}

struct Constants {
    path: PathBuf,
    found: BTreeMap<String, Array>,
}

impl Constants {
    fn scalar(&self, name: &str) -> Result<f32> {
        let missing = || Error::format(&self.path, format!("{name} is empty"));
        self.take(name, &[])?.first().copied().ok_or_else(missing)
    }

    fn take(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        match self.found.get(name) {
            None => Err(Error::format(&self.path, format!("no array {name}"))),
            Some(a) if a.shape != shape => {
                let problem = format!("{name} has shape {:?}, {shape:?} wanted", a.shape);
                Err(Error::format(&self.path, problem))
            }
            Some(a) => Ok(a.values.iter().map(|&v| v as f32).collect()),
        }
    }
}
