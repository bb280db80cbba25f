//! Measures to sample, benchmark pairs with known maps, readers, and transforms.
//!
//! | read | from | as |
//! |---|---|---|
//! | [`read_npy`], [`Npz`], [`read_npz`] | NumPy | [`Array`] |
//! | [`read_safetensors`] | safetensors of any number type | [`Array`] |
//! | [`read_idx`] | MNIST and its relatives, gzipped or not | [`Array`] |
//! | [`read_table`] | CSV and TSV with headers | [`Table`] |
//! | `AnnData` (feature `h5ad`) | single cells, `.h5ad` | [`Array`], [`Column`] |
//! | [`read_cifar_binary`], [`read_cifar_sheet`] | CIFAR | [`Images`] |
//! | [`read_image_folder`] | PNG and JPEG files | [`ImageFolder`] |
//!
//! Readers allocate what they read, never what a header promises, and refuse what they do not
//! understand. [`Samples`] makes a measure of what was read, [`NpyRows`] one of what stays in its file; [`Epochs`] visits every sample once an epoch, and
//! [`prefetch`] makes batches ahead without changing them. [`Standardised`] and [`Pca`] can be undone.

mod array;
mod cifar;
mod decode;
mod epochs;
mod folder;
mod gaussian_mixture;
#[cfg(feature = "h5ad")]
mod h5ad;
mod idx;
mod images;
mod known_pair;
mod npy;
mod npy_header;
mod npy_rows;
mod npz;
mod number;
mod pca;
mod plane_measure;
mod prefetch;
mod safetensors;
mod samples;
mod standardised;
mod table;
pub mod transform;
mod von_mises_fisher;
mod w2_benchmark;

pub use array::Array;
pub use cifar::{read_cifar_binary, read_cifar_sheet, read_label_list, Cifar};
pub use epochs::{Epochs, Remainder};
pub use folder::{read_image_folder, BadFile, Fit, FolderConfig, ImageFolder, Planes};
pub use gaussian_mixture::GaussianMixture;
#[cfg(feature = "h5ad")]
pub use h5ad::AnnData;
pub use idx::read_idx;
pub use images::{ImageShape, Images, Layout, PixelRange};
pub use known_pair::{ConvexGradient, KnownPair, LogSumExp, PushForward};
pub use npy::{read_npy, write_npy};
pub use npy_rows::NpyRows;
pub use npz::{read_npz, write_npz, Npz};
pub use number::Number;
pub use pca::Pca;
pub use plane_measure::PlaneMeasure;
pub use prefetch::{prefetch, Prefetched};
pub use safetensors::read_safetensors;
pub use samples::Samples;
pub use standardised::Standardised;
pub use table::{read_table, Column, Delimiter, Table};
pub use von_mises_fisher::VonMisesFisher;
pub use w2_benchmark::w2_benchmark_pair;
