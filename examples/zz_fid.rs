use brenier::data::*;
use brenier::random::Key;
use brenier::score::perception::*;
use brenier::score::*;
use std::path::Path;
use std::time::Instant;
fn time<T>(name: &str, f: impl FnOnce() -> T) -> T {
    let t = Instant::now();
    let v = f();
    println!("{name}: {:.3} s", t.elapsed().as_secs_f64());
    v
}
fn main() {
    let d = Path::new("/work/shared/data");
    let form = InceptionForm {
        borders: Borders::LeftOut,
        last_pool: LastPool::Mean,
        range: PixelRange::Unit,
    };
    let net = time("load inception", || {
        InceptionV3::load(&d.join("inception_v3/inception_v3_u8.safetensors"), form).unwrap()
    });
    let mut emoji = Npz::open(&d.join("images/emoji32_noto_twemoji.npz")).unwrap();
    let noto = Images::from_array(emoji.array("noto").unwrap(), Layout::ChannelsLast).unwrap();
    let some = noto.select(&(0..64).collect::<Vec<_>>()).unwrap();
    let f = time("inception at 299, 64 images", || net.embed(&some).unwrap());
    println!("{}", f[0]);
    let rows = Key::new(0).normal(1000 * 2048);
    let rows2 = Key::new(1).normal(3000 * 2048);
    let p = time("moments of 1000 x 2048", || {
        let mut m = Moments::new(2048).unwrap();
        m.add(&rows).unwrap();
        m.finish().unwrap()
    });
    let q = {
        let mut m = Moments::new(2048).unwrap();
        m.add(&rows2).unwrap();
        m.finish().unwrap()
    };
    println!("{}", time("frechet 2048, rank 999 first", || frechet_distance(&p, &q).unwrap()));
    println!("{}", time("frechet 2048, full rank", || frechet_distance(&q, &q).unwrap()));
    let alex = Lpips::load(&d.join("lpips/lpips_alex.safetensors"), Backbone::AlexNet).unwrap();
    let vgg = Lpips::load(&d.join("lpips/lpips_vgg16_f16.safetensors"), Backbone::Vgg16).unwrap();
    let big = noto.select(&(0..64).collect::<Vec<_>>()).unwrap().resized(64, 64).unwrap();
    let (x, y) = (big.rows(PixelRange::Symmetric), {
        let mut y = big.rows(PixelRange::Symmetric);
        y.reverse();
        y
    });
    time("lpips alex, 64 pairs at 64", || alex.distances(big.shape(), &x, &y).unwrap());
    time("lpips vgg, 64 pairs at 64", || vgg.distances(big.shape(), &x, &y).unwrap());
    let cost = Perceptual::new(
        std::sync::Arc::new(vgg.features().clone()),
        big.shape(),
        PerceptualWeights::default(),
    )
    .unwrap();
    use brenier::geometry::Cost;
    use dfdx::prelude::*;
    let (px, py) = (
        big.points::<12288>(PixelRange::Symmetric).unwrap(),
        brenier::tensor::points::<12288>(y).unwrap(),
    );
    time("perceptual cost and gradient, 64 at 64", || {
        cost.paired(&px, py.leaky_trace()).unwrap().sum().backward()
    });
    time("folder-free: mmd 2000 x 2000 x 50", || {
        mmd(&rows[..100_000], &rows2[..100_000], 50, &GAMMAS, Pairs::All).unwrap()
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("big.npy");
    write_npy(&path, &brenier::data::Array::new(vec![1000, 2048], rows.clone()).unwrap()).unwrap();
    time("read npy 8 MB", || read_npy::<f32>(&path).unwrap());
    time("read mnist npz", || {
        Npz::open(&d.join("images/mnist_t10k.npz")).unwrap().array::<u8>("x").unwrap()
    });
}
