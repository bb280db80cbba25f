use brenier::function::image::*;
use brenier::prelude::*;

// Three halvings want multiples of 8.
pub type Map = AsImage<3, 36, 32, UNetOf3<3, 3, 2, 2, 2>>;

pub fn map(map: &Map, x: Points<3456>) -> Points<3456> {
    map.forward(x) //~ a side that the network takes
}
