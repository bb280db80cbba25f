//! The names that an estimator or a training script needs.
//!
//! Those of `dfdx` that come up most are among them; import others by name, since some names
//! (`AdamConfig`, …) are also in `dfdx::prelude`.

pub use crate::data::{GaussianMixture, KnownPair};
pub use crate::error::{Error, Result};
pub use crate::function::{
    build, pretrain_identity, AdamConfig, Clip, ConditionalPotential, Decay, DenseIcnn,
    Displacement, FreeMap, GradientMap, InputGradient, Joined, Learner, MapNetwork, Mlp, Negated,
    NegativeAbs, NegativeSoftplus, NonPositive, OnSphere, PlusHalfSquare, Positive, Potential,
    PotentialMap, ResidualMlp, Schedule, StochasticMap, TransportMap, Velocity, VelocityMlp,
    ZeroPotential,
};
pub use crate::geometry::{
    Cosine, Cost, DistanceKernel, Euclidean, FnCost, GaussianKernel, HalfSqEuclidean, KernelCost,
    LaplacianKernel, NegDot, PNorm, RowCost, Scaled, SqEuclidean, WeakQuadratic,
};
pub use crate::neural::{
    batch_dual_init, batch_dual_step, enot_init, enot_step, flow_matching_init, flow_matching_step,
    it_init, it_step, kernel_not_init, kernel_not_step, monge_gap_init, monge_gap_step,
    noised_not_init, noised_not_step, not_ae_init, not_ae_step, not_init, not_step,
    regressed_dual_init, regressed_dual_step, regularised_dual_init, regularised_dual_step,
    w2_dual_init, w2_dual_step, weak_not_init, weak_not_step, Amortisation, BatchDualConfig,
    BatchDualMetrics, BatchDualState, Conjugation, EnotConfig, EnotMetrics, EnotState, Fitting,
    FlowMatchingConfig, FlowMatchingMetrics, FlowMatchingState, ItConfig, ItMetrics, ItState,
    KernelNotConfig, KernelNotMetrics, KernelNotState, Mapped, MongeGap, MongeGapConfig,
    MongeGapMetrics, MongeGapState, Noise, NoiseLaw, NoiseWeight, NoisedNotConfig,
    NoisedNotMetrics, NoisedNotState, NotAeConfig, NotAeMetrics, NotAeState, NotConfig, NotMetrics,
    NotState, Penalty, Ramp, Readings, RegressedDualConfig, RegressedDualMetrics,
    RegressedDualState, RegularisedDualConfig, RegularisedDualMetrics, RegularisedDualState,
    SourceUse, State, Turns, Unbalanced, UnbalancedConfig, W2DualConfig, W2DualMetrics,
    W2DualState, WeakNotConfig, WeakNotMetrics, WeakNotState,
};
pub use crate::ops::{Celu, Gelu, Identity, LeakyRelu, Relu, Silu, Softplus};
pub use crate::problem::{Batch, Sampled, Sampler};
pub use crate::random::Key;
pub use crate::score::{baselines, map_error, MapError};
pub use crate::tensor::{points, rows, values, Points, Scalar, Taped, Values};
pub use crate::train::{
    back_and_forth, checkpoint, every, guard, guard_finite, repeat, reversed, run, weights,
    with_ema, with_unbalanced, Averaged, Course, CsvLog, GuardConfig, GuardMetrics, Guarded,
    Observe, OverSeeds, Progress, Rollback, Step, UnbalancedMetrics,
};

pub use dfdx::prelude::{
    BuildModule, Const, Cpu, HasShape, MeanTo, Module, SumTo, Tensor, TensorCollection,
};
