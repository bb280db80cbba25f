//! Splittable, counter-based random keys: the only source of randomness in the crate.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Numbers drawn from one stream before the next stream takes over. Fixed, so that a draw does not
/// depend on the number of threads.
const STREAM: usize = 4096;

/// A random key: 128 bits from which streams of numbers and further keys are derived.
///
/// A key is a value. Nothing is consumed by drawing from it: the same key gives the same numbers,
/// on any number of threads. Whoever needs two independent draws splits first. All derivations are
/// ChaCha8 in counter mode, one counter domain each for splitting, folding and drawing.
///
/// ```
/// use brenier::random::Key;
/// let [a, b] = Key::new(0).split();
/// assert_eq!(a.normal(3), a.normal(3));
/// assert_ne!(a.normal(3), b.normal(3));
/// assert_ne!(a.fold_in(1), a.fold_in(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key([u64; 2]);

#[derive(Clone, Copy)]
enum Domain {
    Seed = 1,
    Split = 2,
    Fold = 3,
    Draw = 4,
}

impl Key {
    /// The key of a seed.
    pub fn new(seed: u64) -> Self {
        Self([seed, 0]).derive(Domain::Seed, 0)
    }

    /// `K` independent keys.
    pub fn split<const K: usize>(self) -> [Self; K] {
        std::array::from_fn(|i| self.derive(Domain::Split, i as u64))
    }

    /// The key for item number `index` (a step, a chunk, a seed) of a sequence of any length.
    pub fn fold_in(self, index: u64) -> Self {
        self.derive(Domain::Fold, index)
    }

    /// A generator for whatever the other methods do not draw.
    pub fn rng(self) -> ChaCha8Rng {
        self.stream(Domain::Draw, 0)
    }

    /// A 64-bit seed for generators of other crates.
    pub fn seed(self) -> u64 {
        self.rng().next_u64()
    }

    /// `n` standard normal numbers.
    pub fn normal(self, n: usize) -> Vec<f32> {
        self.draw(n, |rng| StandardNormal.sample(rng))
    }

    /// `n` numbers uniform on [0, 1).
    pub fn uniform(self, n: usize) -> Vec<f32> {
        self.draw(n, |rng| (rng.next_u32() >> 8) as f32 * (1.0 / (1 << 24) as f32))
    }

    /// `n` indices uniform on `0..bound`; none if `bound` is zero.
    pub fn indices(self, n: usize, bound: usize) -> Vec<usize> {
        if bound == 0 {
            return Vec::new();
        }
        let uniform = rand::distributions::Uniform::new(0, bound);
        self.draw(n, |rng| uniform.sample(rng))
    }

    fn draw<V: Copy + Default + Send>(
        self,
        n: usize,
        one: impl Fn(&mut ChaCha8Rng) -> V + Sync,
    ) -> Vec<V> {
        let mut out = vec![V::default(); n];
        let fill = |(i, chunk): (usize, &mut [V])| {
            let mut rng = self.stream(Domain::Draw, i as u64);
            chunk.iter_mut().for_each(|v| *v = one(&mut rng));
        };
        if n <= 2 * STREAM {
            out.chunks_mut(STREAM).enumerate().for_each(fill);
        } else {
            out.par_chunks_mut(STREAM).enumerate().for_each(fill);
        }
        out
    }

    fn derive(self, domain: Domain, index: u64) -> Self {
        let mut rng = self.stream(domain, index);
        Self([rng.next_u64(), rng.next_u64()])
    }

    fn stream(self, domain: Domain, index: u64) -> ChaCha8Rng {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.0[0].to_le_bytes());
        seed[8..16].copy_from_slice(&self.0[1].to_le_bytes());
        seed[16..24].copy_from_slice(&(domain as u64).to_le_bytes());
        seed[24..].copy_from_slice(b"brenier\0");
        let mut rng = ChaCha8Rng::from_seed(seed);
        rng.set_stream(index);
        rng
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five standard errors of the first moments of `n` independent draws.
    #[test]
    fn draws_have_the_stated_moments() {
        let n = 1 << 18;
        let five = 5.0 / (n as f64).sqrt();
        let moment = |v: &[f32], p: i32| {
            v.iter().map(|&x| f64::from(x).powi(p)).sum::<f64>() / v.len() as f64
        };
        let z = Key::new(1).normal(n);
        assert!(moment(&z, 1).abs() < five);
        assert!((moment(&z, 2) - 1.0).abs() < five * 2f64.sqrt());
        assert!((moment(&z, 3)).abs() < five * 15f64.sqrt());
        let u = Key::new(2).uniform(n);
        assert!((moment(&u, 1) - 0.5).abs() < five / 12f64.sqrt());
        assert!(u.iter().all(|x| (0.0..1.0).contains(x)));
    }

    #[test]
    fn neighbouring_keys_are_uncorrelated() {
        let n = 1 << 16;
        let [a, b] = Key::new(3).split();
        for (p, q) in [(a, b), (a, a.fold_in(0)), (a.fold_in(0), a.fold_in(1))] {
            let dot: f64 = p.normal(n).iter().zip(q.normal(n)).map(|(x, y)| f64::from(x * y)).sum();
            assert!((dot / n as f64).abs() < 5.0 / (n as f64).sqrt());
        }
    }

    #[test]
    fn draws_do_not_depend_on_threads_and_extend_each_other() {
        let key = Key::new(4);
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let three = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let n = 5 * STREAM + 7;
        let long = one.install(|| key.normal(n));
        assert_eq!(long, three.install(|| key.normal(n)));
        assert_eq!(long[..100], key.normal(100)[..]);
    }

    #[test]
    fn indices_are_in_range() {
        let i = Key::new(5).indices(1000, 7);
        assert!(i.iter().all(|&i| i < 7) && (0..7).all(|j| i.contains(&j)));
        assert!(Key::new(5).indices(3, 0).is_empty());
    }

    /// A change of these numbers changes every seeded result: it belongs in the changelog.
    #[test]
    fn the_stream_of_a_seed_is_fixed() {
        assert_eq!(Key::new(0).indices(5, 1000), KNOWN);
    }
    const KNOWN: [usize; 5] = [454, 437, 41, 463, 972];
}
