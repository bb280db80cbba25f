//! State dicts of PyTorch, loaded by name (`golden/make_state_dict.py`).

use crate::common::torch::*;
use crate::common::*;
use brenier::function::image::*;
use brenier::prelude::*;

type Map = AsImage<1, 8, 8, UNetOf3<1, 1, 4, 4, 6>>;
type Potential = AsImage<2, 16, 16, ResNetD16<2, 2, 3, 4, 4>>;

fn file(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/state_dicts").join(name)
}

fn as_it_is(name: &str) -> Option<String> {
    Some(name.into())
}

fn without_prefix(name: &str) -> Option<String> {
    name.strip_prefix("module.").map(String::from)
}

fn inputs<const N: usize>(n: usize) -> Points<N> {
    points(named("x", n * N).into_iter().map(|v| v as f32).collect()).expect("points")
}

/// The output of PyTorch, up to the rounding of some hundred operations in single precision.
fn check(name: &str, y: &[f32]) {
    let file = golden("state_dict.json");
    let expected = numbers(&find(&file["cases"], name)["y"]);
    assert_eq!(y.len(), expected.len());
    let size = expected.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    for (y, e) in y.iter().zip(expected) {
        assert!((f64::from(*y) - e).abs() < 2e-6 * size, "{name}: {y} for {e}");
    }
}

#[test]
fn networks_of_pytorch_load_by_name() {
    let mut map: Map = build(Key::new(0));
    weights::load_state_dict(&file("unet.safetensors"), &mut map, as_it_is).unwrap();
    check("unet", &rows(&map.forward(inputs::<64>(1))));
    let mut potential: Potential = build(Key::new(0));
    weights::load_state_dict(&file("resnet.safetensors"), &mut potential, without_prefix).unwrap();
    check("resnet", &rows(&potential.forward(inputs::<512>(2))));
}

#[test]
fn what_does_not_fit_is_named() {
    let mut potential: Potential = build(Key::new(0));
    let x = inputs::<512>(2);
    let before = rows(&potential.forward(x.clone()));
    let mut refused = |file: &std::path::Path, rename: &dyn Fn(&str) -> Option<String>| {
        let error = weights::load_state_dict(file, &mut potential, rename).unwrap_err();
        assert!(rows(&potential.forward(x.clone())) == before, "the module is as it was");
        error.to_string()
    };
    let resnet = file("resnet.safetensors");
    // Names that were not translated: each array is missing, and each of the file unknown.
    let said = refused(&resnet, &as_it_is);
    assert!(said.contains("resnet.safetensors") && said.contains("conv_img.weight is missing"));
    assert!(said.contains("module.fc.bias is unknown to the module"), "{said}");
    // One array left out, then one too many.
    let said = refused(&resnet, &|n| without_prefix(n).filter(|n| n != "fc.bias"));
    assert!(said.ends_with("its arrays do not fit this state: fc.bias is missing"), "{said}");
    let said = refused(&file("unet.safetensors"), &as_it_is);
    assert!(said.contains("inc.double_conv.0.weight is unknown"), "{said}");
    assert!(!said.contains("num_batches_tracked"), "{said}");
    // Two names for one.
    let said = refused(&resnet, &|_| Some("fc.bias".into()));
    assert!(said.contains("both renamed to fc.bias"), "{said}");
    assert!(refused(&file("none.safetensors"), &as_it_is).contains("none.safetensors"));

    // Wider than what was saved.
    let mut wide: AsImage<2, 16, 16, ResNetD16<2, 2, 3, 4, 5>> = build(Key::new(0));
    let said =
        weights::load_state_dict(&resnet, &mut wide, without_prefix).unwrap_err().to_string();
    let shape = "fc.weight has shape [1, 64], the module wants [1, 80]";
    assert!(said.contains(shape), "{said}");
}
