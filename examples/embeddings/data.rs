//! Embeddings from files, or drawn from laws whose map is known.

use std::path::Path;

use anyhow::{bail, ensure, Context};
use brenier::data::{read_npy, read_safetensors, Array, Npz, VonMisesFisher};
use brenier::prelude::*;

use crate::Arguments;

/// Unit vectors, row by row.
pub struct Data {
    pub width: usize,
    pub source: Vec<f32>,
    pub target: Vec<f32>,
    pub test_source: Vec<f32>,
    /// Row i belongs to row i of the source, if `paired`; of a synthetic pair the extremal images.
    pub test_target: Vec<f32>,
    pub paired: bool,
    /// Of the rows of the test, if there are any.
    pub captions: Vec<String>,
    pub synthetic: bool,
}

impl Data {
    pub fn read(a: &Arguments) -> anyhow::Result<Self> {
        match (&a.pairs, &a.source, &a.target, a.synthetic) {
            (Some(pairs), ..) => Self::pairs(pairs, a.captions.as_deref()),
            (_, Some(source), Some(target), _) => Self::files(source, target),
            (.., Some(64)) => synthetic::<64>(a.rows),
            (.., Some(768)) => synthetic::<768>(a.rows),
            (.., Some(d)) => bail!("synthetic laws of width 64 and 768 are compiled in, not {d}"),
            _ => bail!("no data: give --pairs, --source with --target, or --synthetic"),
        }
    }

    fn pairs(path: &Path, captions: Option<&Path>) -> anyhow::Result<Self> {
        let mut archive = Npz::open(path)?;
        let (text, image): (Array<f32>, Array<f32>) =
            (archive.array("text")?, archive.array("image")?);
        ensure!(text.shape == image.shape, "{}: text and image differ in shape", path.display());
        let mut indices = |name| -> anyhow::Result<Vec<usize>> {
            let found: Array<i64> = archive.array(name)?;
            Ok(found.values.iter().map(|i| usize::try_from(*i)).collect::<Result<_, _>>()?)
        };
        let source = text.select(&indices("split_trainA_text")?)?;
        let target = image.select(&indices("split_trainB_image")?)?;
        let test = indices("split_test")?;
        let captions = match captions {
            None => Vec::new(),
            Some(path) => {
                let json: serde_json::Value = serde_json::from_slice(&std::fs::read(path)?)?;
                let all = json["description"].as_array().context("no list `description`")?;
                let one =
                    |i: &usize| all.get(*i).and_then(|v| v.as_str()).unwrap_or("?").to_owned();
                test.iter().map(one).collect()
            }
        };
        let width = text.rows().1;
        Ok(Self {
            width,
            source: unit(source.values, width)?,
            target: unit(target.values, width)?,
            test_source: unit(text.select(&test)?.values, width)?,
            test_target: unit(image.select(&test)?.values, width)?,
            paired: true,
            captions,
            synthetic: false,
        })
    }

    fn files(source: &str, target: &str) -> anyhow::Result<Self> {
        let (source, target) = (matrix(source)?, matrix(target)?);
        let width = source.rows().1;
        ensure!(target.rows().1 == width, "source and target differ in width");
        let cut = |a: Array<f32>| -> anyhow::Result<[Vec<f32>; 2]> {
            let n = a.rows().0;
            ensure!(n >= 10, "at least ten rows of each side are needed, not {n}");
            let mut train = unit(a.values, width)?;
            let test = train.split_off((n - n / 5) * width);
            Ok([train, test])
        };
        let ([source, test_source], [target, test_target]) = (cut(source)?, cut(target)?);
        let (captions, paired, synthetic) = (Vec::new(), false, false);
        Ok(Self { width, source, target, test_source, test_target, paired, captions, synthetic })
    }
}

/// P uniform on the sphere, Q of concentration 2 N on the cap of cosines above 0.7 around the same axis.
pub fn laws<const N: usize>() -> Result<[VonMisesFisher<N>; 2]> {
    let axis = [1.0; N];
    Ok([VonMisesFisher::new(axis, 0.0, -1.0)?, VonMisesFisher::new(axis, 2.0 * N as f64, 0.7)?])
}

fn synthetic<const N: usize>(n: usize) -> anyhow::Result<Data> {
    let [p, q] = laws::<N>()?;
    let [a, b, c] = Key::new(77).split();
    let test = p.sample(c, 1000)?;
    Ok(Data {
        width: N,
        source: rows(&p.sample(a, n)?),
        target: rows(&q.sample(b, n)?),
        test_target: rows(&p.along_meridians(&test, |_| 0.7)?),
        test_source: rows(&test),
        paired: true,
        captions: Vec::new(),
        synthetic: true,
    })
}

/// FILE.npy, FILE.npz:NAME or FILE.safetensors:NAME.
fn matrix(text: &str) -> anyhow::Result<Array<f32>> {
    let (file, name) = text.rsplit_once(':').unwrap_or((text, ""));
    let path = Path::new(file);
    let array: Array<f32> = match path.extension().and_then(|e| e.to_str()) {
        Some("npy") => read_npy(path)?,
        Some("npz") => Npz::open(path)?.array(name)?,
        Some("safetensors") => {
            let mut all = read_safetensors(path)?;
            let names: Vec<String> = all.keys().cloned().collect();
            all.remove(name).with_context(|| format!("no `{name}` in {file}, but {names:?}"))?
        }
        _ => bail!("{file}: .npy, .npz:NAME and .safetensors:NAME are read"),
    };
    ensure!(array.shape.len() == 2, "{text} has shape {:?}, [rows, width] wanted", array.shape);
    Ok(array)
}

/// Rows of norm 1.
fn unit(mut values: Vec<f32>, width: usize) -> anyhow::Result<Vec<f32>> {
    for (i, row) in values.chunks_exact_mut(width).enumerate() {
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
        ensure!(norm > 0.0 && norm.is_finite(), "row {i} has norm {norm}");
        row.iter_mut().for_each(|v| *v /= norm);
    }
    Ok(values)
}
