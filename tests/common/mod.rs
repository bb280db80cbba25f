//! What several test files share. Each of them is a crate of its own and uses a part of it.
#![allow(dead_code, unused_imports, unused_macros)]

pub mod torch;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use brenier::function::{arrays, replace, NamedArray};
use brenier::ops::*;
use brenier::random::Key;
use brenier::tensor::{points_on, Points};
use dfdx::prelude::*;

/// `n` standard normal numbers, the same in f32 and f64.
pub fn normals<E: Real>(seed: u64, n: usize) -> Vec<E> {
    Key::new(seed).normal(n).into_iter().map(|v| E::of(f64::from(v))).collect()
}

/// `n` standard normal points.
pub fn cloud<const N: usize, E: Real>(seed: u64, n: usize) -> Points<N, E>
where
    Cpu: Device<E>,
{
    points_on(&Cpu::default(), normals(seed, n * N)).expect("finite coordinates")
}

/// A module whose parameters are normal with standard deviation `scale`, the same in f32 and f64.
pub fn module<P, E: Real>(seed: u64, scale: f64) -> P
where
    Cpu: Engine<E>,
    P: BuildModule<Cpu, E> + TensorCollection<E, Cpu>,
{
    let mut built: P = brenier::function::build(Key::new(seed));
    let mut values = arrays(&built);
    for (i, array) in values.iter_mut().enumerate() {
        let normal = Key::new(seed).fold_in(i as u64).normal(array.values.len());
        // Rounded to f32 once, whatever the number type.
        array.values = normal.iter().map(|v| E::of(f64::from(v * scale as f32))).collect();
    }
    replace(&mut built, &values).expect("the arrays are those of the module");
    built
}

/// The norm of the gradient of `loss` in the parameters of `module`, by differences.
pub fn gradient_norm<P>(module: &P, loss: impl Fn(&P) -> f64) -> f64
where
    P: TensorCollection<f64, Cpu> + Clone,
{
    let start = arrays(module);
    let mut square = 0.0;
    for a in 0..start.len() {
        for i in 0..start[a].values.len() {
            let at = |by: f64| {
                let mut values = start.clone();
                values[a].values[i] += by;
                let mut moved = module.clone();
                replace(&mut moved, &values).expect("the arrays are those of the module");
                loss(&moved)
            };
            square += ((at(1e-4) - at(-1e-4)) / 2e-4).powi(2);
        }
    }
    square.sqrt()
}

/// The gradient of a tensor, zero if nothing was added to it.
pub fn gradient<S: Shape>(g: &mut Gradients<f64, Cpu>, t: &Tensor<S, f64, Cpu>) -> Vec<f64> {
    g.try_alloc_for(t).expect("memory for a gradient");
    g.get(t).as_vec()
}

/// The largest |a − b|.
pub fn distance<E: Real>(a: &[E], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let each = a.iter().zip(b).map(|(a, b)| (a.double() - b).abs());
    // `f64::max` would pass over NaN.
    each.fold(0.0, |m, d| if d.is_nan() || d > m { d } else { m })
}

/// The largest |a|.
pub fn largest(a: &[f64]) -> f64 {
    a.iter().fold(0.0, |m, v| v.abs().max(m))
}

/// The largest |a − b|, divided by the largest |b|.
pub fn relative<E: Real>(a: &[E], b: &[f64]) -> f64 {
    distance(a, b) / largest(b)
}

/// An activation written once more, from its formula, in terms of its input.
pub trait Formula: Activation {
    /// σ(z).
    fn sigma(z: f64) -> f64;
    /// σ'(z).
    fn prime(z: f64) -> f64;
}

impl Formula for Identity {
    fn sigma(z: f64) -> f64 {
        z
    }
    fn prime(_: f64) -> f64 {
        1.0
    }
}
impl Formula for Relu {
    fn sigma(z: f64) -> f64 {
        z.max(0.0)
    }
    fn prime(z: f64) -> f64 {
        f64::from(u8::from(z > 0.0))
    }
}
impl Formula for LeakyRelu {
    fn sigma(z: f64) -> f64 {
        z.max(0.2 * z)
    }
    fn prime(z: f64) -> f64 {
        if z > 0.0 {
            1.0
        } else {
            0.2
        }
    }
}
impl Formula for Celu {
    fn sigma(z: f64) -> f64 {
        z.max(0.0) + z.exp_m1().min(0.0)
    }
    fn prime(z: f64) -> f64 {
        z.min(0.0).exp()
    }
}
impl Formula for Softplus {
    fn sigma(z: f64) -> f64 {
        (1.0 + z.exp()).ln()
    }
    fn prime(z: f64) -> f64 {
        1.0 / (1.0 + (-z).exp())
    }
}
impl Formula for Silu {
    fn sigma(z: f64) -> f64 {
        z * Softplus::prime(z)
    }
    fn prime(z: f64) -> f64 {
        let s = Softplus::prime(z);
        s + z * s * (1.0 - s)
    }
}
impl Formula for Gelu {
    fn sigma(z: f64) -> f64 {
        0.5 * z * (1.0 + libm::erf(z / 2f64.sqrt()))
    }
    fn prime(z: f64) -> f64 {
        let density = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
        0.5 * (1.0 + libm::erf(z / 2f64.sqrt())) + z * density
    }
}

/// Calls a function with one type parameter for each activation.
macro_rules! for_each_activation {
    ($check:ident) => {
        $check::<Identity>();
        $check::<Relu>();
        $check::<LeakyRelu>();
        $check::<Celu>();
        $check::<Softplus>();
        $check::<Silu>();
        $check::<Gelu>();
    };
}
pub(crate) use for_each_activation;

/// A file of `tests/golden`.
pub fn golden(name: &str) -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let text = std::fs::read_to_string(&path).expect("a golden file");
    serde_json::from_str(&text).expect("JSON")
}

/// A list of numbers.
pub fn numbers(list: &serde_json::Value) -> Vec<f64> {
    let list = list.as_array().expect("a list");
    list.iter().map(|v| v.as_f64().expect("a number")).collect()
}

/// A folder of data that is not part of the repository: `$BRENIER_DATA/name`, or `name` in
/// `../shared/data` beside the repository. Prints a line and returns `None` if it is not there.
pub fn data(name: &str) -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let path = std::env::var_os("BRENIER_DATA").map_or_else(default, PathBuf::from).join(name);
    if !path.is_dir() {
        println!("skipped: no folder {}; BRENIER_DATA may name its parent", path.display());
        return None;
    }
    Some(path)
}

/// The f32 arrays of a safetensors file.
pub fn safetensors(path: &Path) -> Vec<NamedArray<f32>> {
    let bytes = std::fs::read(path).expect("a safetensors file");
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let array = |(name, view): (&str, safetensors::tensor::TensorView)| {
        assert_eq!(view.dtype(), safetensors::Dtype::F32, "{name}");
        let number = |b: &[u8]| f32::from_le_bytes(b.try_into().expect("four bytes"));
        let values = view.data().chunks_exact(4).map(number).collect();
        NamedArray { name: name.into(), shape: view.shape().to_vec(), values }
    };
    file.iter().map(array).collect()
}

/// The f64 arrays of an npz file, row by row.
pub fn npz(path: &Path) -> HashMap<String, Vec<f64>> {
    let file = std::fs::File::open(path).expect("an npz file");
    let mut zip = zip::ZipArchive::new(std::io::BufReader::new(file)).expect("a zip archive");
    let mut arrays = HashMap::new();
    for i in 0..zip.len() {
        let entry = zip.by_index(i).expect("an entry");
        let name = entry.name().trim_end_matches(".npy").to_string();
        let array = npyz::NpyFile::new(entry).expect("an npy array");
        assert_eq!(array.order(), npyz::Order::C, "{name}");
        if array.dtype().descr().contains("f8") {
            arrays.insert(name, array.into_vec().expect("f64 numbers"));
        }
    }
    arrays
}

/// Σₖ |xᵢₖ − yⱼₖ|ᵖ.
pub fn costs(x: &[f64], y: &[f64], d: usize, p: f64) -> Vec<f64> {
    let between =
        |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(x, y)| (x - y).abs().powf(p)).sum() };
    x.chunks(d).flat_map(|x| y.chunks(d).map(move |y| between(x, y))).collect()
}

pub fn normalised(weights: Vec<f64>) -> Vec<f64> {
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

/// Positive weights over about three decades.
pub fn weights(seed: u64, n: usize) -> Vec<f64> {
    normalised(normals(seed, n).iter().map(|v: &f64| v.exp()).collect())
}

pub fn uniform(n: usize) -> Vec<f64> {
    vec![1.0 / n as f64; n]
}

/// Alternating updates f ← −τ ε log Σ b exp((g − C)/ε) in double precision; the plan.
pub fn naive(c: &[f64], a: &[f64], b: &[f64], epsilon: f64, tau: [f64; 2], its: usize) -> Vec<f64> {
    let (f, g) = naive_potentials(c, a, b, epsilon, tau, its);
    let m = b.len();
    (0..c.len())
        .map(|k| a[k / m] * b[k % m] * ((f[k / m] + g[k % m] - c[k]) / epsilon).exp())
        .collect()
}

/// The potentials of those updates.
pub fn naive_potentials(
    c: &[f64],
    a: &[f64],
    b: &[f64],
    epsilon: f64,
    tau: [f64; 2],
    its: usize,
) -> (Vec<f64>, Vec<f64>) {
    let (n, m) = (a.len(), b.len());
    let (mut f, mut g) = (vec![0.0; n], vec![0.0; m]);
    let soft = |terms: &mut dyn Iterator<Item = (f64, f64)>| {
        let terms: Vec<(f64, f64)> = terms.filter(|(w, _)| *w > 0.0).collect();
        let top = terms.iter().fold(f64::NEG_INFINITY, |t, (_, e)| t.max(*e));
        top + terms.iter().map(|(w, e)| w * (e - top).exp()).sum::<f64>().ln()
    };
    for _ in 0..its {
        for i in 0..n {
            let mut terms = (0..m).map(|j| (b[j], (g[j] - c[i * m + j]) / epsilon));
            f[i] = -tau[0] * epsilon * soft(&mut terms);
        }
        for j in 0..m {
            let mut terms = (0..n).map(|i| (a[i], (f[i] - c[i * m + j]) / epsilon));
            g[j] = -tau[1] * epsilon * soft(&mut terms);
        }
    }
    (f, g)
}

/// What `run` gives on one, two and three threads, which must be the same.
pub fn on_any_threads<V: PartialEq + std::fmt::Debug + Send>(run: impl Fn() -> V + Sync) -> V {
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(&run)
    };
    let one = on(1);
    assert_eq!(one, on(2));
    assert_eq!(one, on(3));
    one
}
