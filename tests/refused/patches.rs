use brenier::function::image::*;
use brenier::prelude::*;

// An image of 8 rows and 12 columns has six patches of side 4.
pub type Field = AsVelocity<1, 8, 12, Mixer<1, 0, 4, 4, 4, 4, 4, 1>>;

pub fn field(field: &Field, x: Points<96>, t: Values) -> Points<96> {
    field.forward((x, t, ())) //~ as many positions as the network takes
}
