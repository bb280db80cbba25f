// Sizes that fit.
use brenier::function::image::*;
use brenier::prelude::*;

pub type Map = AsImage<3, 32, 32, UNetOf3<3, 3, 2, 2, 2>>;
pub type Field = AsVelocity<1, 8, 8, Mixer<1, 2, 4, 4, 4, 4, 4, 1>>;

pub fn map(map: &Map, x: Points<3072>) -> Points<3072> {
    map.forward(x)
}

pub fn field(field: &Field, x: Points<64>, t: Values, class: Points<2>) -> Points<64> {
    field.forward((x, t, class))
}
