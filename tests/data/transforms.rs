//! Transforms against formulas written once more, and batches against what they promise.

use crate::common;
use std::collections::HashSet;

use brenier::data::transform::*;
use brenier::data::*;
use brenier::random::Key;
use brenier::tensor::rows;

/// HSV with full saturation, by the definition f(n) = v − v max(0, min(k, 4 − k, 1)), k = (n + h/60) mod 6.
fn hsv(hue: f64, v: f64) -> [f64; 3] {
    [5.0, 3.0, 1.0].map(|n| {
        let k = (n + hue / 60.0) % 6.0;
        v - v * k.min(4.0 - k).clamp(0.0, 1.0)
    })
}

#[test]
fn hues_are_those_of_the_colour_model() {
    let hues = random_hues(Key::new(0), 500);
    assert!(hues.iter().all(|h| (0.0..360.0).contains(h)));
    let values = Key::new(1).uniform(hues.len() * 2);
    let exact = colour_by_hue(&values, &hues, Sector::Hsv).unwrap();
    let nearest = colour_by_hue(&values, &hues, Sector::Nearest).unwrap();
    let mut same = 0;
    for (i, hue) in hues.iter().enumerate() {
        for p in 0..2 {
            let value = f64::from(values[2 * i + p]);
            let wanted = hsv(f64::from(*hue), value);
            let at = |rgb: &[f32]| [0, 1, 2].map(|c| f64::from(rgb[6 * i + 2 * c + p]));
            // The hue has 24 bits, of which the division by 60 leaves 1e-6 of a sixth.
            let close = |a: [f64; 3]| a.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-5);
            assert!(close(at(&exact)), "{hue}");
            // The published rule agrees in the first half of a sector and keeps the value always.
            let largest = at(&nearest).into_iter().fold(0.0, f64::max);
            assert!((largest - value).abs() < 1e-6);
            assert_eq!(
                close(at(&nearest)) || value < 1e-4,
                hue % 60.0 < 30.0 || value < 1e-4,
                "{hue}"
            );
            same += usize::from(close(at(&nearest)));
        }
    }
    assert!(same > 400 && same < 600);
    assert!(colour_by_hue(&values, &[], Sector::Hsv).is_err());
    assert!(colour_by_hue(&values, &hues[..7], Sector::Hsv).is_err());
    assert!(colour_by_hue(&[1.0], &[f32::NAN], Sector::Hsv).is_err());
}

#[test]
fn volumes_in_four_colours() {
    let colours = random_colours(Key::new(2), 400);
    for colour in VoxelColour::ALL {
        // A quarter of 400, within five standard deviations of 8.7.
        assert!(colours.iter().filter(|&&c| c == colour).count().abs_diff(100) < 44);
    }
    let grey = Key::new(3).uniform(400 * 8);
    let rgb = colour_voxels(&grey, &colours).unwrap();
    for (i, colour) in colours.iter().enumerate() {
        for (c, share) in colour.rgb().into_iter().enumerate() {
            let plane = &rgb[(3 * i + c) * 8..(3 * i + c + 1) * 8];
            assert!(plane.iter().zip(&grey[8 * i..]).all(|(a, b)| *a == share * b));
        }
    }
}

const PLANE: ImageShape = ImageShape { channels: 2, height: 9, width: 9 };

/// A smooth bump away from the centre, at (row, column).
fn bump(row: f32, column: f32) -> Vec<f32> {
    (0..PLANE.numbers())
        .map(|p| {
            let (y, x) = ((p % 81 / 9) as f32 - row, (p % 9) as f32 - column);
            (-(x * x + y * y) / 4.0).exp()
        })
        .collect()
}

#[test]
fn turns_of_images() {
    let image = bump(4.0, 6.0);
    // To the right of the centre; a quarter counter-clockwise takes it above the centre.
    let quarter = rotate_images(PLANE, &image, &[std::f32::consts::FRAC_PI_2], 0.0).unwrap();
    assert!(common::distance(&quarter, &bump(2.0, 4.0).map_each()) < 1e-5);
    // By 30°: within the error of bilinear interpolation, h² / 8 times the second derivatives (½ each).
    let angle = std::f32::consts::FRAC_PI_6;
    let turned = rotate_images(PLANE, &image, &[angle], 0.0).unwrap();
    let (row, column) = (4.0 - 2.0 * angle.sin(), 4.0 + 2.0 * angle.cos());
    let interior = |v: &[f32]| -> Vec<f32> {
        v.iter()
            .enumerate()
            .filter(|(p, _)| (2..7).contains(&(p % 9)) && (2..7).contains(&(p % 81 / 9)))
            .map(|(_, v)| *v)
            .collect()
    };
    let wanted = interior(&bump(row, column));
    assert!(common::distance(&interior(&turned), &wanted.map_each()) < 0.13);
    // Nothing moves without an angle, and what comes from outside is the background.
    assert_eq!(rotate_images(PLANE, &image, &[0.0], 5.0).unwrap(), image);
    let corner = rotate_images(PLANE, &image, &[std::f32::consts::FRAC_PI_4], -1.0).unwrap();
    assert_eq!(corner[0], -1.0);
    let angles = random_angles(Key::new(4), 1000, 0.3);
    assert!(angles.iter().all(|a| a.abs() <= 0.3) && angles.iter().any(|a| *a < -0.25));
}

trait MapEach {
    fn map_each(&self) -> Vec<f64>;
}
impl MapEach for Vec<f32> {
    fn map_each(&self) -> Vec<f64> {
        self.iter().map(|&v| f64::from(v)).collect()
    }
}

#[test]
fn turns_of_volumes() {
    let (shape, digits) = extrude(PLANE, &bump(4.0, 6.0), 9, 3..6).unwrap();
    assert_eq!((shape.depth, shape.numbers()), (9, 2 * 9 * 81));
    // About the axis of depth: every slice as `rotate_images` turns it.
    let angle = 0.4;
    let turned = rotate_volumes(shape, &digits, &[Turn::about_depth(angle)], 0.0).unwrap();
    let plane = rotate_images(PLANE, &bump(4.0, 6.0), &[angle], 0.0).unwrap();
    let (_, wanted) = extrude(PLANE, &plane, 9, 3..6).unwrap();
    assert!(common::distance(&turned, &wanted.map_each()) < 1e-5);
    // A cyclic exchange of the axes moves every voxel to another.
    let cycle = Turn([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
    let random = Key::new(5).uniform(shape.numbers());
    let moved = rotate_volumes(shape, &random, &[cycle], 0.0).unwrap();
    for (p, value) in random[..729].iter().enumerate() {
        // r' = R r: (d, y, x) goes to (x, d, y).
        let (d, y, x) = (p / 81, p / 9 % 9, p % 9);
        assert!((moved[(x * 9 + d) * 9 + y] - value).abs() < 1e-5);
    }
    for turn in random_turns(Key::new(6), 200, TurnAxes::Three) {
        // Orthogonal, of determinant one.
        let r = turn.0.map(|row| row.map(f64::from));
        for i in 0..3 {
            for j in 0..3 {
                let dot: f64 = (0..3).map(|k| r[i][k] * r[j][k]).sum();
                assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-5);
            }
        }
        let cross = |a: [f64; 3], b: [f64; 3]| {
            [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
        };
        let c = cross(r[0], r[1]);
        assert!((0..3).all(|k| (c[k] - r[2][k]).abs() < 1e-5));
    }
    // The mean of uniform turns is zero: entries have variance 1/3.
    let turns = random_turns(Key::new(7), 4000, TurnAxes::Three);
    let mean = |i: usize, j: usize| turns.iter().map(|t| t.0[i][j]).sum::<f32>() / 4000.0;
    assert!((0..9).all(|p| mean(p / 3, p % 3).abs() < 5.0 / (3f32 * 4000.0).sqrt()));
    let about = random_turns(Key::new(8), 9, TurnAxes::Depth { most: 0.2 });
    assert!(about.iter().all(|t| t.0[0] == [1.0, 0.0, 0.0] && t.0[1][1] > 0.2f32.cos() - 1e-6));
    assert!(extrude(PLANE, &random[..162], 9, 3..10).is_err());
    assert!(rotate_volumes(shape, &random, &[], 0.0).is_err());
}

#[test]
fn flips_are_fair_and_their_own_inverse() {
    let shape = ImageShape { channels: 2, height: 2, width: 3 };
    let images = Key::new(9).uniform(400 * 12);
    let mut flipped = images.clone();
    let which = flip_at_random(shape, &mut flipped, Key::new(10)).unwrap();
    assert!(which.iter().filter(|&&w| w).count().abs_diff(200) < 50);
    for (i, &w) in which.iter().enumerate() {
        for p in 0..12 {
            let from = if w { p / 3 * 3 + 2 - p % 3 } else { p };
            assert_eq!(flipped[12 * i + p], images[12 * i + from]);
        }
    }
    flip_at_random(shape, &mut flipped, Key::new(10)).unwrap();
    assert_eq!(flipped, images);
    assert!(flip_at_random(shape, &mut flipped[..7], Key::new(0)).is_err());
}

#[test]
fn transforms_do_not_depend_on_threads() {
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    let shape = ImageShape { channels: 1, height: 8, width: 8 };
    let make = || {
        let [a, b, c] = Key::new(11).split();
        let mut x = a.uniform(64 * 64);
        flip_at_random(shape, &mut x, b).unwrap();
        let x = rotate_images(shape, &x, &random_angles(c, 64, 1.0), 0.0).unwrap();
        colour_by_hue(&x, &random_hues(c, 64), Sector::Nearest).unwrap()
    };
    assert_eq!(pool(1).install(make), pool(3).install(make));
}

#[test]
fn an_epoch_visits_every_sample_once() {
    for (n, batch) in [(10, 3), (9, 3), (5, 5), (7, 1)] {
        let epochs = Epochs::new(n, batch, Key::new(0)).unwrap().with_remainder(Remainder::Keep);
        let per_epoch = epochs.per_epoch();
        assert_eq!(per_epoch, n.div_ceil(batch));
        let all: Vec<_> = epochs.clone().take(6 * per_epoch).collect();
        for epoch in all.chunks(per_epoch) {
            let seen: Vec<usize> = epoch.concat();
            assert_eq!((seen.len(), seen.iter().collect::<HashSet<_>>().len()), (n, n));
        }
        // Going on in the middle gives what would have come.
        let resumed: Vec<_> = epochs.starting_at(2).take(4).collect();
        assert_eq!(resumed, all[2..6]);
    }
    let dropping = Epochs::new(10, 3, Key::new(1)).unwrap();
    assert!(dropping.clone().take(30).all(|b| b.len() == 3));
    // What is left out changes: over 30 epochs every sample is seen.
    assert_eq!(dropping.take(90).flatten().collect::<HashSet<_>>().len(), 10);
    // Uniform permutations: each sample comes first in 1/4 of 4000 epochs, 5 standard deviations are 137.
    let first = (0..4000).map(|e| Epochs::new(4, 4, Key::new(2)).unwrap().batch(e)[0]);
    let counts = first.fold([0usize; 4], |mut c, i| {
        c[i] += 1;
        c
    });
    assert!(counts.iter().all(|c| c.abs_diff(1000) < 137), "{counts:?}");
    assert!(Epochs::new(3, 4, Key::new(0)).is_err() && Epochs::new(3, 0, Key::new(0)).is_err());
}

#[test]
fn batches_made_ahead_are_the_same_bytes() {
    let samples = Samples::<3>::new(Key::new(12).normal(300)).unwrap();
    let batches = |samples: Samples<3>| {
        let epochs = Epochs::new(samples.len(), 16, Key::new(13)).unwrap();
        epochs.take(40).map(move |batch| rows(&samples.gather(&batch).unwrap()))
    };
    let plain: Vec<_> = batches(samples.clone()).collect();
    for ahead in [1, 3, 100] {
        assert_eq!(prefetch(batches(samples.clone()), ahead).unwrap().collect::<Vec<_>>(), plain);
    }
    // Dropped early: the thread ends although there is more, without end.
    let mut endless = prefetch(std::iter::repeat(1), 2).unwrap();
    assert_eq!(endless.next(), Some(1));
    drop(endless);
    // A panic is not taken for the end.
    let failing = prefetch((0..3).map(|i| assert!(i < 2)), 1).unwrap();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| failing.count()));
    assert!(caught.is_err());
    let [a, b] = samples.split(Key::new(14), 30).unwrap();
    let both: Vec<_> = [a.rows(), b.rows()].concat().chunks(3).map(|r| r[0].to_bits()).collect();
    let all: HashSet<_> = samples.rows().chunks(3).map(|r| r[0].to_bits()).collect();
    assert_eq!((a.len(), both.iter().copied().collect::<HashSet<_>>()), (30, all));
    assert!(samples.split(Key::new(0), 100).is_err());
}

#[test]
fn components_and_scales_can_be_undone() {
    // Three strong directions in a space of 8, and points fewer than dimensions in the second case.
    for (n, d) in [(200, 8), (12, 40)] {
        let [a, b, c] = Key::new(15).split();
        let (basis, codes, noise) = (a.normal(3 * d), b.normal(3 * n), c.normal(n * d));
        let x: Vec<f32> = (0..n * d)
            .map(|p| {
                let code =
                    (0..3).map(|k| codes[3 * (p / d) + k] * basis[k * d + p % d]).sum::<f32>();
                5.0 + code + 1e-3 * noise[p]
            })
            .collect();
        let pca = Pca::fit(&x, d, 3).unwrap();
        let y = pca.apply(&x).unwrap();
        let back = pca.invert(&y).unwrap();
        // What three components leave is the noise: at most 6 deviations of 1e-3.
        assert!(x.iter().zip(&back).all(|(a, b)| (a - b).abs() < 6e-3), "{d}");
        // The components are uncorrelated and have the stated variances.
        for i in 0..3 {
            for j in 0..3 {
                let dot: f64 = y.chunks(3).map(|r| f64::from(r[i]) * f64::from(r[j])).sum();
                let wanted = if i == j { pca.variances()[i] } else { 0.0 };
                assert!((dot / n as f64 - wanted).abs() < 1e-5 * pca.variances()[0], "{i} {j}");
            }
        }
        assert!(pca.variances().windows(2).all(|v| v[0] >= v[1]));
        assert!(pca.explained().iter().sum::<f64>() > 0.999);
        // Of full rank nothing is lost.
        let k = d.min(n - 1);
        let full = Pca::fit(&x, d, k).unwrap();
        let again = full.invert(&full.apply(&x).unwrap()).unwrap();
        assert!(x.iter().zip(&again).all(|(a, b)| (a - b).abs() < 2e-5));
        assert!(Pca::fit(&x, d, k + 1).is_err() && Pca::fit(&x, d, 0).is_err());
        let scaling = Standardised::fit(&x, d).unwrap();
        let z = scaling.apply(&x).unwrap();
        for j in 0..d {
            let column = || z.iter().skip(j).step_by(d).map(|&v| f64::from(v));
            let (mean, square) = (column().sum::<f64>(), column().map(|v| v * v).sum::<f64>());
            assert!((mean / n as f64).abs() < 1e-5 && (square / n as f64 - 1.0).abs() < 1e-5);
        }
        let again = scaling.invert(&z).unwrap();
        assert!(x.iter().zip(&again).all(|(a, b)| (a - b).abs() < 2e-5));
    }
    assert!(Pca::fit(&[1.0, f32::NAN, 2.0, 3.0], 2, 1).is_err());
    assert!(Pca::fit(&[1.0, 1.0, 2.0, 2.0, 3.0, 3.0], 2, 2).is_err(), "rank one");
    assert!(Standardised::fit(&[1.0, f32::INFINITY], 1).is_err());
    // A constant coordinate is only shifted.
    assert_eq!(Standardised::fit(&[3.0, 3.0], 1).unwrap().apply(&[3.0, 4.0]).unwrap(), [0.0, 1.0]);
}
