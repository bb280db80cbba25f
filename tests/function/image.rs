//! Layers and networks of images and volumes against PyTorch (`golden/make_image.py`) and differences.

use crate::common::torch::*;
use crate::common::*;
use brenier::function::build;
use brenier::function::image::*;
use brenier::ops::*;
use brenier::random::Key;
use brenier::tensor::{points_on, rows, Points, Taped};
use dfdx::prelude::*;

type Array = Tensor<(usize,), f64, Cpu>;
type Recorded = Program<f64, Cpu>;

/// A layer against the file, and its gradients against differences along a direction.
fn layer<const N: usize, const M: usize>(
    name: &str,
    extent: Extent,
    write: impl Fn(&mut Recorded, Value, &[Array]),
) {
    let file = golden("image.json");
    let case = find(&file["layers"], name);
    let device = Cpu::default();
    let shape = sizes(&case["x"]);
    let numbers_of_x = named("x", shape.iter().product());
    let x: Points<N, f64> = points_on(&device, numbers_of_x).expect("points");
    let listed = case["parameters"].as_array().expect("a list");
    let weights: Vec<Array> = listed
        .iter()
        .map(|p| {
            let values = parameter(p["name"].as_str().expect("a name"), &sizes(&p["shape"]));
            let n = values.len();
            device.tensor_from_vec(values, (n,))
        })
        .collect();
    let program = |weights: &[Array]| {
        let (mut program, inputs) = Program::new(&[extent]);
        write(&mut program, inputs[0], weights);
        program
    };
    let y = Cpu::run::<N, M, _>(taped(&x), program(&weights));
    check(name, &y.as_vec(), &case["y"]);
    let plain = rows(&Cpu::run::<N, M, _>(x.clone(), program(&weights)));
    assert!(plain == y.as_vec(), "{name}: the same on the tape");
    let gradients = loss(y).backward();
    let dx = gradients.get(&x).as_vec();
    check(&format!("{name}: x"), &dx, &case["dx"][0]);

    let at = |x: &Points<N, f64>, weights: &[Array]| {
        loss(Cpu::run::<N, M, _>(x.clone(), program(weights))).as_vec()[0]
    };
    let compare = |what: &str, slope: &[f64], moved: &dyn Fn(f64) -> f64| {
        let direction = named("direction", slope.len());
        let exact: f64 = slope.iter().zip(&direction).map(|(s, d)| s * d).sum();
        let h = 1e-6;
        let difference = (moved(h) - moved(-h)) / (2.0 * h);
        // Rounding of a loss of order 100 divided by h, and h² of its third derivative.
        assert!((difference - exact).abs() < 1e-7 * exact.abs().max(10.0), "{name}: {what}");
    };
    let move_by = |v: Vec<f64>, h: f64| -> Vec<f64> {
        let direction = named("direction", v.len());
        v.iter().zip(direction).map(|(v, d)| v + h * d).collect()
    };
    compare("x", &dx, &|h| {
        at(&points_on(&device, move_by(rows(&x), h)).expect("points"), &weights)
    });
    for (i, p) in listed.iter().enumerate() {
        let slope = gradients.get(&weights[i]).as_vec();
        let what = p["name"].as_str().expect("a name");
        check(&format!("{name}: {what}"), &slope, &p["gradient"]);
        compare(what, &slope, &|h| {
            let mut all = weights.clone();
            let moved = move_by(all[i].as_vec(), h);
            all[i] = device.tensor_from_vec(moved, (slope.len(),));
            at(&x, &all)
        });
    }
}

fn weights(w: &[Array]) -> Weights<'_, (usize,), (usize,), f64, Cpu> {
    Weights { weight: &w[0], bias: Some(&w[1]) }
}

const IMAGE: Extent = Extent { channels: 4, size: [1, 6, 5] };
const VOLUME: Extent = Extent { channels: 3, size: [4, 5, 4] };

#[test]
fn convolutions() {
    let c = Convolution::image(4, 6, [6, 5], [3, 3]).padding(1);
    layer::<120, 180>("conv2d", IMAGE, |p, x, w| {
        p.convolution(x, c, weights(w), 1.0);
    });
    layer::<120, 54>("conv2d stride 2", IMAGE, |p, x, w| {
        p.convolution(x, c.stride(2), weights(w), 1.0);
    });
    layer::<120, 180>("conv2d dilation 2", IMAGE, |p, x, w| {
        p.convolution(x, c.dilation(2).padding(2), weights(w), 1.0);
    });
    layer::<120, 180>("conv2d groups 2", IMAGE, |p, x, w| {
        p.convolution(x, c.groups(2), weights(w), 1.0);
    });
    layer::<120, 180>("conv2d leaky", IMAGE, |p, x, w| {
        p.convolution(x, c, weights(w), 0.2);
    });
    let c = Convolution::volume(3, 5, VOLUME.size, [3; 3]).padding(1);
    layer::<240, 400>("conv3d", VOLUME, |p, x, w| {
        p.convolution(x, c, weights(w), 1.0);
    });
    layer::<240, 60>("conv3d stride 2", VOLUME, |p, x, w| {
        p.convolution(x, c.stride(2), weights(w), 1.0);
    });
    let c = Convolution::image(6, 4, [12, 10], [4, 4]).stride(2).padding(1);
    layer::<120, 720>("transposed conv2d", IMAGE, |p, x, w| {
        p.transposed_convolution(x, c, weights(w), 1.0);
    });
    let c = Convolution::volume(2, 3, [8, 10, 8], [2; 3]).stride(2);
    layer::<240, 1280>("transposed conv3d", VOLUME, |p, x, w| {
        p.transposed_convolution(x, c, weights(w), 1.0);
    });
    layer::<120, 3>("linear", IMAGE, |p, x, w| {
        p.linear(x, 3, weights(w), 1.0);
    });
}

#[test]
fn poolings() {
    let windows = Convolution::image(1, 1, [6, 6], [2, 2]).stride(2);
    layer::<144, 36>("max pool", Extent::image(4, 6, 6), |p, x, _| {
        p.max_pool(x, windows);
    });
    let windows = Convolution::image(1, 1, [6, 5], [3, 3]).stride(2).padding(1);
    layer::<120, 36>("max pool 3 2 1", IMAGE, |p, x, _| {
        p.max_pool(x, windows);
    });
    layer::<120, 36>("average pool 3 2 1", IMAGE, |p, x, _| {
        p.average_pool(x, windows, false);
    });
    layer::<120, 36>("average pool inside", IMAGE, |p, x, _| {
        p.average_pool(x, windows, true);
    });
    let windows = Convolution::volume(1, 1, [4; 3], [2; 3]).stride(2);
    layer::<192, 24>("max pool 3d", Extent::volume(3, [4; 3]), |p, x, _| {
        p.max_pool(x, windows);
    });
    let windows = Convolution::volume(1, 1, VOLUME.size, [3; 3]).stride(2).padding(1);
    layer::<240, 36>("average pool 3d", VOLUME, |p, x, _| {
        p.average_pool(x, windows, false);
    });
}

#[test]
fn upsamplings() {
    use Interpolation::*;
    for (name, how) in
        [("nearest", Nearest), ("bilinear corners", LinearCorners), ("bilinear edges", LinearEdges)]
    {
        layer::<120, 480>(name, IMAGE, |p, x, _| {
            p.upsample(x, [1, 2, 2], how);
        });
    }
    layer::<120, 252>("bilinear to 9 7", IMAGE, |p, x, _| {
        p.resize(x, [1, 9, 7], LinearEdges);
    });
    for (name, how) in [("trilinear corners", LinearCorners), ("trilinear edges", LinearEdges)] {
        layer::<240, 1920>(name, VOLUME, |p, x, _| {
            p.upsample(x, [2; 3], how);
        });
    }
}

#[test]
fn norms_and_activations() {
    type None1 = Option<Running<'static, (usize,), f64, Cpu>>;
    layer::<120, 120>("batch norm", IMAGE, |p, x, w| {
        p.norm::<Relu, _, _, _>(x, NormKind::Batch, Some((&w[0], &w[1])), None1::None);
    });
    layer::<120, 120>("group norm", IMAGE, |p, x, w| {
        p.norm::<Silu, _, _, _>(x, NormKind::Groups(2), Some((&w[0], &w[1])), None1::None);
    });
    let none: Option<(&Array, &Array)> = None;
    for (name, groups) in [("instance norm", 4), ("layer norm", 1)] {
        layer::<120, 120>(name, IMAGE, |p, x, _| {
            p.norm::<Identity, _, _, _>(x, NormKind::Groups(groups), none, None1::None);
        });
    }
    layer::<120, 120>("layer norm over channels", IMAGE, |p, x, w| {
        p.layer_norm(x, (&w[0], &w[1]));
    });
    layer::<120, 120>("layer norm with affine", IMAGE, |p, x, w| {
        let x = p.norm::<Identity, _, _, _>(x, NormKind::Groups(1), none, None1::None);
        p.affine(x, (&w[0], &w[1]));
    });
    layer::<120, 120>("gelu", IMAGE, |p, x, _| {
        p.activate::<Gelu>(x);
    });
}

#[test]
fn attention_and_embeddings() {
    layer::<72, 24>("attention", Extent::image(12, 3, 2), |p, x, _| {
        p.attention(x, 2);
    });
    layer::<72, 24>("linear attention", Extent::image(12, 3, 2), |p, x, _| {
        p.linear_attention(x, 2);
    });
    layer::<120, 120>("transpose", IMAGE, |p, x, _| {
        p.transpose(x, [1, 2, 2]);
    });
    layer::<1, 8>("sinusoidal", Extent::vector(1), |p, x, _| {
        p.sinusoidal(x, 8);
    });
    layer::<1, 8>("edm", Extent::vector(1), |p, x, _| {
        p.edm_embedding(x, 8);
    });
}

/// A network with the names, shapes, values, gradients and running statistics of PyTorch.
fn network<const N: usize, const M: usize, P>(name: &str)
where
    P: BuildModule<Cpu, f64>
        + TensorCollection<f64, Cpu>
        + Module<Points<N, f64>, Output = Points<M, f64>>
        + Module<Points<N, f64, Cpu, Taped<f64>>, Output = Points<M, f64, Cpu, Taped<f64>>>
        + Clone
        + std::fmt::Debug,
{
    let file = golden("image.json");
    let case = find(&file["networks"], name);
    let mut net: P = build(Key::new(0));
    with_parameters(name, &mut net, case);
    let samples = sizes(&case["shape"])[0];
    let x: Points<N, f64> = points_on(&Cpu::default(), named("x", samples * N)).expect("points");
    check(&format!("{name} settled"), &rows(&net.forward(x.clone())), &case["settled"]);

    let y = net.forward(taped(&x));
    check(name, &y.as_vec(), &case["y"]);
    let gradients = loss(y).backward();
    check(&format!("{name}: x"), &gradients.get(&x).as_vec(), &case["dx"][0]);
    check_gradients(name, (net, case), |learner| learner.traced(&x));
}

#[test]
fn networks_are_those_of_pytorch() {
    network::<768, 1, AsImage<3, 16, 16, ResNetD16<3, 3, 4, 6, 8, f64>>>("ResNetD16");
    network::<8192, 1, AsVolume<2, 16, 16, 16, VolumeResNetD16<2, 2, 3, 4, 4, f64>>>(
        "VolumeResNetD16",
    );
    network::<3072, 3072, AsImage<3, 32, 32, UNet<3, 3, 3, 4, 6, 8, f64>>>("UNet");
    network::<768, 768, AsImage<2, 16, 24, UNetOf3<2, 2, 4, 6, 5, f64>>>("UNetOf3");
    type Coder = AutoEncoder<2, 4, 2, 1, 2, 4, 8, 16, 32, f64>;
    network::<4096, 4096, AsImage<2, 32, 64, Coder>>("AutoEncoder");
    type Conditional = ConditionalUNet<2, 2, 3, 2, 3, 4, 5, f64>;
    network::<2051, 2048, AsNoisyImage<2, 32, 32, 3, 2048, Conditional>>("ConditionalUNet");
    network::<2048, 2048, AsVolume<2, 8, 8, 16, VolumeUNetOf3<2, 2, 3, 4, 4, f64>>>(
        "VolumeUNetOf3",
    );
}

#[test]
fn networks_do_not_depend_on_threads() {
    let x = cloud::<768, f32>(1, 5);
    let net: AsImage<2, 16, 24, UNetOf3<2, 2, 4, 6, 5>> = build(Key::new(1));
    on_any_threads(|| {
        let y = net.forward(x.leaky_trace());
        let values = y.as_vec();
        let gradients = y.square().mean().backward();
        (values, gradients.get(&x).as_vec(), gradients.get(&net.0.outc.conv.weight).as_vec())
    });
}
