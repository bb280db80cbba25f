//! Scores of what a map makes of held-out images.

use std::path::Path;

use brenier::data::{Images, PixelRange};
use brenier::plot::ImageGrid;
use brenier::prelude::*;
use brenier::score::image_errors;

use crate::pairs::Pair;
use crate::perception::Perception;
use crate::Scores;

/// Images that pass through the map at a time.
const BATCH: usize = 32;
/// Images that the picture shows.
const SHOWN: usize = 16;

/// Held-out images with what judges their images.
pub struct Judge {
    source: Images,
    target: Images,
    paired: bool,
    perception: Option<Perception>,
}

impl Judge {
    /// Fréchet distances are those to all images of the target.
    pub fn new(pair: &Pair, data: &Path, most: usize) -> Result<Self> {
        let first =
            |images: &Images| images.select(&(0..images.len().min(most)).collect::<Vec<_>>());
        let (trained, held_out) = (&pair.train[1], &pair.test[1]);
        let all = [trained.pixels(), held_out.pixels()].concat();
        let perception = Perception::load(data, &Images::new(trained.shape(), all)?)?;
        let [source, target] = [&pair.test[0], held_out].map(first);
        Ok(Self { source: source?, target: target?, paired: pair.paired, perception })
    }

    /// The images of the held-out source.
    pub fn images<const N: usize>(
        &self,
        map: impl Fn(Points<N>) -> Result<Points<N>>,
    ) -> Result<Images> {
        let x = self.source.rows(PixelRange::Symmetric);
        let mut moved = Vec::with_capacity(x.len());
        for x in x.chunks(BATCH * N) {
            moved.extend(rows(&map(points(x.to_vec())?)?));
        }
        Images::from_rows(self.source.shape(), &moved, PixelRange::Symmetric)
    }

    /// `l2` and `lpips` to the source, `l2_partner` and `lpips_partner` to the true partner, squares being
    /// means over pixels; `frechet` of AlexNet's features.
    pub fn scores(&self, images: &Images) -> Result<Scores> {
        let [x, y, t] = [&self.source, &self.target, images].map(|i| i.rows(PixelRange::Symmetric));
        let numbers = images.shape().numbers();
        let mut all = vec![("l2", image_errors(&x, &t, numbers)?.l2_per_pixel.0)];
        if self.paired {
            all.push(("l2_partner", image_errors(&y, &t, numbers)?.l2_per_pixel.0));
        }
        if let Some(perception) = &self.perception {
            all.push(("lpips", perception.lpips(&self.source, images)?));
            if self.paired {
                all.push(("lpips_partner", perception.lpips(&self.target, images)?));
            }
            all.push(("frechet", perception.frechet(images)?));
        }
        Ok(Scores(all))
    }

    /// Scores of the source itself, of the nearest training images of the target, and of the held-out target.
    pub fn baselines(&self, trained: &Images) -> Result<()> {
        println!("identity:{}", self.scores(&self.source)?);
        let pool = trained.rows(PixelRange::Symmetric);
        let numbers = trained.shape().numbers();
        let nearest = |x: &[f32]| {
            let distance = |j: &usize| -> f32 {
                let y = &pool[j * numbers..(j + 1) * numbers];
                x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum()
            };
            let each = (0..trained.len()).map(|j| (j, distance(&j)));
            each.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |best| best.0)
        };
        let x = self.source.rows(PixelRange::Symmetric);
        let chosen: Vec<usize> = x.chunks_exact(numbers).map(nearest).collect();
        println!("nearest training target:{}", self.scores(&trained.select(&chosen)?)?);
        if self.target.len() == self.source.len() {
            println!("held-out target:{}", self.scores(&self.target)?);
        }
        Ok(())
    }

    /// Sources over their images over targets, which are the true partners if there are any.
    pub fn picture(&self, images: &Images, path: &Path) -> Result<()> {
        let first =
            |images: &Images| images.select(&(0..images.len().min(SHOWN)).collect::<Vec<_>>());
        let below = if self.paired { "partner" } else { "target" };
        let rows = [
            ("source", first(&self.source)?),
            ("image", first(images)?),
            (below, first(&self.target)?),
        ];
        let mut grid = ImageGrid::new(rows);
        grid.scale = 1;
        grid.write_png(path)
    }
}
