//! Costs as the kernels know them: scale · form(x, y).

use crate::error::{Error, Result};
use crate::ops::CostForm;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct DeviceCost {
    /// Part of the names of modules.
    pub(super) form: &'static str,
    pub(super) scale: f64,
    /// The exponent of powers.
    pub(super) p: f64,
    /// Whether points are divided by their lengths first.
    pub(super) directions: bool,
}

/// Costs that are read from a matrix.
pub(super) const STORED: DeviceCost =
    DeviceCost { form: "stored", scale: 1.0, p: 1.0, directions: false };

impl DeviceCost {
    pub(super) fn new(form: CostForm) -> Result<Self> {
        let plain = DeviceCost { form: "square", ..STORED };
        match form {
            CostForm::SquaredDistance { scale } => Ok(Self { scale, ..plain }),
            CostForm::Distance => Ok(Self { form: "distance", ..plain }),
            CostForm::PowerSum { p } => Ok(Self { form: "power", scale: 1.0 / p, p, ..plain }),
            CostForm::NegativeProduct => Ok(Self { form: "product", ..plain }),
            CostForm::Cosine => Ok(Self { form: "cosine", directions: true, ..plain }),
            CostForm::Other => Err(Error::config(
                "cost",
                "a function",
                "has no kernel on CUDA devices: use a named cost, or its matrix",
            )),
        }
    }
}
