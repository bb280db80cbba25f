//! The networks of the presets.

use brenier::function::image::{AsImage, ResNetD16, UNetOf3};
use brenier::function::{Leading, WithPlanes};
use brenier::prelude::*;
use dfdx::prelude::{BuildModule, Cpu};

use crate::coloured::NUMBERS;
use crate::mnist::PIXELS;
use crate::options::Game;

/// Three colours and a plane of conditions or noise.
const WITH_PLANE: usize = NUMBERS + PIXELS;

/// The networks of a preset, and its game.
pub trait Sizes {
    type Map: TransportMap<NUMBERS> + BuildModule<Cpu, f32> + Clone;
    /// The noise is a fourth channel, as in arXiv:2201.12220.
    type NoisyMap: StochasticMap<NUMBERS, PIXELS> + BuildModule<Cpu, f32> + Clone;
    type Critic: Potential<NUMBERS> + BuildModule<Cpu, f32>;
    /// log σ / 4 is a fourth channel.
    type LevelCritic: ConditionalPotential<NUMBERS, 1> + BuildModule<Cpu, f32>;
    const GAME: Game;
}

/// x + U(x, noise).
type Noisy<U> = Displacement<Joined<PIXELS, WITH_PLANE, Leading<NUMBERS, WITH_PLANE, U>>>;

pub struct Small;

impl Sizes for Small {
    type Map = Displacement<AsImage<3, 16, 16, UNetOf3<3, 3, 8, 16, 32>>>;
    type NoisyMap = Noisy<AsImage<4, 16, 16, UNetOf3<4, 4, 8, 16, 32>>>;
    type Critic = AsImage<3, 16, 16, ResNetD16<3, 8, 16, 32, 32>>;
    type LevelCritic =
        WithPlanes<1, PIXELS, WITH_PLANE, AsImage<4, 16, 16, ResNetD16<4, 8, 16, 32, 32>>>;
    const GAME: Game = Game {
        steps: 800,
        batch: 32,
        map_steps: 5,
        map_rate: 1e-3,
        potential_rate: 1e-3,
        floor: 0.05,
        cost_factor: 0.05,
        ema: 0.99,
    };
}

/// The widths of arXiv:2201.12220 with a halving less, and the rates and length of its notebooks.
#[cfg(feature = "paper")]
pub struct Paper;

#[cfg(feature = "paper")]
impl Sizes for Paper {
    type Map = AsImage<3, 16, 16, UNetOf3<3, 3, 48, 96, 192>>;
    type NoisyMap = Joined<
        PIXELS,
        WITH_PLANE,
        Leading<NUMBERS, WITH_PLANE, AsImage<4, 16, 16, UNetOf3<4, 4, 48, 96, 192>>>,
    >;
    type Critic = AsImage<3, 16, 16, ResNetD16<3, 64, 128, 256, 512>>;
    type LevelCritic =
        WithPlanes<1, PIXELS, WITH_PLANE, AsImage<4, 16, 16, ResNetD16<4, 64, 128, 256, 512>>>;
    const GAME: Game = Game {
        steps: 10_001,
        batch: 64,
        map_steps: 10,
        map_rate: 1e-4,
        potential_rate: 1e-4,
        floor: 1.0,
        // The mean over coordinates of the square.
        cost_factor: 2.0 / NUMBERS as f64,
        ema: 0.999,
    };
}
