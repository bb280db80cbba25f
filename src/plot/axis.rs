//! One axis: the interval it shows and where a value lies on it.

use serde::{Deserialize, Serialize};

/// How values are laid out along an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scale {
    /// Equal differences are equally long.
    #[default]
    Linear,
    /// Equal ratios are equally long; only positive values have a place.
    Log,
}

/// Larger magnitudes are left out of pictures, as infinities are: their differences may overflow.
const LARGEST: f64 = 1e300;

impl Scale {
    /// Whether a picture can place `value`.
    pub(super) fn places(self, value: f64) -> bool {
        value.abs() <= LARGEST && (self == Self::Linear || value > 0.0)
    }

    fn of(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => value.log10(),
        }
    }
}

/// An interval of an axis, never empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) scale: Scale,
    /// First value shown; for [`Scale::Log`] its decimal logarithm.
    pub(super) low: f64,
    /// Last value shown; for [`Scale::Log`] its decimal logarithm.
    pub(super) high: f64,
}

impl Axis {
    /// The interval that holds the two values, which the scale must [place](Scale::places), widened
    /// by the share `margin` at both ends. Values (nearly) equal get an interval around them.
    pub(super) fn covering(scale: Scale, low: f64, high: f64, margin: f64) -> Self {
        let (low, high) = (scale.of(low.min(high)), scale.of(low.max(high)));
        let size = low.abs().max(high.abs());
        let resolved = match scale {
            // Below that, ticks would need more digits than a label holds.
            Scale::Linear => high - low > (1e-9 * size).max(1e-290),
            Scale::Log => high - low > 1e-3,
        };
        let margin = match (resolved, scale) {
            (true, _) => margin * (high - low),
            (false, Scale::Linear) if size > 1e-280 => 0.1 * size,
            (false, Scale::Linear) => 1.0,
            (false, Scale::Log) => 0.5,
        };
        Self { scale, low: low - margin, high: high + margin }
    }

    /// Where `value` lies: 0 at the first value shown, 1 at the last.
    pub(super) fn share(&self, value: f64) -> f64 {
        (self.scale.of(value) - self.low) / (self.high - self.low)
    }

    /// Length of the interval (in decades for [`Scale::Log`]).
    pub(super) fn span(&self) -> f64 {
        self.high - self.low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_middle() {
        let axis = Axis::covering(Scale::Linear, 10.0, -10.0, 0.0);
        assert_eq!([-10.0, 0.0, 10.0].map(|v| axis.share(v)), [0.0, 0.5, 1.0]);
        let axis = Axis::covering(Scale::Log, 1e-4, 1e4, 0.0);
        assert_eq!([1e-4, 1.0, 1e4].map(|v| axis.share(v)), [0.0, 0.5, 1.0]);
        assert_eq!(axis.span(), 8.0);
    }

    #[test]
    fn equal_and_extreme_values_get_a_proper_interval() {
        let smallest = f64::from_bits(1);
        for v in [0.0, 1.0, -3.0, 1e300, -1e300, smallest, 1e-300, 1e-285] {
            let axis = Axis::covering(Scale::Linear, v, v, 0.05);
            assert!(axis.span() > 0.0 && axis.span().is_finite(), "{axis:?}");
            assert!((axis.share(v) - 0.5).abs() < 1e-6, "{axis:?}");
            if v > 0.0 {
                let axis = Axis::covering(Scale::Log, v, v, 0.05);
                assert!((axis.share(v) - 0.5).abs() < 1e-6, "{axis:?}");
            }
        }
        let axis = Axis::covering(Scale::Linear, -1e300, 1e300, 0.05);
        assert!(axis.span().is_finite());
        assert!(!Scale::Linear.places(f64::NAN) && !Scale::Linear.places(f64::INFINITY));
        assert!(!Scale::Log.places(0.0) && !Scale::Log.places(-1.0) && Scale::Log.places(1e-300));
    }
}
