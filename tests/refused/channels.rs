use brenier::function::image::*;
use brenier::ops::Program;
use brenier::prelude::*;

// The second convolution wants 4 channels, the first gives 3.
pub fn two(
    first: &Conv2d<1, 3, 3>,
    second: &Conv2d<4, 5, 3>,
    program: &mut Program<f32, Cpu>,
    x: Channels<1>,
) -> Channels<5> {
    let x = first.record(program, x);
    second.record(program, x) //~ expected `4`, found `3`
}
