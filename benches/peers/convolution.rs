//! Convolutions and training steps of image networks for the comparison with PyTorch in
//! `convolution.py`.
//!
//! The protocol of `steps.rs`: lines `<case> <steps>`, each answered with the median milliseconds of a
//! step. `THREADS` is the number of threads; `CLOCK` is `cpu` (time of the process) or `wall`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::BufRead;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use brenier::function::image::*;
use brenier::function::AdamConfig;
use brenier::ops::*;
use brenier::prelude::*;
use cpu_time::ProcessTime;
use dfdx::prelude::*;

/// What is timed, and what comes before it and is not.
struct Training {
    prepare: Box<dyn FnMut()>,
    /// Returns the part of its time that does not count.
    step: Box<dyn FnMut() -> Result<Duration>>,
}

/// The time of the clock that was asked for.
fn now() -> Duration {
    static START: LazyLock<Option<Instant>> =
        LazyLock::new(|| std::env::var("CLOCK").is_ok_and(|c| c == "wall").then(Instant::now));
    START.map_or_else(|| ProcessTime::now().as_duration(), |start| start.elapsed())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::var("THREADS").map_or(Ok(1), |t| t.parse())?;
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let mut cases: HashMap<String, Training> = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (case, steps) = line.split_once(' ').ok_or("a line is `<case> <steps>`")?;
        let training = match cases.entry(case.to_owned()) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => new.insert(training(case)?),
        };
        let mut times: Vec<Duration> = Vec::new();
        for _ in 0..steps.parse()? {
            (training.prepare)();
            let start = now();
            let waived = (training.step)()?;
            times.push(now() - start - waived);
        }
        times.sort();
        println!("{}", times[times.len() / 2].as_secs_f64() * 1e3);
    }
    Ok(())
}

fn training(case: &str) -> std::result::Result<Training, Box<dyn std::error::Error>> {
    let image = Convolution::image;
    Ok(match case {
        "conv64" => convolution::<65536, 65536>(image(64, 64, [32, 32], [3, 3]).padding(1), 64)?,
        "conv128" => convolution::<32768, 32768>(image(128, 128, [16, 16], [3, 3]).padding(1), 64)?,
        "down" => {
            let c = image(64, 128, [32, 32], [4, 4]).stride(2).padding(1);
            convolution::<65536, 32768>(c, 64)?
        }
        "few" => convolution::<3072, 65536>(image(3, 64, [32, 32], [3, 3]).padding(1), 64)?,
        "conv3d" => {
            let c = Convolution::volume(32, 32, [16; 3], [3; 3]).padding(1);
            convolution::<131072, 131072>(c, 16)?
        }
        "not2d" => transport::<
            3072,
            AsImage<3, 32, 32, UNetOf3<3, 3, 32, 64, 128>>,
            AsImage<3, 32, 32, ResNetD32<3, 64, 128, 256, 512, 512>>,
        >(16)?,
        "not3d" => transport::<
            12288,
            AsVolume<3, 16, 16, 16, VolumeUNetOf3<3, 3, 32, 64, 128>>,
            AsVolume<3, 16, 16, 16, VolumeResNetD16<3, 32, 64, 128, 128>>,
        >(8)?,
        "not64" => transport::<
            12288,
            AsImage<3, 64, 64, UNet<3, 3, 48, 96, 192, 384>>,
            AsImage<3, 64, 64, ResNetD64<3, 64, 128, 256, 512, 512, 512>>,
        >(16)?,
        _ => return Err(format!("no case {case}").into()),
    })
}

/// Forward and backward of a convolution with bias; the gradient of its outputs are constants, which move
/// to their place as they are: neither side copies them. `dfdx` makes that place out of zeros, which PyTorch,
/// given a reference, does not: that does not count.
fn convolution<const N: usize, const M: usize>(c: Convolution, n: usize) -> Result<Training> {
    let [x, w, seed] = Key::new(0).split();
    let device = Cpu::default();
    let (x, seed) = (points::<N>(x.normal(n * N))?, seed.normal(n * M));
    let w = device.tensor_from_vec(w.normal(c.weight_len()), (c.weight_len(),));
    let b = device.tensor_from_vec(vec![0.1; c.outputs], (c.outputs,));
    let given = Rc::new(RefCell::new(Vec::new()));
    let taken = given.clone();
    let prepare = Box::new(move || *given.borrow_mut() = seed.clone());
    let step = Box::new(move || {
        let extent = Extent { channels: c.inputs, size: c.size };
        let (mut program, inputs) = Program::new(&[extent]);
        program.convolution(inputs[0], c, Weights { weight: &w, bias: Some(&b) }, 1.0);
        let y = Cpu::run::<N, M, _>(x.leaky_trace(), program);
        // Something whose gradient in y is the seed; its value is not asked for, as in the peer.
        let (y, mut tape) = y.split_tape();
        let (value, seed): (Tensor<Rank0, f32, Cpu>, _) = (y.device().tensor(0.0), taken.take());
        let waived = Rc::new(Cell::new(Duration::ZERO));
        let to = waived.clone();
        tape.add_backward_op(move |gradients| {
            let start = now();
            **gradients.get_or_alloc_mut(&y)? = seed;
            to.set(now() - start);
            Ok(())
        });
        std::hint::black_box(value.put_tape(tape).backward());
        Ok(waived.get())
    });
    Ok(Training { prepare, step })
}

/// One strong-NOT step: one map step and one potential step.
fn transport<const N: usize, T, F>(n: usize) -> Result<Training>
where
    T: TransportMap<N> + BuildModule<Cpu, f32> + Clone + 'static,
    F: Potential<N> + BuildModule<Cpu, f32> + Clone + 'static,
{
    let adam = AdamConfig::with_rate(1e-4);
    let [f, t, p, q] = Key::new(0).split();
    let (f, t): (F, T) = (build(f), build(t));
    let mut config =
        NotConfig::<SqEuclidean> { map: adam.clone(), potential: adam, ..Default::default() };
    config.map_steps = 1;
    let source = points(p.normal(config.source_parts() * n * N))?;
    let batch = Batch::new(source, points(q.normal(n * N))?)?;
    let mut state = Some(not_init(&config, f, t)?);
    let step = Box::new(move || {
        if let Some(s) = state.take() {
            state = Some(not_step(&config, s, &batch, Key::new(0))?.0);
        }
        Ok(Duration::ZERO)
    });
    Ok(Training { prepare: Box::new(|| ()), step })
}
