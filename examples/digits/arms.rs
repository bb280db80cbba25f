//! The estimators, one run each.

use brenier::geometry::Kernel;
use brenier::prelude::*;
use dfdx::prelude::{BuildModule, Cpu};

use crate::coloured::{Coloured, NUMBERS};
use crate::judge::Judge;
use crate::method::Method;
use crate::mnist::PIXELS;
use crate::networks::Sizes;
use crate::session::{Scores, Session, Trained};

/// What a run needs.
pub struct Arm<'a> {
    pub session: Session,
    pub judge: &'a Judge,
    /// Draws from source and target.
    pub data: [Coloured; 2],
    /// The weight of incomplete transport from which its ramp starts.
    pub weight_before: f64,
}

impl Arm<'_> {
    fn drawn(&self) -> Result<Sampled<NUMBERS, &Coloured, &Coloured>> {
        Sampled::new(&self.data[0], &self.data[1], self.session.game.batch)
    }

    fn picture(&self, images: &[f32]) -> Result<()> {
        self.judge.picture(images, &self.session.folder.join("images.png"))
    }

    fn look<T: TransportMap<NUMBERS>>(&self, map: &T) -> Result<Scores> {
        let images = self.judge.images(map)?;
        self.picture(&images)?;
        self.judge.scores(&images)
    }

    /// One run of a method.
    pub fn run<S: Sizes>(&self, method: Method, number: f64) -> anyhow::Result<()> {
        match method {
            Method::Strong => self.strong::<S::Critic, S::Map>(),
            Method::Noised => self.noised::<S::LevelCritic, S::Map>(),
            Method::Weak => {
                let kernel = self.session.game.cost()?;
                self.weak::<S::Critic, S::NoisyMap, _>(kernel, number)
            }
            // As large as the quadratic cost at the distance of 10 that images move.
            Method::Kernel => {
                let factor = 10.0 * self.session.game.cost_factor;
                let kernel = Scaled::new(DistanceKernel::default(), factor)?;
                self.weak::<S::Critic, S::NoisyMap, _>(kernel, number)
            }
            Method::It => self.incomplete::<NegativeAbs<S::Critic>, S::Map>(number),
        }
    }

    /// Strong transport, arXiv:2201.12220.
    fn strong<F, T>(&self) -> anyhow::Result<()>
    where
        F: Potential<NUMBERS> + BuildModule<Cpu, f32>,
        T: TransportMap<NUMBERS> + BuildModule<Cpu, f32> + Clone,
    {
        let Turns { map_steps, source, map, potential } = self.session.game.turns();
        let config =
            NotConfig { cost: self.session.game.cost()?, map_steps, source, map, potential };
        let start = |f, t| not_init(&config, f, t);
        let step = |s, b: &Batch<NUMBERS>, k| not_step(&config, s, b, k);
        let mut look = |s: &Trained<F, T>| self.look(&s.average);
        self.session.train::<NUMBERS, F, T, _, _, _>(self.drawn()?, start, step, &mut look)?;
        Ok(())
    }

    /// Strong transport whose potential sees noised images.
    fn noised<F, T>(&self) -> anyhow::Result<()>
    where
        F: ConditionalPotential<NUMBERS, 1> + BuildModule<Cpu, f32>,
        T: TransportMap<NUMBERS> + BuildModule<Cpu, f32> + Clone,
    {
        let (cost, turns) = (self.session.game.cost()?, self.session.game.turns());
        // Weights of one: those of EDM would let the least noise decide.
        let config = NoisedNotConfig {
            turns,
            weight: NoiseWeight::Uniform,
            ..NoisedNotConfig::with_cost(cost)
        };
        let start = |f, t| noised_not_init(&config, f, t);
        let step = |s, b: &Batch<NUMBERS>, k| noised_not_step(&config, s, b, k);
        let mut look = |s: &Trained<F, T>| self.look(&s.average);
        self.session.train::<NUMBERS, F, T, _, _, _>(self.drawn()?, start, step, &mut look)?;
        Ok(())
    }

    /// Kernel transport, arXiv:2205.15269; with the bilinear kernel that is weak transport, arXiv:2201.12220.
    fn weak<F, T, K>(&self, kernel: K, gamma: f64) -> anyhow::Result<()>
    where
        F: Potential<NUMBERS> + BuildModule<Cpu, f32>,
        T: StochasticMap<NUMBERS, PIXELS> + BuildModule<Cpu, f32> + Clone,
        K: Kernel<f32>,
    {
        let turns = self.session.game.turns();
        let gamma = Ramp { from: 0.0, to: gamma, steps: self.session.game.steps / 4 };
        let noise = Noise { samples: 2, deviation: 1.0 };
        let config = KernelNotConfig { kernel, gamma, noise, turns };
        let start = |f, t| kernel_not_init(&config, f, t);
        let step = |s, b: &Batch<NUMBERS>, k| kernel_not_step(&config, s, b, k);
        let mut look = |s: &Trained<F, T>| {
            let (scores, images) = self.judge.noisy_scores(&s.average, &noise)?;
            self.picture(&images)?;
            Ok(scores)
        };
        self.session.train::<NUMBERS, F, T, _, _, _>(self.drawn()?, start, step, &mut look)?;
        Ok(())
    }

    /// Incomplete transport into `weight` times the target, arXiv:2301.12874.
    fn incomplete<F, T>(&self, weight: f64) -> anyhow::Result<()>
    where
        F: NonPositive<NUMBERS> + BuildModule<Cpu, f32>,
        T: TransportMap<NUMBERS> + BuildModule<Cpu, f32> + Clone,
    {
        let (cost, turns) = (self.session.game.cost()?, self.session.game.turns());
        let steps = self.session.game.steps / 4;
        let weight = Ramp { from: self.weight_before, to: weight, steps };
        let config = ItConfig { cost, weight, turns };
        let start = |f, t| it_init(&config, f, t);
        let step = |s, b: &Batch<NUMBERS>, k| it_step(&config, s, b, k);
        let mut look = |s: &Trained<F, T>| {
            let mut scores = self.look(&s.average)?;
            scores.0.push(("target_used", self.judge.used(s.state.potential.params())?));
            Ok(scores)
        };
        self.session.train::<NUMBERS, F, T, _, _, _>(self.drawn()?, start, step, &mut look)?;
        Ok(())
    }
}
