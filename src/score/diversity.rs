//! How many different images a stochastic map gives a point.

use dfdx::prelude::*;

use crate::error::{check_count, Result};
use crate::function::StochasticMap;
use crate::geometry::{check_samples, conditional_variance};
use crate::neural::Noise;
use crate::problem::Sampler;
use crate::random::Key;
use crate::tensor::{points, rows};

/// Conditional variance and distance of a stochastic map; both grow with γ in weak transport.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diversity {
    /// E Var(T(x, z) | x), the sum over coordinates.
    pub variance: f64,
    /// E|x − T(x, z)|².
    pub square_distance: f64,
}

/// The diversity at `n` fresh points of the source, with [`Noise::samples`] images of each.
///
/// # Errors
/// Those of the sampler; `InvalidConfig` for `n = 0` or fewer than two images.
pub fn diversity<const N: usize, const Z: usize>(
    map: &impl StochasticMap<N, Z>,
    noise: &Noise,
    source: &impl Sampler<N>,
    key: Key,
    n: usize,
) -> Result<Diversity> {
    check_count("points of a score", n)?;
    check_samples(noise.samples)?;
    let [of_points, of_noise] = key.split();
    let x = rows(&source.sample(of_points, n)?);
    let x: Vec<f32> = x.chunks_exact(N).flat_map(|row| row.repeat(noise.samples)).collect();
    let z = noise.draw::<Z, f32, Cpu>(&Cpu::default(), of_noise, n * noise.samples);
    let images = rows(&map.forward((points::<N>(x.clone())?, z)));
    let squares = images.iter().zip(&x).map(|(y, x)| f64::from(y - x).powi(2));
    Ok(Diversity {
        variance: conditional_variance(&images, N, noise.samples),
        square_distance: squares.sum::<f64>() / (n * noise.samples) as f64,
    })
}
