//! The methods, each a function from training cells to a map.

use brenier::geometry::{Elastic, L1};
use brenier::prelude::*;
use brenier::problem::Discrete;
use brenier::solver::{sinkhorn, Epsilon, Gaussian, SinkhornConfig};
use clap::ValueEnum;

use crate::cells::Part;
use crate::training::{flow_between, gap, icnn, Training};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// Other cells of the target, which no map moved: what sampling alone makes of every score.
    Observed,
    /// T(x) = x.
    Identity,
    /// The difference of the means added.
    MeanShift,
    /// The optimal map between Gaussians with the moments of the cells (Bures).
    Linear,
    /// The entropic map of the training cells, ε = 0.05 of the mean cost.
    Entropic,
    /// A perceptron with the fitting loss only.
    Mlp,
    /// The Monge gap with the distance as cost.
    MgEuclidean,
    /// The Monge gap with the squared distance.
    MgSquared,
    /// The Monge gap with one minus the cosine.
    MgCosine,
    /// The Monge gap with an elastic cost, ½|x − y|² + 0.1 Σ|xᵢ − yᵢ|.
    MgElastic,
    /// The Monge gap with the squared distance on unbalanced batches.
    Umg,
    /// The dual of input-convex networks, minimax.
    Icnn,
    /// The same on unbalanced batches.
    UotIcnn,
    /// A flow, trained on exact pairs of minibatches.
    OtFm,
    /// The same on unbalanced batches.
    UotFm,
}

/// Cells, row by row, at a share of the way from where they are to where they go.
pub type Way = Box<dyn Fn(&[f32], f64) -> Result<Vec<f32>>>;

/// For cells and their images, the logarithm of the mass that one becomes.
pub type Growth = Box<dyn Fn(&[f32], &[f32]) -> Result<Vec<f64>>>;

/// What training gives.
pub struct Learned {
    pub way: Way,
    /// Of methods on unbalanced batches.
    pub growth: Option<Growth>,
}

impl Learned {
    /// Of a map: cells move straight and at constant speed.
    pub fn map(map: impl Fn(&[f32]) -> Result<Vec<f32>> + 'static) -> Self {
        let way = move |x: &[f32], share: f64| {
            let mut at = map(x)?;
            let share = share as f32;
            at.iter_mut().zip(x).for_each(|(y, x)| *y = x + share * (*y - x));
            Ok(at)
        };
        Self { way: Box::new(way), growth: None }
    }

    /// T(x).
    pub fn moved(&self, x: &[f32]) -> Result<Vec<f32>> {
        (self.way)(x, 1.0)
    }
}

impl Method {
    /// The name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |v| v.get_name().into())
    }

    /// The map of these training cells. `I` is the width of the input of a velocity: N, and numbers of the
    /// time.
    pub fn fit<const N: usize, const I: usize>(
        self,
        part: &Part<N>,
        t: &Training,
    ) -> Result<Learned> {
        match self {
            Self::Observed => {
                let cells = part.target.clone();
                Ok(Learned::map(move |x| Ok(cells.iter().cycle().take(x.len()).copied().collect())))
            }
            Self::Identity => Ok(Learned::map(|x| Ok(x.to_vec()))),
            Self::MeanShift | Self::Linear => {
                let (p, q) = (Gaussian::fit(&part.source, N)?, Gaussian::fit(&part.target, N)?);
                let mut map = p.optimal_map(&q)?;
                if self == Self::MeanShift {
                    map.matrix.fill_with_identity();
                    map.offset = &q.mean - &p.mean;
                }
                Ok(Learned::map(move |x| Ok(map.apply(x))))
            }
            Self::Entropic => {
                let problem = Discrete::clouds(&SqEuclidean, &part.source, &part.target, N)?;
                let config =
                    SinkhornConfig { epsilon: Epsilon::RelativeToMean(0.05), ..Default::default() };
                let map =
                    sinkhorn(&config, &problem, None)?.entropic_map(&problem, &SqEuclidean)?;
                Ok(Learned::map(move |x| map.forward(x)))
            }
            Self::Mlp => gap(part, t, SqEuclidean, 0.0, false),
            Self::MgEuclidean => gap(part, t, Euclidean, 1.0, false),
            Self::MgSquared => gap(part, t, SqEuclidean, 1.0, false),
            Self::MgCosine => gap(part, t, Cosine, 10.0, false),
            Self::MgElastic => gap(part, t, Elastic(L1::new(0.1)?), 1.0, false),
            Self::Umg => gap(part, t, SqEuclidean, 1.0, true),
            Self::Icnn => icnn(part, t, false),
            Self::UotIcnn => icnn(part, t, true),
            Self::OtFm => flow_between::<N, I>(part, t, false),
            Self::UotFm => flow_between::<N, I>(part, t, true),
        }
    }
}
