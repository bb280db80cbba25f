//! Activations against PyTorch: value, slope and curvature on a grid from −100 to 100.

use crate::common::{golden, numbers};
use brenier::ops::*;

/// The largest errors of value, slope and curvature on the grid, in units of 2⁻⁵² or 2⁻²³ of
/// max(1, |exact|).
///
/// Near 0 the measure is absolute: a slope that is a function of the output, σ' = y + 1 for instance,
/// is as good as 1 is, not as σ' is. PyTorch's own numbers are good to that, too, not better.
fn errors<E: Real, A: Activation>(name: &str) -> [f64; 3] {
    let file = golden("activations.json");
    let exact = |what: &str| numbers(&file["activations"][name][what]);
    let (value, slope, curvature) = (exact("value"), exact("first"), exact("second"));
    let mut errors = [0f64; 3];
    for (i, z) in numbers(&file["z"]).into_iter().enumerate() {
        let y = A::value(E::of(z));
        let kept = if A::FROM_OUTPUT { y } else { E::of(z) };
        // At 0 the curvature of CELU jumps; either side is right.
        let jump = name == "celu" && z == 0.0;
        let bent = if jump { curvature[i] } else { A::curvature(kept).double() };
        for (error, (found, exact)) in errors.iter_mut().zip([
            (y.double(), value[i]),
            (A::slope(kept).double(), slope[i]),
            (bent, curvature[i]),
        ]) {
            let unit = E::epsilon().double() * exact.abs().max(1.0);
            let e = (found - exact).abs() / unit;
            assert!(e.is_finite(), "{name} at {z}");
            *error = error.max(e);
        }
    }
    errors
}

fn check<A: Activation>(name: &str) {
    // In f64 every function is a few operations on exponentials good to a unit.
    let double = errors::<f64, A>(name);
    // In f32 the polynomials are off by 3e-7, which is 2.5 units; z (1 − s) of SiLU, with s rounded
    // to half a unit of 1 and z up to 12 before 1 − s vanishes, by 6.
    let single = errors::<f32, A>(name);
    println!("{name}: f64 {double:.1?}, f32 {single:.1?}");
    assert!(double.iter().all(|e| *e <= 4.0), "{name}: {double:?}");
    assert!(single.iter().all(|e| *e <= 8.0), "{name}: {single:?}");
}

#[test]
fn activations_are_those_of_pytorch() {
    check::<Relu>("relu");
    check::<LeakyRelu>("leaky_relu");
    check::<Celu>("celu");
    check::<Softplus>("softplus");
    check::<Silu>("silu");
    check::<Gelu>("gelu");
}

#[test]
fn the_slope_of_leaky_relu_is_its_parameter() {
    assert_eq!(LeakyRelu::<10>::value(-3.0), -0.03);
    assert_eq!(LeakyRelu::<10>::slope(-0.03), 0.01);
    assert_eq!(LeakyRelu::<0>::value(-3.0), 0.0);
}
