//! Readers, transforms, statistics of features, pictures.

#[path = "../common/mod.rs"]
mod common;
mod frechet;
#[cfg(feature = "h5ad")]
mod h5ad;
#[cfg(feature = "plot")]
mod pictures;
mod readers;
mod transforms;
