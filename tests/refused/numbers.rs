use brenier::function::image::*;
use brenier::prelude::*;

pub type Map = AsImage<3, 32, 32, UNetOf3<3, 3, 2, 2, 2>>;

pub fn map(map: &Map, x: Points<3000>) -> Points<3000> {
    map.forward(x) //~ the numbers of a point are C · H · W, those of an image
}
