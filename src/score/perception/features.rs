//! The feature layers of AlexNet and VGG16.

use std::path::Path;

use super::map::{check_images, Map};
use super::unit::{Pool, Unit};
use super::weights::Weights;
use crate::data::ImageShape;
use crate::error::{Error, Result};

/// Means and deviations of the channels of ImageNet, for images in [−1, 1].
pub(super) const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
pub(super) const SCALE: [f32; 3] = [0.458, 0.448, 0.450];

/// Images that pass through a network at a time.
pub(super) const BATCH: usize = 16;

/// A network of features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backbone {
    /// The torchvision AlexNet: taps after each of its five ReLUs, of 64, 192, 384, 256, 256 channels.
    AlexNet,
    /// The torchvision VGG16: taps relu1_2, relu2_2, relu3_3, relu4_3, relu5_3, of 64, 128, 256, 512, 512
    /// channels.
    Vgg16,
}

#[derive(Clone, Debug)]
enum Layer {
    /// Whether its output is a tap.
    Unit(Unit, bool),
    Pool(Pool),
}

/// Layers with their weights. Feature maps are those after the taps of [`Backbone`].
#[derive(Clone, Debug)]
pub struct Features {
    backbone: Backbone,
    layers: Vec<Layer>,
}

impl Backbone {
    /// Channels of the five taps.
    pub fn channels(self) -> [usize; 5] {
        match self {
            Self::AlexNet => [64, 192, 384, 256, 256],
            Self::Vgg16 => [64, 128, 256, 512, 512],
        }
    }

    /// The layers by their index in `features` of torchvision.
    fn layers(self) -> Vec<(usize, Layer)> {
        let same = |i: usize, inputs, outputs, tap| {
            (i, Layer::Unit(Unit::new(inputs, outputs, [3, 3]).same(), tap))
        };
        match self {
            Self::AlexNet => {
                let first = Unit { padding: [2, 2], ..Unit::new(3, 64, [11, 11]).stride(4) };
                vec![
                    (0, Layer::Unit(first, true)),
                    (2, Layer::Pool(Pool::THREE_BY_TWO)),
                    (3, Layer::Unit(Unit::new(64, 192, [5, 5]).same(), true)),
                    (5, Layer::Pool(Pool::THREE_BY_TWO)),
                    same(6, 192, 384, true),
                    same(8, 384, 256, true),
                    same(10, 256, 256, true),
                ]
            }
            Self::Vgg16 => {
                let (mut at, mut inputs, mut layers) = (0, 3, Vec::new());
                for (depth, outputs) in [2, 2, 3, 3, 3].into_iter().zip(self.channels()) {
                    for i in 1..=depth {
                        layers.push(same(at, inputs, outputs, i == depth));
                        (at, inputs) = (at + 2, outputs);
                    }
                    if layers.len() < 17 {
                        layers.push((at, Layer::Pool(Pool::HALVE)));
                        at += 1;
                    }
                }
                layers
            }
        }
    }
}

impl Features {
    /// Reads the weights from a safetensors file with the names of torchvision (`features.0.weight`, …) in
    /// any floating type.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] if an array is missing, of another shape, or not finite.
    pub fn load(path: &Path, backbone: Backbone) -> Result<Self> {
        Self::of(&Weights::read(path)?, backbone)
    }

    pub(super) fn of(weights: &Weights, backbone: Backbone) -> Result<Self> {
        let with_weights = |(i, layer)| match layer {
            Layer::Unit(unit, tap) => {
                Ok(Layer::Unit(weights.biased(&format!("features.{i}"), unit)?, tap))
            }
            pool => Ok(pool),
        };
        let layers = backbone.layers().into_iter().map(with_weights).collect::<Result<_>>()?;
        Ok(Self { backbone, layers })
    }

    /// Which network.
    pub fn backbone(&self) -> Backbone {
        self.backbone
    }

    /// The last tap, averaged over positions, of images `[n, 3·H·W]` in [−1, 1]: `[n, C]`. An embedding for
    /// [`frechet_distance`](crate::score::frechet_distance), of 256 (AlexNet) or 512 (VGG16) numbers.
    ///
    /// # Errors
    /// [`Error::Shape`] unless these are whole images of three channels, large enough for the network;
    /// [`Error::NonFinite`] for a number that is not finite.
    pub fn pooled(&self, shape: ImageShape, rows: &[f32]) -> Result<Vec<f32>> {
        check_images("images", shape, rows)?;
        self.check_size(shape, 5)?;
        let mut out = Vec::new();
        for batch in rows.chunks(BATCH * shape.numbers()) {
            let taps = self.taps(Map::from_planes(shape, batch, SHIFT, SCALE), 5);
            out.extend(taps.last().map(Map::means).unwrap_or_default());
        }
        Ok(out)
    }

    /// Refuses images too small for the first `wanted` taps.
    pub(super) fn check_size(&self, shape: ImageShape, wanted: usize) -> Result<()> {
        let mut size = Some([shape.height, shape.width]);
        for layer in self.until(wanted) {
            size = size.and_then(|s| match layer {
                Layer::Unit(unit, _) => unit.output_size(s),
                Layer::Pool(pool) => pool.output_size(s),
            });
        }
        let found = format!("{} × {}", shape.height, shape.width);
        let small =
            || Error::shape("images", format!("enough pixels for {:?}", self.backbone), found);
        size.map(drop).ok_or_else(small)
    }

    /// The layers up to tap number `wanted`.
    fn until(&self, wanted: usize) -> &[Layer] {
        let tap =
            |(i, layer): (usize, &Layer)| matches!(layer, Layer::Unit(_, true)).then_some(i + 1);
        let mut taps = self.layers.iter().enumerate().filter_map(tap);
        &self.layers[..wanted.checked_sub(1).and_then(|k| taps.nth(k)).unwrap_or(0)]
    }

    /// The first `wanted` taps.
    pub(super) fn taps(&self, x: Map, wanted: usize) -> Vec<Map> {
        let (mut taps, mut here) = (Vec::new(), x);
        for layer in self.until(wanted) {
            here = match layer {
                Layer::Unit(unit, _) => unit.run(&here),
                Layer::Pool(pool) => pool.largest(&here),
            };
            if matches!(layer, Layer::Unit(_, true)) {
                taps.push(here.clone());
            }
        }
        taps
    }

    /// The input and the outputs of all layers up to tap `wanted`.
    pub(super) fn trace(&self, x: Map, wanted: usize) -> Vec<Map> {
        let mut maps = vec![x];
        for layer in self.until(wanted) {
            let here = &maps[maps.len() - 1];
            maps.push(match layer {
                Layer::Unit(unit, _) => unit.run(here),
                Layer::Pool(pool) => pool.largest(here),
            });
        }
        maps
    }

    /// The taps among the maps of a trace.
    pub(super) fn taps_of<'a>(&self, trace: &'a [Map]) -> Vec<&'a Map> {
        let outputs = self.layers.iter().zip(trace.iter().skip(1));
        outputs.filter(|(l, _)| matches!(l, Layer::Unit(_, true))).map(|(_, map)| map).collect()
    }

    /// The gradient in the input, given the maps of a trace and the gradients in its taps, in their order.
    pub(super) fn pull(&self, trace: &[Map], mut slopes: Vec<Map>) -> Option<Map> {
        let mut slope: Option<Map> = None;
        for i in (0..trace.len().saturating_sub(1)).rev() {
            let (layer, x, y) = (&self.layers[i], &trace[i], &trace[i + 1]);
            if matches!(layer, Layer::Unit(_, true)) {
                slope = match (slope, slopes.pop()) {
                    (Some(mut from_above), Some(own)) => {
                        let pairs = from_above.values.iter_mut().zip(&own.values);
                        pairs.for_each(|(a, o)| *a += o);
                        Some(from_above)
                    }
                    (from_above, own) => from_above.or(own),
                };
            }
            slope = slope.map(|s| match layer {
                Layer::Unit(unit, _) => unit.pull(x, y, s),
                Layer::Pool(pool) => pool.pull_largest(x, y, &s),
            });
        }
        slope
    }
}
