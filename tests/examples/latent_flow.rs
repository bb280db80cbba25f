//! Latents in files.

use brenier::prelude::*;

use crate::program::{bytes_of, example, printed, refusal};

/// Latents of 16 numbers that are shifted by 3: so are their images, roughly, and in their units.
#[test]
fn latents_are_moved_to_the_target() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let write = |name: &str, key: Key, shift: f32| {
        let values: Vec<f32> = key.normal(200 * 16).iter().map(|z| 10.0 * (z + shift)).collect();
        let (shape, bytes) = (vec![200, 4, 4], bytes_of(&values));
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, &bytes);
        let file = safetensors::serialize([("latents", view.unwrap())], None).unwrap();
        std::fs::write(at(name), file).unwrap();
    };
    write("a.safetensors", Key::new(1), 0.0);
    write("b.safetensors", Key::new(2), 3.0);
    let program = || {
        let mut program = example("latent_flow");
        for (flag, name) in
            [("--source", "a.safetensors"), ("--target", "b.safetensors"), ("--out", "out")]
        {
            program.arg(flag).arg(at(name));
        }
        program
    };
    printed(program().args(["--steps", "60", "--batch", "64", "--rate", "3e-3"]));
    let images = weights::read(&at("out/images.safetensors")).unwrap();
    assert_eq!(images[0].shape, [200, 16]);
    let mean = images[0].values.iter().map(|v| f64::from(*v)).sum::<f64>() / 3200.0;
    assert!((mean - 30.0).abs() < 8.0, "{mean}");
    let said = refusal(program().args(["--source-name", "x"]));
    assert!(said.contains("latents"), "{said}");
}
