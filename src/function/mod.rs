//! What is learned: potentials, maps, their networks, and the learner that moves them.
//!
//! A potential is any `dfdx` module `[n, N] -> [n, 1]` ([`Potential`]), a map any module
//! `[n, N] -> [n, N]` ([`TransportMap`]). The networks here are those modules with an operation of
//! their own; modules of `dfdx` and of users fit as well.
//!
//! | network | type | as |
//! |---|---|---|
//! | perceptron | [`Mlp<I, H, K, O, A>`](Mlp) | potential with [`InputGradient`] (`O = 1`), map (`O = I`) |
//! | residual perceptron | [`ResidualMlp<I, H, K, O, A>`](ResidualMlp) | the same |
//! | input-convex network | [`DenseIcnn<N, H, K, L, A>`](DenseIcnn) | potential with [`InputGradient`] |
//! | x + M(x) | [`Displacement<M>`](Displacement) | map |
//! | ∇f | [`GradientMap<F>`](GradientMap) | map |
//! | −f | [`Negated<F>`](Negated) | potential |
//! | ½\|x\|² + f | [`PlusHalfSquare<F>`](PlusHalfSquare) | potential |
//! | f with the map it makes with a cost | [`PotentialMap<F>`](PotentialMap) | potential, [`MapNetwork`] |
//! | a map in the same place | [`FreeMap<M>`](FreeMap) | [`MapNetwork`] |
//! | x − ∇h*(M(x)) | [`ConjugateMap<M>`](ConjugateMap) | map |
//! | r M(x) / \|M(x)\| | [`OnSphere<M>`](OnSphere) | map |
//! | networks of images and volumes | [`image`] | maps and potentials |
//! | (x, z) ↦ F(x, z) of F with N + Z inputs | [`Joined<Z, M, F>`](Joined) | [`StochasticMap`], [`ConditionalPotential`] |
//! | (x, c) ↦ F(x, planes of c); the first N of the numbers of F | [`WithPlanes`], [`Leading`] | networks of images as the same |
//! | −\|f\|, −log(1 + eᶠ), 0 | [`NegativeAbs<F>`](NegativeAbs), [`NegativeSoftplus<F>`](NegativeSoftplus), [`ZeroPotential`] | [`NonPositive`] potential |
//!
//! A velocity field is any module of places, times and conditions, `([n, N], [n], q) -> [n, N]`
//! ([`Velocity`]); [`VelocityMlp`] is one that is a perceptron.
//!
//! Maps of perceptrons also say how far their Jacobian is from symmetric ([`Asymmetry`]).

mod adam;
mod icnn;
pub mod image;
mod joined;
mod learner;
mod map_network;
mod mlp;
mod module;
mod on_sphere;
mod parameters;
mod planes;
mod potential;
mod pretrain;
mod record;
mod schedule;
mod sign;
mod structure;
mod velocity;
mod velocity_mlp;
mod visitors;
mod wrapped;

pub use adam::{AdamConfig, Clip, Decay};
pub use icnn::{ConvexLayer, ConvexQuadratic, DenseIcnn};
pub use joined::{ConditionalPotential, Joined, StochasticMap};
pub use learner::{Descent, Learner};
pub use map_network::{FreeMap, MapFor, MapNetwork, PotentialMap};
pub use mlp::{Mlp, ResidualMlp};
pub use on_sphere::OnSphere;
pub use parameters::{arrays, build, replace, NamedArray};
pub use planes::{Leading, WithPlanes};
pub use potential::{
    Displacement, GradientMap, InputGradient, Negated, PlusHalfSquare, Potential, TransportMap,
};
pub use pretrain::{pretrain_affine, pretrain_identity};
pub use record::{Persist, Record};
pub use schedule::Schedule;
pub use sign::{NegativeAbs, NegativeSoftplus, NonPositive, Positive, ZeroPotential};
pub use structure::{Asymmetry, ConjugateMap};
pub use velocity::{Condition, Velocity};
pub use velocity_mlp::VelocityMlp;
