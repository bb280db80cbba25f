//! The blocks of InceptionV3 with their weights.

use super::inception::{InceptionForm, LastPool, Layer};
use super::unit::{Pool, Unit};
use super::weights::Weights;
use crate::error::{Error, Result};

/// All layers up to the last feature maps.
pub(super) fn layers(weights: &Weights, form: InceptionForm) -> Result<Vec<Layer>> {
    Builder { weights, form }.network()
}

struct Builder<'a> {
    weights: &'a Weights,
    form: InceptionForm,
}

impl Builder<'_> {
    fn unit(&self, name: &str, unit: Unit) -> Result<Layer> {
        Ok(Layer::Unit(self.weights.normalised(name, unit)?))
    }

    /// Units after each other that keep the size: `block.name` with (outputs, kernel).
    fn chain(
        &self,
        block: &str,
        inputs: usize,
        units: &[(&str, usize, [usize; 2])],
    ) -> Result<Layer> {
        let mut inputs = inputs;
        let mut layers = Vec::new();
        for (name, outputs, kernel) in units {
            let unit = Unit::new(inputs, *outputs, *kernel).same();
            layers.push(self.unit(&format!("{block}.{name}"), unit)?);
            inputs = *outputs;
        }
        Ok(Layer::Chain(layers))
    }

    fn pooled(&self, block: &str, inputs: usize, outputs: usize, pool: Layer) -> Result<Layer> {
        let unit = Unit::new(inputs, outputs, [1, 1]);
        Ok(Layer::Chain(vec![pool, self.unit(&format!("{block}.branch_pool"), unit)?]))
    }

    /// A chain whose last unit halves the size, without padding.
    fn halving(
        &self,
        block: &str,
        inputs: usize,
        units: &[(&str, usize, [usize; 2])],
        last: (&str, usize),
    ) -> Result<Layer> {
        let before = units.last().map_or(inputs, |u| u.1);
        let unit = Unit::new(before, last.1, [3, 3]).stride(2);
        let end = self.unit(&format!("{block}.{}", last.0), unit)?;
        Ok(Layer::Chain(vec![self.chain(block, inputs, units)?, end]))
    }

    fn network(&self) -> Result<Vec<Layer>> {
        let stem = |name: &str, unit: Unit| self.unit(name, unit);
        let third = Layer::Largest(Pool::THREE_BY_TWO);
        Ok(vec![
            stem("Conv2d_1a_3x3", Unit::new(3, 32, [3, 3]).stride(2))?,
            stem("Conv2d_2a_3x3", Unit::new(32, 32, [3, 3]))?,
            stem("Conv2d_2b_3x3", Unit::new(32, 64, [3, 3]).same())?,
            third.clone(),
            stem("Conv2d_3b_1x1", Unit::new(64, 80, [1, 1]))?,
            stem("Conv2d_4a_3x3", Unit::new(80, 192, [3, 3]))?,
            third,
            self.five("Mixed_5b", 192, 32)?,
            self.five("Mixed_5c", 256, 64)?,
            self.five("Mixed_5d", 288, 64)?,
            self.six_a("Mixed_6a")?,
            self.six("Mixed_6b", 128)?,
            self.six("Mixed_6c", 160)?,
            self.six("Mixed_6d", 160)?,
            self.six("Mixed_6e", 192)?,
            self.seven_a("Mixed_7a")?,
            self.seven("Mixed_7b", 1280, Layer::Mean)?,
            self.seven(
                "Mixed_7c",
                2048,
                match self.form.last_pool {
                    LastPool::Mean => Layer::Mean,
                    LastPool::Largest => Layer::Largest(Pool::THREE),
                },
            )?,
        ])
    }

    fn five(&self, block: &str, inputs: usize, pooled: usize) -> Result<Layer> {
        let chain = |units: &[_]| self.chain(block, inputs, units);
        Ok(Layer::Branches(vec![
            chain(&[("branch1x1", 64, [1, 1])])?,
            chain(&[("branch5x5_1", 48, [1, 1]), ("branch5x5_2", 64, [5, 5])])?,
            chain(&[
                ("branch3x3dbl_1", 64, [1, 1]),
                ("branch3x3dbl_2", 96, [3, 3]),
                ("branch3x3dbl_3", 96, [3, 3]),
            ])?,
            self.pooled(block, inputs, pooled, Layer::Mean)?,
        ]))
    }

    fn six_a(&self, block: &str) -> Result<Layer> {
        let double = [("branch3x3dbl_1", 64, [1, 1]), ("branch3x3dbl_2", 96, [3, 3])];
        Ok(Layer::Branches(vec![
            self.halving(block, 288, &[], ("branch3x3", 384))?,
            self.halving(block, 288, &double, ("branch3x3dbl_3", 96))?,
            Layer::Largest(Pool::THREE_BY_TWO),
        ]))
    }

    fn six(&self, block: &str, c: usize) -> Result<Layer> {
        let chain = |units: &[_]| self.chain(block, 768, units);
        let (wide, high) = ([1, 7], [7, 1]);
        Ok(Layer::Branches(vec![
            chain(&[("branch1x1", 192, [1, 1])])?,
            chain(&[
                ("branch7x7_1", c, [1, 1]),
                ("branch7x7_2", c, wide),
                ("branch7x7_3", 192, high),
            ])?,
            chain(&[
                ("branch7x7dbl_1", c, [1, 1]),
                ("branch7x7dbl_2", c, high),
                ("branch7x7dbl_3", c, wide),
                ("branch7x7dbl_4", c, high),
                ("branch7x7dbl_5", 192, wide),
            ])?,
            self.pooled(block, 768, 192, Layer::Mean)?,
        ]))
    }

    fn seven_a(&self, block: &str) -> Result<Layer> {
        let long = [
            ("branch7x7x3_1", 192, [1, 1]),
            ("branch7x7x3_2", 192, [1, 7]),
            ("branch7x7x3_3", 192, [7, 1]),
        ];
        let short = [("branch3x3_1", 192, [1, 1])];
        Ok(Layer::Branches(vec![
            self.halving(block, 768, &short, ("branch3x3_2", 320))?,
            self.halving(block, 768, &long, ("branch7x7x3_4", 192))?,
            Layer::Largest(Pool::THREE_BY_TWO),
        ]))
    }

    fn seven(&self, block: &str, inputs: usize, pool: Layer) -> Result<Layer> {
        let fork = |a: &str, b: &str, from: usize| {
            Ok::<_, Error>(Layer::Branches(vec![
                self.chain(block, from, &[(a, 384, [1, 3])])?,
                self.chain(block, from, &[(b, 384, [3, 1])])?,
            ]))
        };
        let double = [("branch3x3dbl_1", 448, [1, 1]), ("branch3x3dbl_2", 384, [3, 3])];
        Ok(Layer::Branches(vec![
            self.chain(block, inputs, &[("branch1x1", 320, [1, 1])])?,
            Layer::Chain(vec![
                self.chain(block, inputs, &[("branch3x3_1", 384, [1, 1])])?,
                fork("branch3x3_2a", "branch3x3_2b", 384)?,
            ]),
            Layer::Chain(vec![
                self.chain(block, inputs, &double)?,
                fork("branch3x3dbl_3a", "branch3x3dbl_3b", 384)?,
            ]),
            self.pooled(block, inputs, 192, pool)?,
        ]))
    }
}
