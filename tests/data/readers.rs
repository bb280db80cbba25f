//! Readers against files of NumPy and of other writers, and against files that lie.

use crate::common;
use std::alloc::{GlobalAlloc, Layout as Memory, System};
use std::cell::Cell;
use std::io::Write;
use std::path::{Path, PathBuf};

use brenier::data::*;
use brenier::error::Error;
use brenier::problem::Sampler;
use brenier::random::Key;
use brenier::tensor::rows;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageBuffer, Rgb, Rgba};

/// The system's allocator, which notes the largest piece that this thread asked for.
struct Watched;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn note(size: usize) {
    // Threads that are ending have no such variable any more.
    let _ = LARGEST.try_with(|l| l.set(l.get().max(size)));
}

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, memory: Memory) -> *mut u8 {
        note(memory.size());
        // SAFETY: the caller's promise is the one asked for.
        unsafe { System.alloc(memory) }
    }
    unsafe fn alloc_zeroed(&self, memory: Memory) -> *mut u8 {
        note(memory.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(memory) }
    }
    unsafe fn realloc(&self, old: *mut u8, memory: Memory, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: as above.
        unsafe { System.realloc(old, memory, size) }
    }
    unsafe fn dealloc(&self, old: *mut u8, memory: Memory) {
        // SAFETY: as above.
        unsafe { System.dealloc(old, memory) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

fn numpy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/arrays").join(name)
}

/// Writes bytes to a file of a fresh folder.
fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn problem<T: std::fmt::Debug>(result: brenier::Result<T>) -> String {
    match result {
        Err(e @ Error::Format { .. }) => e.to_string(),
        other => panic!("a format error was expected: {other:?}"),
    }
}

#[test]
fn arrays_of_numpy() {
    let six = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
    let kinds = ["nu1", "li2", "bi4", "lu8", "lf2", "bf4", "lf8", "fortran", "version2"];
    for kind in kinds {
        let path = numpy(&format!("{kind}.npy"));
        let array: Array<f64> = read_npy(&path).unwrap();
        assert_eq!(
            (array.shape.as_slice(), array.values.as_slice()),
            (&[2, 3][..], &six[..]),
            "{kind}"
        );
        assert_eq!(read_npy::<u8>(&path).unwrap().values, [0, 1, 2, 3, 4, 5], "{kind}");
        assert_eq!(read_npy::<i64>(&path).unwrap().values, [0, 1, 2, 3, 4, 5], "{kind}");
    }
    let scalar: Array = read_npy(&numpy("scalar.npy")).unwrap();
    assert_eq!((scalar.shape.len(), scalar.values), (0, vec![7.0]));
    assert!(problem(read_npy::<f64>(&numpy("text.npy"))).contains("<U1, not numbers"));
    assert!(problem(read_npy::<f64>(&numpy("record.npy"))).contains("structured"));
    for archive in ["stored.npz", "deflated.npz"] {
        let mut npz = Npz::open(&numpy(archive)).unwrap();
        assert_eq!(npz.names(), ["x", "y"]);
        assert_eq!(npz.array::<f32>("x").unwrap().values, six.map(|v| v as f32));
        assert_eq!(npz.array::<u8>("y").unwrap().values, [0, 1]);
        assert!(problem(npz.array::<u8>("z")).contains("no array z, but x, y"));
        assert_eq!(read_npz(&numpy(archive)).unwrap()["x"].values, six);
    }
}

#[test]
fn numbers_that_a_type_cannot_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let write = |v: f64| write_npy(&path, &Array::new(vec![1], vec![v]).unwrap()).unwrap();
    for (value, as_byte, as_single) in [
        (255.0, true, true),
        (256.0, false, true),
        (-1.0, false, true),
        (0.5, false, true),
        (1e300, false, false),
        (f64::INFINITY, false, true),
        (f64::NAN, false, true),
    ] {
        write(value);
        assert_eq!(read_npy::<u8>(&path).is_ok(), as_byte, "{value}");
        assert_eq!(read_npy::<f32>(&path).is_ok(), as_single, "{value}");
    }
    write(f64::NAN);
    assert!(problem(read_npy::<i64>(&path)).contains("holds NaN"));
    // NaN is a number of an array, but no coordinate of a point.
    let array: Array<f32> = read_npy(&path).unwrap();
    assert!(matches!(array.points::<1>(), Err(Error::NonFinite { .. })));
}

#[test]
fn what_is_written_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    for shape in [vec![], vec![0], vec![3], vec![2, 0, 4], vec![5, 7, 3, 2]] {
        let n = shape.iter().product();
        let array = Array::new(shape, Key::new(1).normal(n)).unwrap();
        let (npy, npz) = (folder.path().join("a.npy"), folder.path().join("a.npz"));
        write_npy(&npy, &array).unwrap();
        write_npz(&npz, &[("mu", &array), ("sigma", &array)]).unwrap();
        assert_eq!(read_npy::<f32>(&npy).unwrap(), array);
        assert_eq!(Npz::open(&npz).unwrap().array::<f32>("sigma").unwrap(), array);
        let bytes = std::fs::read(&npz).unwrap();
        write_npz(&npz, &[("mu", &array), ("sigma", &array)]).unwrap();
        assert_eq!(bytes, std::fs::read(&npz).unwrap());
    }
}

fn idx(kind: u8, shape: &[u32], data: &[u8]) -> Vec<u8> {
    let axes = shape.iter().flat_map(|s| s.to_be_bytes());
    [0, 0, kind, shape.len() as u8].into_iter().chain(axes).chain(data.iter().copied()).collect()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn idx_plain_and_compressed() {
    let plain = idx(8, &[2, 2, 2], &[9, 8, 7, 6, 5, 4, 3, 255]);
    for bytes in [plain.clone(), gzipped(&plain)] {
        let (_folder, path) = file("images", &bytes);
        let array: Array<u8> = read_idx(&path).unwrap();
        assert_eq!((array.shape, array.values), (vec![2, 2, 2], vec![9, 8, 7, 6, 5, 4, 3, 255]));
    }
    let float = idx(0x0D, &[2], &[1.5f32.to_be_bytes(), (-2f32).to_be_bytes()].concat());
    let (_folder, path) = file("floats", &float);
    assert_eq!(read_idx::<f32>(&path).unwrap().values, [1.5, -2.0]);
    let cases = [
        (&plain[..11], "truncated in its header"),
        (&plain[..20], "truncated: 4 numbers where 8"),
        (&[plain.as_slice(), &[1]].concat(), "goes on after the 8 numbers"),
        (&idx(7, &[1], &[1]), "number type 0x07"),
        (b"\x89PNG....", "not an IDX file"),
        (b"", "not an IDX file"),
        (&idx(8, &[u32::MAX; 4], &[]), "impossible shape"),
        (&idx(8, &[u32::MAX, 1000], &[1, 2]), "truncated: 2 numbers"),
        (&gzipped(&plain)[..25], "truncated"),
    ];
    for (bytes, expected) in cases {
        let (_folder, path) = file("bad", bytes);
        let said = problem(read_idx::<u8>(&path));
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(matches!(read_idx::<u8>(Path::new("/no/such/file")), Err(Error::Io { .. })));
}

#[test]
fn cifar_in_both_forms_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let n = 3;
    let pixels: Vec<u8> = (0..n * 3072).map(|i| (i * 7 % 251) as u8).collect();
    let records: Vec<u8> = pixels
        .chunks(3072)
        .enumerate()
        .flat_map(|(i, image)| [i as u8].into_iter().chain(image.iter().copied()))
        .collect();
    let binary = folder.path().join("batch.bin");
    std::fs::write(&binary, &records).unwrap();
    let sheet = ImageBuffer::from_fn(1024, n as u32, |p, i| {
        Rgb([0, 1, 2].map(|c| pixels[i as usize * 3072 + c * 1024 + p as usize]))
    });
    let png = folder.path().join("batch.png");
    sheet.save(&png).unwrap();
    let (images, labels) = read_cifar_binary(&binary, Cifar::Ten).unwrap();
    assert_eq!((images.pixels(), labels), (&pixels[..], vec![0, 1, 2]));
    assert_eq!(read_cifar_sheet(&png).unwrap(), images);
    let hundred: Vec<u8> = records.chunks(3073).flat_map(|r| [&[19], r].concat()).collect();
    std::fs::write(&binary, hundred).unwrap();
    assert_eq!(read_cifar_binary(&binary, Cifar::Hundred).unwrap(), (images, vec![0, 1, 2]));
    assert!(problem(read_cifar_binary(&binary, Cifar::Ten)).contains("whole number of records"));
    std::fs::write(&binary, [&[10], &pixels[..3072]].concat()).unwrap();
    assert!(problem(read_cifar_binary(&binary, Cifar::Ten)).contains("label 10"));
    ImageBuffer::from_pixel(32, 32, Rgb([1u8, 2, 3])).save(&png).unwrap();
    assert!(problem(read_cifar_sheet(&png)).contains("rows of 32 pixels"));
    let (_folder, list) = file("labels.json", b" [6, 9,9 ,4,1]\n");
    assert_eq!(read_label_list(&list).unwrap(), [6, 9, 9, 4, 1]);
    let (_folder, list) = file("labels.json", b"[6, 256]");
    assert!(problem(read_label_list(&list)).contains("entry 1"));
}

#[test]
fn folders_of_images() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("b")).unwrap();
    // Left third red, the rest blue: a central square of 4 × 12 starts after the red.
    let wide =
        ImageBuffer::from_fn(
            12,
            4,
            |x, _| if x < 4 { Rgb([255u8, 0, 0]) } else { Rgb([0, 0, 255]) },
        );
    wide.save(at("b/wide.png")).unwrap();
    let clear = ImageBuffer::from_pixel(2, 2, Rgba([0u8, 0, 0, 0]));
    clear.save(at("a.PNG")).unwrap();
    let grey = DynamicImage::from(ImageBuffer::from_pixel(8, 8, image::Luma([100u8])));
    let mut jpeg = Vec::new();
    grey.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, 95)).unwrap();
    std::fs::write(at("c.jpeg"), jpeg).unwrap();
    std::fs::write(at("notes.txt"), "no image").unwrap();
    let config = FolderConfig::square(4);
    let read = read_image_folder(folder.path(), &config).unwrap();
    let names: Vec<_> = read.files.iter().map(|f| f.strip_prefix(folder.path()).unwrap()).collect();
    assert_eq!(names, ["a.PNG", "b/wide.png", "c.jpeg"].map(Path::new));
    let images: Vec<&[u8]> = read.images.iter().collect();
    assert!(images[0].iter().all(|&v| v == 255), "transparent is white");
    assert!(images[1][..32].iter().all(|&v| v == 0) && images[1][32..].iter().all(|&v| v == 255));
    assert!(images[2].iter().all(|&v| v.abs_diff(100) <= 2));
    let bgr = FolderConfig { planes: Planes::Bgr, fit: Fit::Stretch, ..config.clone() };
    let stretched = read_image_folder(folder.path(), &bgr).unwrap().images;
    let wide: Vec<&[u8]> = stretched.iter().nth(1).unwrap().chunks(16).collect();
    assert_eq!((wide[0][0], wide[2][0], wide[0][3], wide[2][3]), (0, 255, 255, 0));
    let grey = FolderConfig { planes: Planes::Grey, ..config.clone() };
    assert_eq!(read_image_folder(folder.path(), &grey).unwrap().images.shape().channels, 1);

    std::fs::write(at("bad.png"), b"\x89PNG\r\n\x1a\nbroken").unwrap();
    assert!(problem(read_image_folder(folder.path(), &config)).contains("bad.png"));
    let lenient = FolderConfig { bad: BadFile::Skip, ..config.clone() };
    let read = read_image_folder(folder.path(), &lenient).unwrap();
    assert_eq!((read.images.len(), read.skipped.len()), (3, 1));
    assert_eq!(read.skipped[0].0, at("bad.png"));
    let empty = tempfile::tempdir().unwrap();
    assert!(problem(read_image_folder(empty.path(), &config)).contains("no image"));
    let none = FolderConfig { width: 0, ..config };
    assert!(matches!(read_image_folder(folder.path(), &none), Err(Error::InvalidConfig { .. })));
}

#[test]
fn tables() {
    let text = ",CD3, CD4 ,condition\ncell1,1.5,-2e-3,ctrl\n\"cell, 2\",nan,4,stim\n";
    let (_folder, path) = file("cells.csv", text.as_bytes());
    let table = read_table(&path, Delimiter::of(&path)).unwrap();
    assert_eq!(table.names(), ["index", "CD3", "CD4", "condition"]);
    assert_eq!(table.len(), 2);
    let index = Column::Text(vec!["cell1".into(), "cell, 2".into()]);
    assert_eq!(table.column("index").unwrap(), &index);
    assert_eq!(table.numbers(&["CD4", "CD4"]).unwrap().values, [-2e-3, -2e-3, 4.0, 4.0]);
    assert_eq!(table.rows_where("condition", "stim").unwrap(), [1]);
    assert!(matches!(table.numbers(&["CD3"]), Err(Error::NonFinite { .. })));
    assert!(matches!(table.numbers(&["condition"]), Err(Error::Shape { .. })));
    assert!(table.column("CD8").unwrap_err().to_string().contains("CD3, CD4"));
    let (_folder, path) = file("t.tsv", b"a\tb\n1\t2\n");
    assert_eq!(
        read_table(&path, Delimiter::of(&path)).unwrap().numbers(&["b"]).unwrap().values,
        [2.0]
    );
    for (text, expected) in [
        (&b"a,b\n1,2\n3\n"[..], "line: 3"),
        (b"a,a\n1,2\n", "column 2"),
        (b"a,\n1,2\n", "column 2"),
        (b"", "no line"),
        (b"a,b\n\xff\xfe,2\n", "UTF-8"),
    ] {
        let (_folder, path) = file("bad.csv", text);
        let said = problem(read_table(&path, Delimiter::Comma));
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn rows_that_stay_in_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.npy");
    let array = Array::new(vec![50, 3, 2], Key::new(2).normal(300)).unwrap();
    write_npy(&path, &array).unwrap();
    let (stored, held) =
        (NpyRows::<6>::open(&path).unwrap(), Samples::<6>::of(&array.points().unwrap()));
    let draw = |sampler: &dyn Sampler<6>| rows(&sampler.sample(Key::new(3), 40).unwrap());
    assert_eq!((stored.count(), draw(&stored)), (50, draw(&held)));
    assert!(matches!(stored.gather(&[50]), Err(Error::Shape { .. })));
    assert!(problem(NpyRows::<5>::open(&path)).contains("rows of 5 numbers wanted"));
    assert!(problem(NpyRows::<3>::open(&numpy("fortran.npy"))).contains("column-major"));
    let big = NpyRows::<3>::open(&numpy("bf4.npy")).unwrap();
    assert_eq!(rows(&big.gather(&[1]).unwrap()), [3.0, 4.0, 5.0]);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(problem(NpyRows::<6>::open(&path)).contains("bytes where its header announces"));
    // Cut while it is open: the rows that are left can still be read.
    std::fs::write(&path, &bytes).unwrap();
    let open = NpyRows::<6>::open(&path).unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(400).unwrap();
    assert!(open.gather(&[0]).is_ok() && matches!(open.gather(&[49]), Err(Error::Io { .. })));
}

/// Files cut anywhere and with single bytes changed are read or refused: no panic, and no allocation
/// that is out of proportion to the file.
#[test]
fn mangled_files_do_no_harm() {
    let sheet: Vec<u8> = {
        let sheet = ImageBuffer::from_fn(1024, 2, |x, y| Rgb([(x % 256) as u8, y as u8, 7]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        DynamicImage::from(sheet).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    let tensor = safetensors::tensor::TensorView::new(
        safetensors::Dtype::F32,
        vec![2, 2],
        bytemuck::cast_slice(&[1f32, 2.0, 3.0, 4.0]),
    );
    let tensors = safetensors::serialize([("w", tensor.unwrap())], None).unwrap();
    type Reader = (&'static str, Vec<u8>, fn(&Path) -> bool);
    let readers: Vec<Reader> = vec![
        ("idx", idx(8, &[4, 3, 2], &[1; 24]), |p| read_idx::<u8>(p).is_ok()),
        ("idx.gz", gzipped(&idx(8, &[4, 3, 2], &[1; 24])), |p| read_idx::<u8>(p).is_ok()),
        ("npy", std::fs::read(numpy("lf8.npy")).unwrap(), |p| read_npy::<f64>(p).is_ok()),
        ("npz", std::fs::read(numpy("stored.npz")).unwrap(), |p| read_npz(p).is_ok()),
        ("npz", std::fs::read(numpy("deflated.npz")).unwrap(), |p| read_npz(p).is_ok()),
        ("png", sheet, |p| read_cifar_sheet(p).is_ok()),
        ("bin", vec![1; 2 * 3073], |p| read_cifar_binary(p, Cifar::Ten).is_ok()),
        ("safetensors", tensors, |p| read_safetensors::<f32>(p).is_ok()),
        ("csv", b"a,b\n1,2\n\"x\",4\n".to_vec(), |p| read_table(p, Delimiter::Comma).is_ok()),
        ("json", b"[1, 2, 3]".to_vec(), |p| read_label_list(p).is_ok()),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (number, (name, bytes, read)) in readers.into_iter().enumerate() {
        let path = folder.path().join(name);
        let attempt = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            LARGEST.set(0);
            let good = read(&path);
            // Buffers of the decoders, and pixels: a megabyte is far below what these headers can ask for.
            let bound = (1 << 20) + 20 * bytes.len();
            assert!(LARGEST.get() < bound, "{name}: {} bytes at once", LARGEST.get());
            good
        };
        assert!(attempt(&bytes), "{name} as it is");
        let step = bytes.len().div_ceil(80);
        let cut = (0..bytes.len()).step_by(step).filter(|&n| attempt(&bytes[..n])).count();
        // Tables and records may end early, and the end mark of PNG holds no pixels; an array may not.
        let lenient = matches!(name, "csv" | "bin" | "png");
        assert!(cut == 0 || lenient, "{name}: {cut} cut files were read");
        let mut rng = Key::new(number as u64).rng();
        for _ in 0..150 {
            let mut changed = bytes.clone();
            for _ in 0..rand::Rng::gen_range(&mut rng, 1..4) {
                // Headers are where it hurts: half of the changes go there.
                let reach =
                    if rand::Rng::gen(&mut rng) { bytes.len().min(128) } else { bytes.len() };
                changed[rand::Rng::gen_range(&mut rng, 0..reach)] = rand::Rng::gen(&mut rng);
            }
            attempt(&changed);
        }
    }
}

#[test]
fn the_sets_at_hand() {
    let Some(folder) = common::data("images") else { return };
    let mut npz = Npz::open(&folder.join("mnist_t10k.npz")).unwrap();
    let images = Images::from_array(npz.array("x").unwrap(), Layout::Grey).unwrap();
    let labels: Array<u8> = npz.array("y").unwrap();
    assert_eq!((images.len(), labels.values.len()), (10_000, 10_000));
    // The published counts of the test set.
    let counts: Vec<_> =
        (0..10).map(|d| labels.values.iter().filter(|&&y| y == d).count()).collect();
    assert_eq!(counts, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    let mut emoji = Npz::open(&folder.join("emoji32_noto_twemoji.npz")).unwrap();
    let noto = Images::from_array(emoji.array("noto").unwrap(), Layout::ChannelsLast).unwrap();
    assert_eq!((noto.len(), noto.shape().channels), (3786, 3));
    assert!(noto.select(&[5]).unwrap().points::<3072>(PixelRange::Unit).is_ok());
}
