//! Networks of features against the values of their authors' code, and the perceptual cost against
//! differences. The weights are in folders of data that are not part of the repository.

use crate::common;
use std::sync::Arc;

use brenier::data::{read_npz, Array, ImageShape, Images, PixelRange};
use brenier::geometry::Cost;
use brenier::random::Key;
use brenier::score::frechet_distance;
use brenier::score::perception::*;
use brenier::tensor::{points, rows};
use brenier::Error;
use dfdx::prelude::*;

const SQUARE: ImageShape = ImageShape { channels: 3, height: 64, width: 64 };

fn singles(array: &Array) -> Vec<f32> {
    array.values.iter().map(|&v| v as f32).collect()
}

#[test]
fn lpips_of_the_authors() {
    let Some(folder) = common::data("lpips") else { return };
    let reference = read_npz(&folder.join("lpips_ref.npz")).unwrap();
    let (x, y) = (singles(&reference["x0"]), singles(&reference["x1"]));
    for (file, backbone, name, pooled) in [
        ("lpips_alex.safetensors", Backbone::AlexNet, "alex", "alex_relu5_mean"),
        ("lpips_vgg16_f16.safetensors", Backbone::Vgg16, "vgg_f16w", "vgg_f16w_relu5_3_mean"),
    ] {
        let lpips = Lpips::load(&folder.join(file), backbone).unwrap();
        let found = lpips.distances(SQUARE, &x, &y).unwrap();
        assert!(common::distance(&found, &reference[name].values) < 1e-5, "{name} {found:?}");
        // Summands: rounding of single precision through up to 13 layers.
        let layers = lpips.by_layer(SQUARE, &x, &y).unwrap().concat();
        let wanted = &reference[&format!("{name}_layers")].values;
        assert!(common::distance(&layers, wanted) < 1e-5);
        let features = lpips.features().pooled(SQUARE, &x).unwrap();
        assert!(common::relative(&features, &reference[pooled].values) < 1e-4);
        // A distance: symmetric, zero between equal images, the same alone as in a batch.
        let back = lpips.distances(SQUARE, &y, &x).unwrap();
        assert!(common::distance(&back, &found) < 1e-7);
        assert!(lpips.distances(SQUARE, &x, &x).unwrap().iter().all(|d| *d == 0.0));
        let size = SQUARE.numbers();
        let alone = lpips.distances(SQUARE, &x[size..2 * size], &y[size..2 * size]).unwrap();
        assert!((alone[0] - found[1]).abs() < 1e-7);
        assert!(matches!(lpips.distances(SQUARE, &x, &y[size..]), Err(Error::Shape { .. })));
        let small = ImageShape { channels: 3, height: 8, width: 8 };
        assert!(matches!(lpips.distances(small, &x[..192], &y[..192]), Err(Error::Shape { .. })));
        let grey = ImageShape { channels: 1, ..SQUARE };
        assert!(matches!(lpips.distances(grey, &x, &y), Err(Error::Shape { .. })));
        let mut broken = x.clone();
        broken[7] = f32::NAN;
        let error = lpips.distances(SQUARE, &broken, &y).unwrap_err().to_string();
        assert!(error.contains("number 7 of image 0"), "{error}");
    }
    // f16 weights against those in f32: the description of the files says less than 1e-4.
    let vgg = &reference["vgg_f32"].values;
    assert!(common::distance(&reference["vgg_f16w"].values, vgg) < 1e-4);
    let wrong = Lpips::load(&folder.join("lpips_alex.safetensors"), Backbone::Vgg16).unwrap_err();
    assert!(matches!(wrong, Error::Format { .. }), "{wrong}");
}

#[test]
fn inception_of_other_tools() {
    let Some(folder) = common::data("inception_v3") else { return };
    let reference = read_npz(&folder.join("inception_ref.npz")).unwrap();
    // What its description says: means over the inside, numbers in [0, 1].
    let form = InceptionForm {
        borders: Borders::LeftOut,
        last_pool: LastPool::Mean,
        range: PixelRange::Unit,
    };
    let file = folder.join("inception_v3_u8.safetensors");
    let network = InceptionV3::load(&file, form).unwrap();
    for size in [96, 299] {
        let shape = ImageShape { channels: 3, height: size, width: size };
        let images = singles(&reference[&format!("x{size}")]);
        let found = network.features(shape, &images).unwrap();
        let wanted = &reference[&format!("feat{size}")].values;
        assert_eq!(found.len(), wanted.len());
        assert!(common::relative(&found, wanted) < 1e-5, "{}", common::relative(&found, wanted));
        if size == 299 {
            assert_eq!(network.features_at_299(shape, &images).unwrap(), found);
        }
    }
    let small = ImageShape { channels: 3, height: 74, width: 74 };
    let error = network.features(small, &vec![0.5; small.numbers()]).unwrap_err();
    assert!(matches!(error, Error::Shape { .. }), "{error}");
    // Other forms are other networks.
    let x = singles(&reference["x299"]);
    let shape = ImageShape { channels: 3, height: 299, width: 299 };
    let standard = network.features(shape, &x).unwrap();
    for form in [InceptionForm::FID, InceptionForm { borders: Borders::Counted, ..form }] {
        let other = InceptionV3::load(&file, form).unwrap().features(shape, &x).unwrap();
        assert!(other != standard);
    }
    assert!(InceptionV3::load(&folder.join("none"), form).is_err());
}

/// Images that rise from one corner, blurred noise, each `[n, 3, 16, 16]` in bytes.
fn two_sets(n: usize) -> [Images; 2] {
    let shape = ImageShape { channels: 3, height: 16, width: 16 };
    let make = |key: Key, tilt: f32| {
        let noise = key.normal(n * shape.numbers());
        let value = |(p, z): (usize, &f32)| {
            let (y, x) = (p % 256 / 16, p % 16);
            tilt * (x as f32 - 7.5) / 8.0 + 0.2 * (y as f32 - 7.5) / 8.0 + 0.02 * z
        };
        let rows: Vec<f32> = noise.iter().enumerate().map(value).collect();
        Images::from_rows(shape, &rows, PixelRange::Symmetric).unwrap()
    };
    [make(Key::new(1), 0.5), make(Key::new(2), -0.5)].map(|i| i.resized(64, 64).unwrap())
}

#[test]
fn distances_of_embedded_images() {
    let Some(folder) = common::data("lpips") else { return };
    let network =
        Features::load(&folder.join("lpips_alex.safetensors"), Backbone::AlexNet).unwrap();
    let [a, b] = two_sets(40);
    let half = |images: &Images, from: usize| {
        images.select(&(from..from + 20).collect::<Vec<_>>()).unwrap()
    };
    let apart = feature_distance(&network, &a, &b).unwrap();
    let [first, second, third] = [half(&a, 0), half(&a, 20), half(&b, 0)];
    let noise = feature_distance(&network, &first, &second).unwrap();
    let signal = feature_distance(&network, &first, &third).unwrap();
    assert!(signal > 3.0 * noise && noise > 0.0, "{signal} {noise}");
    // The same by hand: embeddings, then their statistics.
    let [p, q] = [&a, &b].map(|i| feature_statistics(&network, i).unwrap());
    assert_eq!(frechet_distance(&p, &q).unwrap(), apart);
    assert_eq!(p.mean.len(), network.width());
    assert!(feature_statistics(&network, &half(&a, 0).select(&[0]).unwrap()).is_err());
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| network.embed(&half(&b, 3)).unwrap())
    };
    assert_eq!(run(1), run(3));
}

const SMALL: ImageShape = ImageShape { channels: 3, height: 16, width: 16 };
const N: usize = 768;

#[test]
fn the_perceptual_cost_and_its_gradient() {
    let Some(folder) = common::data("lpips") else { return };
    let file = folder.join("lpips_vgg16_f16.safetensors");
    let features = Arc::new(Features::load(&file, Backbone::Vgg16).unwrap());
    let cost = Perceptual::new(features.clone(), SMALL, PerceptualWeights::default()).unwrap();
    let [x, y] = [Key::new(3), Key::new(4)].map(|key| {
        let values = key.uniform(2 * N).iter().map(|u| 2.0 * u - 1.0).collect();
        points::<N>(values).unwrap()
    });
    let dev = Cpu::default();
    let taped = cost.paired(&x, y.leaky_trace()).unwrap();
    let values = rows(&cost.paired(&x, y.clone()).unwrap());
    // Weighted, so that a gradient that mixes up rows would be seen.
    let factors = dev.tensor_from_vec(vec![1.0f32, -2.0], (2,));
    let gradients = (taped * factors).sum().backward();
    let slope = gradients.get(&y).as_vec();
    // Central differences along a direction, of values in single precision: rounding of values of order
    // one leaves 1e-7 / 1e-3, and ReLUs that switch within the step a few thousandths of the slope.
    for seed in [5, 6, 7] {
        let direction: Vec<f32> = Key::new(seed).normal(2 * N);
        let moved = |t: f32| {
            let y: Vec<f32> = rows(&y).iter().zip(&direction).map(|(y, d)| y + t * d).collect();
            let c = rows(&cost.paired(&x, points::<N>(y).unwrap()).unwrap());
            f64::from(c[0]) - 2.0 * f64::from(c[1])
        };
        let step = 5e-4;
        let numeric = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
        let exact: f64 = slope.iter().zip(&direction).map(|(s, d)| f64::from(s * d)).sum();
        let size: f64 = slope.iter().map(|s| f64::from(s * s)).sum::<f64>().sqrt();
        assert!((numeric - exact).abs() < 0.01 * size + 1e-3, "{numeric} {exact} {size}");
    }
    // The paired cost is the diagonal of the pairwise one, and zero only between equal images.
    let all = rows(&Cost::<N>::pairwise(&cost, &x, &y));
    assert!((all[0] / values[0] - 1.0).abs() < 1e-5 && (all[3] / values[1] - 1.0).abs() < 1e-5);
    let same = rows(&cost.paired(&x, x.clone()).unwrap());
    assert_eq!(same, [0.0, 0.0]);
    // Without the network the cost is a formula.
    let plain = PerceptualWeights { taps: [0.0; 5], squared: 2.0, absolute: 0.5 };
    let plain = Perceptual::new(features.clone(), SMALL, plain).unwrap();
    let found = rows(&plain.paired(&x, y.clone()).unwrap());
    let pairs: Vec<f64> =
        rows(&x).iter().zip(rows(&y)).map(|(x, y)| f64::from(y) - f64::from(*x)).collect();
    for (c, pairs) in found.iter().zip(pairs.chunks(N)) {
        let terms = pairs.iter().map(|d| 2.0 * d * d + 0.5 * d.abs());
        let wanted = terms.sum::<f64>() / N as f64;
        assert!((f64::from(*c) / wanted - 1.0).abs() < 1e-6);
    }
    let tiny = ImageShape { channels: 3, height: 4, width: 4 };
    assert!(Perceptual::new(features.clone(), tiny, PerceptualWeights::default()).is_err());
    let negative = PerceptualWeights { squared: -1.0, ..PerceptualWeights::default() };
    assert!(matches!(Perceptual::new(features, SMALL, negative), Err(Error::InvalidConfig { .. })));
    let three = points::<3>(vec![0.0; 6]).unwrap();
    assert!(matches!(cost.paired(&three, three.clone()), Err(Error::Shape { .. })));
}
