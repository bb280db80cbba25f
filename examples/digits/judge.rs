//! Scores of what a map makes of held-out digits.

use std::path::Path;

use brenier::data::transform::random_hues;
use brenier::data::{PixelRange, Samples};
use brenier::prelude::*;
use brenier::score::{diversity, hue_distances, used_share};
use dfdx::prelude::{Cpu, Module};

use crate::classifier::Classifier;
use crate::coloured::{brightness, coloured, grid, NUMBERS};
use crate::mnist::{gather, Digits, PIXELS};
use crate::session::Scores;

/// f above this counts as 0: a hundredth of a usual range of the potential.
const UNUSED: f64 = 0.02;
/// Images of a point that diversity is measured with, and points.
const IMAGES: usize = 8;
const POINTS: usize = 64;

/// Held-out digits with what judges their images.
pub struct Judge {
    source: Vec<f32>,
    target: Vec<f32>,
    /// The digit that each image should show.
    wanted: Vec<u8>,
    classifier: Classifier<PIXELS>,
}

impl Judge {
    /// Of a source and a target; the images should show `digit`, else what they were.
    pub fn new(
        source: &Digits,
        target: &Digits,
        digit: Option<u8>,
        classifier: Classifier<PIXELS>,
        most: usize,
    ) -> Result<Self> {
        let [which, of_source, of_target] = Key::new(7).split();
        let chosen = which.indices(most.min(source.labels.len()), source.labels.len());
        let grey = gather(&source.images, &chosen);
        let hued = |grey: &[f32], key: Key| coloured(grey, &random_hues(key, grey.len() / PIXELS));
        Ok(Self {
            source: hued(&grey, of_source)?,
            target: hued(&target.images, of_target)?,
            wanted: chosen.iter().map(|i| digit.unwrap_or(source.labels[*i])).collect(),
            classifier,
        })
    }

    /// What a map without noise gives.
    pub fn images(&self, map: &impl TransportMap<NUMBERS>) -> Result<Vec<f32>> {
        Ok(rows(&map.forward(points::<NUMBERS>(self.source.clone())?)))
    }

    /// What a map with noise gives, one image a point.
    pub fn noisy_images(
        &self,
        map: &impl StochasticMap<NUMBERS, PIXELS>,
        noise: &Noise,
    ) -> Result<Vec<f32>> {
        let x = points::<NUMBERS>(self.source.clone())?;
        let n = self.source.len() / NUMBERS;
        let z = noise.draw::<PIXELS, f32, Cpu>(&Cpu::default(), Key::new(8), n);
        Ok(rows(&Module::<(Points<NUMBERS>, Points<PIXELS>)>::forward(map, (x, z))))
    }

    /// `cost` mean ½|x − T(x)|², `colour_kept` the share of images whose hues moved by less than 0.1,
    /// `right` the share that shows the digit it should, `frechet` the distance to held-out targets.
    pub fn scores(&self, images: &[f32]) -> Result<Scores> {
        let n = (images.len() / NUMBERS) as f64;
        let squares = self.source.iter().zip(images).map(|(x, y)| f64::from(x - y).powi(2));
        let hues = hue_distances(&self.source, images, NUMBERS, PixelRange::Symmetric)?;
        let grey = brightness(images);
        let classes = self.classifier.classes(&grey)?;
        let right = classes.iter().zip(&self.wanted).filter(|(c, w)| c == w).count();
        Ok(Scores(vec![
            ("cost", 0.5 * squares.sum::<f64>() / n),
            ("colour_kept", hues.iter().filter(|h| **h < 0.1).count() as f64 / n),
            ("right", right as f64 / n),
            ("frechet", self.classifier.distance(&grey, &brightness(&self.target))?),
        ]))
    }

    /// E Var T(x, ·) and E|x − T(x, z)|² too.
    pub fn noisy_scores(
        &self,
        map: &impl StochasticMap<NUMBERS, PIXELS>,
        noise: &Noise,
    ) -> Result<(Scores, Vec<f32>)> {
        let images = self.noisy_images(map, noise)?;
        let mut scores = self.scores(&images)?;
        let many = Noise { samples: IMAGES, ..*noise };
        let source = Samples::<NUMBERS>::new(self.source.clone())?;
        let seen = diversity(map, &many, &source, Key::new(9), POINTS)?;
        scores.0.push(("conditional_variance", seen.variance));
        scores.0.push(("square_distance", seen.square_distance));
        Ok((scores, images))
    }

    /// The share of held-out targets that a partial transport uses.
    pub fn used(&self, potential: &impl NonPositive<NUMBERS>) -> Result<f64> {
        used_share(potential, &points::<NUMBERS>(self.target.clone())?, UNUSED)
    }

    /// Sources over their images over targets.
    pub fn picture(&self, images: &[f32], path: &Path) -> Result<()> {
        let rows: [(&str, &[f32]); 3] =
            [("source", &self.source), ("image", images), ("target", &self.target)];
        brenier::train::write_atomically(path, &grid(&rows)?)
    }

    /// What the scores are without a map, and of the targets themselves.
    pub fn baselines(&self) -> Result<()> {
        println!("identity:{}", self.scores(&self.source)?);
        let known = self.classifier.classes(&brightness(&self.source))?;
        let same = known.iter().zip(&self.wanted).filter(|(k, w)| k == w).count();
        println!(
            "{} held-out sources, {} targets; {same} sources show what they should",
            self.wanted.len(),
            self.target.len() / NUMBERS
        );
        Ok(())
    }
}
