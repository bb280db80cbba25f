//! Pairs with known maps and the scores against them.

use std::path::PathBuf;

use brenier::data::{w2_benchmark_pair, GaussianMixture};
use brenier::prelude::*;
use brenier::solver::Gaussian;
use dfdx::prelude::HasShape;

/// The folder of the benchmark's files: `$BRENIER_DATA/w2bench`, or beside the repository.
fn w2bench() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var("BRENIER_DATA").map_or(beside, PathBuf::from).join("w2bench");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no folder {} (set BRENIER_DATA)", folder.display());
    None
}

/// Identity and linear baselines of the published pairs, within 1.5 %; no training.
#[test]
fn baselines_of_the_benchmark() {
    let Some(folder) = w2bench() else { return };
    fn check<const N: usize>(folder: &std::path::Path, identity: f64, linear: f64) {
        let pair = w2_benchmark_pair::<N>(folder).unwrap();
        let b = baselines(&pair, Key::new(0), 1 << 15).unwrap();
        println!("D = {N}: identity {:.2}, linear {:.2}", b.identity.l2_uvp, b.linear.l2_uvp);
        assert!((b.identity.l2_uvp / identity - 1.0).abs() < 0.015, "{N}: {:?}", b.identity);
        assert!((b.linear.l2_uvp / linear - 1.0).abs() < 0.015, "{N}: {:?}", b.linear);
        // The constant map's error is the variance of the target, up to sampling.
        assert!((b.constant.l2_uvp - 100.0).abs() < 2.0, "{N}: {:?}", b.constant);
        assert!(b.identity.cosine == 0.0);
        let exact = error_of_truth(&pair);
        assert!(exact.l2_uvp < 1e-9 && (exact.cosine - 1.0).abs() < 1e-9);
    }
    check::<2>(&folder, 32.7, 14.0);
    check::<4>(&folder, 42.3, 14.8);
    check::<8>(&folder, 58.9, 27.0);
    check::<32>(&folder, 119.7, 55.3);
    check::<64>(&folder, 135.1, 63.5);
    check::<128>(&folder, 145.5, 63.7);
}

fn error_of_truth<const N: usize>(pair: &KnownPair<N>) -> MapError {
    struct Truth<'a, const N: usize>(&'a KnownPair<N>);
    impl<const N: usize> dfdx::prelude::Module<Points<N>> for Truth<'_, N> {
        type Output = Points<N>;
        type Error = brenier::Error;
        fn try_forward(&self, x: Points<N>) -> Result<Points<N>> {
            self.0.transport(&x)
        }
    }
    map_error(pair, &Truth(pair), Key::new(0), 1000).unwrap()
}

#[test]
fn a_random_pair_is_standardised_and_its_map_is_optimal() {
    fn check<const N: usize>() {
        let pair = KnownPair::<N>::random(Key::new(4)).unwrap();
        let n = 1 << 15;
        let x = pair.source().sample(Key::new(5), n).unwrap();
        let y = pair.transport(&x).unwrap();
        let moments = Gaussian::fit(&rows(&y), N).unwrap();
        // Five standard errors of a mean with variance of order one; of a variance, a little more.
        let five = 5.0 / (n as f64).sqrt();
        assert!(moments.mean.amax() < 2.0 * five, "{}", moments.mean);
        assert!((moments.total_variance() / N as f64 - 1.0).abs() < 3.0 * five);
        assert!((pair.target_variance() / N as f64 - 1.0).abs() < 3.0 * five);
        // The gradient of a convex function is monotone: ⟨T(x) − T(x'), x − x'⟩ ≥ 0.
        let (x, y) = (rows(&x), rows(&y));
        let row = |v: &[f32], i: usize| v[i * N..(i + 1) * N].to_vec();
        for i in 0..n / 2 {
            let difference = |v: &[f32]| -> Vec<f32> {
                row(v, i).iter().zip(row(v, i + n / 2)).map(|(a, b)| a - b).collect()
            };
            let inner: f32 = difference(&x).iter().zip(difference(&y)).map(|(a, b)| a * b).sum();
            assert!(inner >= 0.0);
        }
        // And far from affine, or it would test nothing.
        assert!(baselines(&pair, Key::new(6), 1 << 13).unwrap().linear.l2_uvp > 5.0);
        assert_eq!(error_of_truth(&pair).l2_uvp, 0.0);
    }
    check::<2>();
    check::<8>();
    check::<32>();
}

#[test]
fn scores_on_maps_with_known_errors() {
    use dfdx::nn::modules::Linear;
    use dfdx::prelude::{Cpu, TensorFrom};
    // P = N(0, I), T*(x) = 2x + (1, 0): ψ is quadratic. T(x) = 2x has |T − T*|² = 1 and Var Q = 8.
    #[derive(Debug)]
    struct Twice;
    impl brenier::data::ConvexGradient for Twice {
        fn gradient(&self, rows: &[f32]) -> Vec<f32> {
            rows.iter().map(|v| 2.0 * v).collect()
        }
    }
    let pair = KnownPair::<2>::new(
        GaussianMixture::standard(),
        std::sync::Arc::new(Twice),
        vec![1.0, 0.0],
        1.0,
    )
    .unwrap();
    let device = Cpu::default();
    let twice =
        Linear { weight: device.tensor([[2.0, 0.0], [0.0, 2.0]]), bias: device.tensor([0.0, 0.0]) };
    let e = map_error(&pair, &twice, Key::new(1), 1 << 16).unwrap();
    // The variance of Q is estimated from 2^17 points: relative error 5·sqrt(2/2^18) = 1.4 %.
    assert!((e.l2_uvp / 12.5 - 1.0).abs() < 0.014, "{e:?}");
    // ⟨T − id, T* − id⟩ = E|x|² = 2, |T − id|² = 2, |T* − id|² = 3.
    assert!((e.cosine - 2.0 / 6f64.sqrt()).abs() < 0.01, "{e:?}");
    // The pair is Gaussian, so the linear baseline is exact up to the moments of 2^16 points.
    let b = baselines(&pair, Key::new(2), 1 << 14).unwrap();
    assert!(b.linear.l2_uvp < 0.02 && (b.constant.l2_uvp - 100.0).abs() < 3.0, "{b:?}");
    assert!(map_error(&pair, &twice, Key::new(1), 0).is_err());
}

#[test]
fn missing_and_mismatched_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = w2_benchmark_pair::<2>(folder.path()).unwrap_err().to_string();
    assert!(error.contains("cannot read") && error.contains("mix3to10_d2.safetensors"), "{error}");
    let Some(real) = w2bench() else { return };
    // The files of dimension 4 under the names of dimension 2.
    let copy = |from: &str, to: &str| {
        std::fs::copy(real.join(from), folder.path().join(to)).unwrap();
    };
    copy("mix3to10_d4.safetensors", "mix3to10_d2.safetensors");
    copy("ref_d4.npz", "ref_d2.npz");
    let error = w2_benchmark_pair::<2>(folder.path()).unwrap_err();
    assert!(matches!(error, Error::Format { .. }) && error.to_string().contains("dimension 2"));
    copy("mix3to10_d2.safetensors", "mix3to10_d2.safetensors");
    let error = w2_benchmark_pair::<2>(folder.path()).unwrap_err().to_string();
    assert!(error.contains("mix_maps has shape [3, 4, 4], [3, 2, 2] wanted"), "{error}");
    std::fs::write(folder.path().join("ref_d2.npz"), "no archive").unwrap();
    let error = w2_benchmark_pair::<2>(folder.path()).unwrap_err().to_string();
    assert!(error.contains("not an npz archive"), "{error}");
}

#[test]
fn mixtures_have_their_moments() {
    let means = vec![2.0, 0.0, -2.0, 1.0];
    let factors = vec![1.0, 0.5, 0.0, 1.0, 0.2, 0.0, 0.0, 0.3];
    let mixture = GaussianMixture::<2>::new(means, factors).unwrap();
    let n = 1 << 17;
    let sample = mixture.sample(Key::new(0), n).unwrap();
    assert_eq!(sample.shape().0, n);
    let moments = Gaussian::fit(&rows(&sample), 2).unwrap();
    // By hand: mean (0, ½); covariance ½(M₁M₁ᵀ + M₂M₂ᵀ) + covariance of the centres.
    let expected = [(1.25 + 0.04) / 2.0 + 4.0, 0.5 / 2.0 - 1.0, (1.0 + 0.09) / 2.0 + 0.25];
    let five = 5.0 / (n as f64).sqrt() * 5.0;
    assert!(moments.mean[0].abs() < five && (moments.mean[1] - 0.5).abs() < five);
    for (found, e) in [(0, 0), (0, 1), (1, 1)].iter().map(|&p| moments.covariance[p]).zip(expected)
    {
        assert!((found - e).abs() < five, "{found} {e}");
    }
    assert!(GaussianMixture::<2>::new(vec![0.0; 3], vec![0.0; 4]).is_err());
    assert!(GaussianMixture::<2>::new(vec![], vec![]).is_err());
    assert!(GaussianMixture::<2>::isotropic(vec![0.0; 2], -1.0).is_err());
    assert!(mixture.sample(Key::new(0), 0).is_err());
}
