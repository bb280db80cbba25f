//! The names that an estimator or a training script needs.
//!
//! Those of `dfdx` that come up most are among them; import others by name, since some names
//! (`AdamConfig`, …) are also in `dfdx::prelude`.

pub use crate::data::{GaussianMixture, KnownPair};
pub use crate::error::{Error, Result};
pub use crate::function::{
    build, pretrain_identity, AdamConfig, Clip, Decay, DenseIcnn, Displacement, FreeMap,
    GradientMap, InputGradient, Learner, MapNetwork, Mlp, Negated, PlusHalfSquare, Potential,
    PotentialMap, ResidualMlp, Schedule, TransportMap, Velocity, VelocityMlp,
};
pub use crate::geometry::{
    Cosine, Cost, Euclidean, FnCost, HalfSqEuclidean, NegDot, PNorm, RowCost, SqEuclidean,
};
pub use crate::neural::{
    batch_dual_init, batch_dual_step, enot_init, enot_step, flow_matching_init, flow_matching_step,
    monge_gap_init, monge_gap_step, not_init, not_step, regularised_dual_init,
    regularised_dual_step, w2_dual_init, w2_dual_step, Amortisation, BatchDualConfig,
    BatchDualMetrics, BatchDualState, Conjugation, EnotConfig, EnotMetrics, EnotState, Fitting,
    FlowMatchingConfig, FlowMatchingMetrics, FlowMatchingState, Mapped, MongeGap, MongeGapConfig,
    MongeGapMetrics, MongeGapState, NotConfig, NotMetrics, NotState, Penalty, Readings,
    RegularisedDualConfig, RegularisedDualMetrics, RegularisedDualState, SourceUse, State,
    W2DualConfig, W2DualMetrics, W2DualState,
};
pub use crate::ops::{Celu, Gelu, Identity, LeakyRelu, Relu, Silu, Softplus};
pub use crate::problem::{Batch, Sampled, Sampler};
pub use crate::random::Key;
pub use crate::score::{baselines, map_error, MapError};
pub use crate::tensor::{points, rows, values, Points, Scalar, Taped, Values};
pub use crate::train::{
    back_and_forth, checkpoint, every, guard, guard_finite, repeat, reversed, run, weights,
    with_ema, Averaged, Course, CsvLog, GuardConfig, GuardMetrics, Guarded, Observe, OverSeeds,
    Progress, Rollback, Step,
};

pub use dfdx::prelude::{
    BuildModule, Const, Cpu, HasShape, MeanTo, Module, SumTo, Tensor, TensorCollection,
};
