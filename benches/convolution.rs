//! Single convolutions, forward and backward.
//!
//! Names are `op/conv/<kernel>,<channels>,<sides>,n=<batch>`; their floors are in `docs/benchmarking.md`.

use std::hint::black_box;

use brenier::ops::{Convolution, Extent, LayerOp, Program, Weights};
use brenier::prelude::*;
use criterion::{criterion_group, criterion_main, Criterion};
use dfdx::prelude::*;

fn convolution<const N: usize, const M: usize>(
    c: &mut Criterion,
    name: &str,
    shape: Convolution,
    n: usize,
) {
    let [x, w] = Key::new(0).split();
    let x = points::<N>(x.normal(n * N)).expect("finite points");
    let w = Cpu::default().tensor_from_vec(w.normal(shape.weight_len()), (shape.weight_len(),));
    let b = Cpu::default().tensor_from_vec(vec![0.1; shape.outputs], (shape.outputs,));
    let program = || {
        let extent = Extent { channels: shape.inputs, size: shape.size };
        let (mut program, inputs) = Program::new(&[extent]);
        let weights = Weights { weight: &w, bias: Some(&b) };
        program.convolution(inputs[0], shape, weights, 1.0);
        program
    };
    c.bench_function(&format!("op/conv/forward,{name},n={n}"), |b| {
        b.iter(|| Cpu::run::<N, M, _>(black_box(x.clone()), program()));
    });
    c.bench_function(&format!("op/conv/forward+backward,{name},n={n}"), |b| {
        b.iter(|| Cpu::run::<N, M, _>(x.leaky_trace(), program()).mean().backward());
    });
}

fn images(c: &mut Criterion) {
    let image = Convolution::image;
    let shape = image(64, 64, [32, 32], [3, 3]).padding(1);
    convolution::<65536, 65536>(c, "3x3,64-64,32x32", shape, 64);
    let shape = image(128, 128, [16, 16], [3, 3]).padding(1);
    convolution::<32768, 32768>(c, "3x3,128-128,16x16", shape, 64);
    let shape = image(64, 128, [32, 32], [4, 4]).stride(2).padding(1);
    convolution::<65536, 32768>(c, "4x4/2,64-128,32x32", shape, 64);
    let shape = image(3, 64, [32, 32], [3, 3]).padding(1);
    convolution::<3072, 65536>(c, "3x3,3-64,32x32", shape, 64);
}

fn volumes(c: &mut Criterion) {
    let shape = Convolution::volume(32, 32, [16; 3], [3; 3]).padding(1);
    convolution::<131_072, 131_072>(c, "3x3x3,32-32,16x16x16", shape, 16);
}

criterion_group!(benches, images, volumes);
criterion_main!(benches);
