//! Contenders of `not_step` and `enot_step`: a map, or the potential that makes it, against a potential.

use brenier::prelude::*;
use serde::de::DeserializeOwned;
use serde::Serialize;

use crate::contest::{Finished, Run};
use crate::recipe::Convexity;
use crate::start::{adam, Icnn};

impl<const N: usize> Run<'_, N> {
    /// Perceptrons, the map as a displacement; the cost is ½|x − y|².
    pub fn not_mlp<const H: usize>(&self) -> anyhow::Result<Finished> {
        let [f, t] = self.init().split();
        let (f, t): (Mlp<N, H, 2, 1>, Displacement<Mlp<N, H, 2, N>>) = (build(f), build(t));
        self.not::<HalfSqEuclidean, _, _>(f, t, |_| (), |_| ())
    }

    /// The form MM of the benchmark: the cost −⟨x, y⟩, minus a DenseICNN as potential, the gradient of
    /// another as map.
    pub fn not_icnn<const H: usize, const L: usize>(&self) -> anyhow::Result<Finished> {
        let [u, v] = self.convex::<H, L>()?;
        let (potential, map) = (Negated(v), GradientMap(u));
        self.not::<NegDot, _, _>(potential, map, |f| f.0.make_convex(), |t| t.0.make_convex())
    }

    fn not<C, F, T>(
        &self,
        f: F,
        t: T,
        convex_f: fn(&mut F),
        convex_t: fn(&mut T),
    ) -> anyhow::Result<Finished>
    where
        C: Cost<N> + Default + PartialEq + Serialize + DeserializeOwned,
        F: Potential<N> + Clone,
        T: TransportMap<N> + Clone,
    {
        let r = &self.job.recipe;
        let config = NotConfig::<C> {
            map_steps: r.map_steps,
            map: adam(r, r.rate, r.steps * r.map_steps as u64),
            potential: adam(r, r.potential_rate, r.steps),
            ..NotConfig::default()
        };
        let mut state = not_init(&config, f, t)?;
        if r.convexity == Convexity::Kept {
            state.potential = state.potential.projected(convex_f);
            state.map = state.map.projected(convex_t);
        }
        let step = |s, b: &Batch<N>, k| not_step(&config, s, b, k);
        let (finished, state) =
            self.contest(config.source_parts(), state, step, |t: &T, x| t.forward(x))?;
        if let Some(state) = state {
            weights::save(&self.folder.join("potential.safetensors"), state.potential.params())?;
        }
        Ok(finished)
    }

    /// Smooth perceptrons as potentials of both sides; the cost is ½|x − y|².
    pub fn enot_mlp<const H: usize>(&self) -> anyhow::Result<Finished> {
        let [f, g] = self.init().split();
        let (f, g): (Mlp<N, H, 2, 1, Celu>, Mlp<N, H, 2, 1, Celu>) = (build(f), build(g));
        self.enot::<HalfSqEuclidean, _>(f, g, |_| ())
    }

    /// Minus DenseICNNs as potentials of both sides; the cost is −⟨x, y⟩.
    pub fn enot_icnn<const H: usize, const L: usize>(&self) -> anyhow::Result<Finished> {
        let [u, v]: [Icnn<N, H, L>; 2] = self.convex()?;
        self.enot::<NegDot, _>(Negated(u), Negated(v), |f| f.0 .0.make_convex())
    }

    fn enot<C, F>(&self, f: F, g: F, convex: fn(&mut PotentialMap<F>)) -> anyhow::Result<Finished>
    where
        C: Cost<N> + brenier::geometry::TwistCost<f32> + Default,
        F: InputGradient<N> + Clone,
    {
        let r = &self.job.recipe;
        // Each network takes map_steps + 1 updates in two steps.
        let adam = adam(r, r.rate, r.steps * (r.map_steps as u64 + 1) / 2);
        let config = EnotConfig::<C> {
            expectile: r.expectile,
            regularisation: r.regularisation,
            map_steps: r.map_steps,
            source: adam.clone(),
            target: adam,
            ..EnotConfig::default()
        };
        let mut state = enot_init(&config, PotentialMap(f), PotentialMap(g))?;
        if r.convexity == Convexity::Kept {
            state.source = state.source.projected(convex);
            state.target = state.target.projected(convex);
        }
        let forward = |s, b: &Batch<N>, k| enot_step(&config, s, b, k);
        let backward = |s, b: &Batch<N>, k| enot_step(&config, s, b, k);
        let step = back_and_forth(forward, backward);
        let image = |f: &PotentialMap<F>, x| f.images(&config.cost, x);
        let (finished, state) = self.contest(1, state, step, image)?;
        if let Some(state) = state {
            weights::save(&self.folder.join("potential.safetensors"), state.target.params())?;
        }
        Ok(finished)
    }
}
