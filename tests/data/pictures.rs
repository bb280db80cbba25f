//! Pictures of images and volumes, read back and looked at pixel by pixel.

use crate::common;
use brenier::data::transform::*;
use brenier::data::*;
use brenier::plot::{ImageGrid, View, Visible, VoxelPicture};
use brenier::random::Key;
use brenier::Error;
use image::RgbImage;

fn decoded(png: &[u8]) -> RgbImage {
    image::load_from_memory(png).unwrap().into_rgb8()
}

#[test]
fn a_grid_shows_every_pixel_where_it_belongs() {
    let colour = ImageShape { channels: 3, height: 2, width: 3 };
    let grey = ImageShape { channels: 1, height: 4, width: 1 };
    let [a, b] = [colour, grey].map(|s| {
        let bytes = Key::new(1).indices(2 * s.numbers(), 256).iter().map(|&v| v as u8).collect();
        Images::new(s, bytes).unwrap()
    });
    let mut grid = ImageGrid::new([("in", a.clone()), ("out", b.clone())]);
    (grid.scale, grid.gap) = (3, 5);
    let seen = decoded(&grid.to_png().unwrap());
    assert_eq!(seen.dimensions(), (2 * (9 + 5) + 5, 5 + (6 + 5) + (12 + 5)));
    let mut covered = 0;
    for (images, top) in [(&a, 5), (&b, 16)] {
        let s = images.shape();
        for (i, image) in images.iter().enumerate() {
            for p in 0..s.height * s.width * 9 {
                let (y, x) = (p / (3 * s.width), p % (3 * s.width));
                let q = y / 3 * s.width + x / 3;
                let plane = s.height * s.width;
                let wanted = [0, 1, 2].map(|c| image[c % s.channels * plane + q]);
                let left = 5 + i * (3 * s.width + 5);
                assert_eq!(seen.get_pixel((left + x) as u32, (top + y) as u32).0, wanted);
                covered += 1;
            }
        }
    }
    // Everything else is white.
    let white = seen.pixels().filter(|p| p.0 == [255; 3]).count();
    assert!(white >= (seen.width() * seen.height()) as usize - covered);
    let svg = grid.to_svg().unwrap();
    assert!(
        svg.contains(">\nin\n<") && svg.contains("data:image/png;base64,iVBORw0KGgo"),
        "{svg:.900}"
    );
    assert_eq!(svg, grid.to_svg().unwrap());
    let empty = Images::new(colour, vec![]).unwrap();
    assert!(matches!(
        ImageGrid::before_after(empty.clone(), empty).to_png(),
        Err(Error::Plot { .. })
    ));
    grid.scale = 100_000;
    assert!(matches!(grid.to_png(), Err(Error::Plot { .. })));
}

/// One voxel in a corner, from the front: a square of its colour in the right place.
#[test]
fn a_cube_from_the_front_and_from_above() {
    let shape = VolumeShape { channels: 3, depth: 4, height: 4, width: 4 };
    let mut volume = vec![0.0; shape.numbers()];
    let at = |c: usize, d: usize, y: usize, x: usize| ((c * 4 + d) * 4 + y) * 4 + x;
    // Red in front at the upper left, blue behind it, green at the back at the lower right.
    volume[at(0, 0, 0, 0)] = 1.0;
    volume[at(2, 3, 0, 0)] = 1.0;
    volume[at(1, 3, 3, 3)] = 1.0;
    let mut picture = VoxelPicture::new(shape, volume);
    picture.side = 140;
    let look = |picture: &VoxelPicture, azimuth: f64, elevation: f64| {
        let views = vec![View { azimuth, elevation }];
        decoded(&VoxelPicture { views, ..picture.clone() }.to_png().unwrap())
    };
    // The diagonal √48 fills the side, so a voxel is 20.2 pixels wide.
    let place = |i: f64| (70.0 + 20.207 * (i - 2.0)) as u32;
    let front = look(&picture, 0.0, 0.0);
    let brightest = |c: usize| {
        front.pixels().map(|p| p.0).filter(|p| p[c] > 100 && p[(c + 1) % 3] < 50).count()
    };
    assert_eq!(brightest(2), 0, "what is behind is hidden");
    let (red, green) =
        (front.get_pixel(place(0.5), place(0.5)).0, front.get_pixel(place(3.5), place(3.5)).0);
    assert!(red[0] > 150 && red[1] == 0 && green[1] > 150 && green[0] == 0, "{red:?} {green:?}");
    assert_eq!(front.get_pixel(place(2.0), place(2.0)).0, [255; 3]);
    // From above, the back is up: blue above red, and brighter than from the front.
    let above = look(&picture, 0.0, 90.0);
    let (up, low) =
        (above.get_pixel(place(0.5), place(0.5)).0, above.get_pixel(place(0.5), place(3.5)).0);
    assert!(up[2] > 240 && up[0] == 0 && low[0] > 240 && low[2] == 0, "{up:?} {low:?}");
    // From behind, left and right change: green at the lower left, blue before red at the upper right.
    let behind = look(&picture, 180.0, 0.0);
    let (left, right) =
        (behind.get_pixel(place(0.5), place(3.5)).0, behind.get_pixel(place(3.5), place(0.5)).0);
    assert!(left[1] > 150 && right[2] > 150 && right[0] == 0, "{left:?} {right:?}");
    // The brightest of 64 voxels: none of them brighter than the third but two.
    let mut graded = vec![0.0; 64];
    graded[..4].copy_from_slice(&[0.2, 0.4, 0.9, 0.95]);
    let one = VolumeShape { channels: 1, ..shape };
    let some =
        VoxelPicture { visible: Visible::Brightest(2.0 / 64.0), ..VoxelPicture::new(one, graded) };
    let bright = |p: &VoxelPicture| look(p, 0.0, 0.0).pixels().filter(|p| p.0 != [255; 3]).count();
    let all = VoxelPicture { visible: Visible::Above(0.1), ..some.clone() };
    // Pixels on the rims are shared, hence not quite the half.
    assert!(bright(&some) * 2 < bright(&all) + 60 && bright(&some) > 0);
    let broken =
        VoxelPicture { views: vec![View { azimuth: f64::NAN, elevation: 0.0 }], ..some.clone() };
    assert!(matches!(broken.to_png(), Err(Error::Plot { .. })));
    assert!(VoxelPicture { volumes: vec![0.0; 65], ..some.clone() }.to_png().is_err());
    assert!(VoxelPicture { volumes: vec![f32::NAN; 64], ..some.clone() }.to_png().is_ok());
    assert!(VoxelPicture { views: vec![], ..some }.to_png().is_err());
}

/// Digits as they are, coloured, turned, and as volumes; kept if `BRENIER_PICTURES` names a folder.
#[test]
fn pictures_of_digits() {
    let Some(data) = common::data("images") else { return };
    let mut npz = Npz::open(&data.join("mnist_t10k.npz")).unwrap();
    let digits = Images::from_array(npz.array("x").unwrap(), Layout::Grey).unwrap();
    let digits = digits.select(&[1, 35, 38, 43, 47, 72]).unwrap().resized(16, 16).unwrap();
    let grey = digits.rows(PixelRange::Unit);
    let shape = digits.shape();
    let [hues, angles, colours, turns] = Key::new(3).split();
    let turned = rotate_images(shape, &grey, &random_angles(angles, 6, 0.8), 0.0).unwrap();
    let coloured = colour_by_hue(&turned, &random_hues(hues, 6), Sector::Nearest).unwrap();
    let rgb = ImageShape { channels: 3, ..shape };
    let coloured = Images::from_rows(rgb, &coloured, PixelRange::Unit).unwrap();
    let mut grid = ImageGrid::new([("digits", digits), ("turned, coloured", coloured)]);
    (grid.title, grid.scale) = ("Digits of MNIST".into(), 4);
    let (volume, solid) = extrude(shape, &grey, 16, 4..13).unwrap();
    let solid =
        rotate_volumes(volume, &solid, &random_turns(turns, 6, TurnAxes::Depth { most: 0.5 }), 0.0);
    let solid = colour_voxels(&solid.unwrap(), &random_colours(colours, 6)).unwrap();
    let picture = VoxelPicture::new(VolumeShape { channels: 3, ..volume }, solid);
    let (png, voxels) = (grid.to_png().unwrap(), picture.to_png().unwrap());
    assert_eq!(decoded(&png).dimensions(), (6 * 66 + 2, 2 * 66 + 2));
    assert_eq!(decoded(&voxels).dimensions(), (960, 480));
    if let Some(folder) = std::env::var_os("BRENIER_PICTURES") {
        let folder = std::path::Path::new(&folder);
        grid.write_png(folder.join("grid.png")).unwrap();
        grid.write_svg(folder.join("grid.svg")).unwrap();
        picture.write_png(folder.join("voxels.png")).unwrap();
    }
}
