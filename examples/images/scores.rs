//! What is said of images.

use brenier::prelude::*;

/// Named scores of a map.
pub struct Scores(pub Vec<(&'static str, f64)>);

impl Readings for Scores {
    fn readings(&self) -> Vec<(&'static str, f64)> {
        self.0.clone()
    }
}

impl std::fmt::Display for Scores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|(name, value)| write!(f, "  {name} {value:.4}"))
    }
}
