//! What it costs to move.
//!
//! | cost | c(x, y) | named elsewhere |
//! |---|---|---|
//! | [`SqEuclidean`] | \|x − y\|² | POT, ott-jax default |
//! | [`HalfSqEuclidean`] | ½\|x − y\|² | geomloss `p = 2`, the ½ of Brenier's theorem |
//! | [`Euclidean`] | \|x − y\| | geomloss `p = 1` |
//! | [`PNorm`] | Σᵢ\|xᵢ − yᵢ\|ᵖ / p | ott-jax `PNormP` |
//! | [`Cosine`] | 1 − ⟨x, y⟩ / (\|x\|\|y\|) | |
//! | [`NegDot`] | −⟨x, y⟩ | the maximin form of the Wasserstein-2 benchmark |
//! | [`Elastic`] | ½\|x − y\|² + r(x − y), with [`L1`] or [`Stvs`] | ott-jax `RegTICost` |
//! | [`DistanceKernel`], [`GaussianKernel`], [`LaplacianKernel`] | ½\|u(x) − u(y)\|² of a [`Kernel`] | geomloss kernel norms |
//! | [`Scaled`] | a multiple of another | |
//! | [`FnCost`] | a closure of yours | |
//! | [`FnDifference`] | h(x − y), closures of yours | ott-jax `TICost` |
//!
//! Weak costs are between a point and a measure ([`WeakCost`]): [`WeakQuadratic`] and [`KernelCost`].
//!
//! The first two, [`PNorm`] and [`NegDot`] have a twist ([`TwistCost`]): with them the gradient of a
//! potential is a map.
//!
//! A cost is a type, so the factor ½ is in its name. Laws, which the tests check for all of them:
//! `paired` is the diagonal of `pairwise`, and the gradient agrees with differences. Costs of x − y are
//! [`TranslationInvariant`]: they also know the gradient of the convex conjugate.

mod angular;
mod cost;
mod elastic;
mod euclidean;
mod kernel;
mod named;
mod p_norm;
mod scaled;
mod translation;
mod weak;

pub use crate::ops::{CostForm, RowCost, TwistCost};
pub use angular::{Cosine, NegDot};
pub use cost::{Cost, FnCost};
pub use elastic::{Elastic, Regulariser, Stvs, L1};
pub use euclidean::{Euclidean, HalfSqEuclidean, SqEuclidean};
pub use kernel::{DistanceKernel, GaussianKernel, Kernel, LaplacianKernel};
pub use p_norm::PNorm;
pub use scaled::Scaled;
pub use translation::{FnDifference, TranslationInvariant};
pub(crate) use weak::check_samples;
pub use weak::{conditional_variance, weak_costs, KernelCost, WeakCost, WeakQuadratic};

/// Σᵢ term(i) over `n` terms in eight interleaved sums, which the compiler keeps in one register.
#[inline(always)]
fn sum<E: crate::ops::Real>(n: usize, term: impl Fn(usize) -> E) -> E {
    const LANES: usize = 8;
    let mut lanes = [E::zero(); LANES];
    let full = n - n % LANES;
    for i in (0..full).step_by(LANES) {
        for (j, lane) in lanes.iter_mut().enumerate() {
            *lane += term(i + j);
        }
    }
    let rest = (full..n).fold(E::zero(), |s, i| s + term(i));
    lanes.iter().fold(rest, |s, l| s + *l)
}
