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
//! | [`FnCost`] | a closure of yours | |
//!
//! The first two, [`PNorm`] and [`NegDot`] have a twist ([`TwistCost`]): with them the gradient of a
//! potential is a map.
//!
//! A cost is a type, so the factor ½ is in its name. Laws, which the tests check for all of them:
//! `paired` is the diagonal of `pairwise`, and the gradient agrees with differences.

mod angular;
mod cost;
mod euclidean;
mod p_norm;

pub use crate::ops::{CostForm, RowCost, TwistCost};
pub use angular::{Cosine, NegDot};
pub use cost::{Cost, FnCost};
pub use euclidean::{Euclidean, HalfSqEuclidean, SqEuclidean};
pub use p_norm::PNorm;

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
