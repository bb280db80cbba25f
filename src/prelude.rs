//! The names that an estimator or a training script needs.
//!
//! Those of `dfdx` that come up most are among them; import others by name, since some names
//! (`AdamConfig`, …) are also in `dfdx::prelude`.

pub use crate::data::{GaussianMixture, KnownPair};
pub use crate::error::{Error, Result};
pub use crate::function::{
    build, pretrain_identity, AdamConfig, Clip, Decay, DenseIcnn, Displacement, GradientMap,
    InputGradient, Learner, Mlp, Negated, Potential, ResidualMlp, Schedule, TransportMap,
};
pub use crate::geometry::{
    Cosine, Cost, Euclidean, FnCost, HalfSqEuclidean, NegDot, PNorm, RowCost, SqEuclidean,
};
pub use crate::neural::{
    monge_gap_init, monge_gap_step, not_init, not_step, Fitting, Mapped, MongeGap, MongeGapConfig,
    MongeGapMetrics, MongeGapState, NotConfig, NotMetrics, NotState, Readings, SourceUse, State,
};
pub use crate::ops::{Celu, Gelu, Identity, LeakyRelu, Relu, Silu, Softplus};
pub use crate::problem::{Batch, Sampled, Sampler};
pub use crate::random::Key;
pub use crate::score::{baselines, map_error, MapError};
pub use crate::tensor::{points, rows, Points, Scalar, Taped, Values};
pub use crate::train::{
    checkpoint, every, guard_finite, repeat, run, weights, with_ema, Averaged, CsvLog, Observe,
    Progress, Step,
};

pub use dfdx::prelude::{
    BuildModule, Const, Cpu, HasShape, MeanTo, Module, SumTo, Tensor, TensorCollection,
};
