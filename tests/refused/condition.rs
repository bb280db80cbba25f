use brenier::function::image::*;
use brenier::prelude::*;

// A field that is told one of three classes.
pub type Field = AsVelocity<1, 8, 8, FlowUNetOf2<1, 3, 4, 4, 4, 4>>;

pub fn field(field: &Field, x: Points<64>, t: Values) -> Points<64> {
    field.forward((x, t, ())) //~ expected `Tensor<(usize, Const<3>), f32, Cpu>`, found `()`
}
