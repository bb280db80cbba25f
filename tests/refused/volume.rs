use brenier::function::image::*;
use brenier::prelude::*;

pub type Potential = AsVolume<3, 16, 16, 16, VolumeResNetD16<3, 2, 2, 2, 2>>;

pub fn potential(f: &Potential, x: Points<768>) -> Points<1> {
    f.forward(x) //~ the numbers of a point are C · Z · H · W, those of a volume
}
