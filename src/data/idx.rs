//! The format of the MNIST family: IDX, plain or compressed by gzip.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use flate2::read::GzDecoder;

use super::array::Array;
use super::number::{count, decode, fill, Number, Order, Stored};
use crate::error::{Error, Result};

/// The array of an IDX file; whether it is compressed is seen from its first bytes.
///
/// Images of MNIST are `[n, 28, 28]`, labels `[n]`, both of `u8`.
///
/// # Errors
/// [`Error::Io`] if the file cannot be opened; [`Error::Format`] if it is no such file, is truncated or
/// goes on after its last number, or holds a number that `E` cannot hold.
pub fn read_idx<E: Number>(path: &Path) -> Result<Array<E>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let mut file = BufReader::new(file);
    let mut start = [0; 2];
    let parsed = fill(&mut file, &mut start).and_then(|_| {
        file.rewind().map_err(|e| e.to_string())?;
        match start {
            [0x1f, 0x8b] => parse(&mut GzDecoder::new(file)),
            _ => parse(&mut file),
        }
    });
    parsed.map_err(|problem| Error::format(path, problem))
}

fn parse<E: Number>(from: &mut impl Read) -> std::result::Result<Array<E>, String> {
    let mut magic = [0; 4];
    if fill(from, &mut magic)? < 4 || magic[..2] != [0, 0] {
        return Err("not an IDX file (it does not start with two zeros)".into());
    }
    let stored = match magic[2] {
        0x08 => Stored::U8,
        0x09 => Stored::I8,
        0x0B => Stored::I16,
        0x0C => Stored::I32,
        0x0D => Stored::F32,
        0x0E => Stored::F64,
        other => return Err(format!("not an IDX file (number type {other:#04x} is unknown)")),
    };
    let mut axes = vec![0; 4 * usize::from(magic[3])];
    if fill(from, &mut axes)? < axes.len() {
        return Err("truncated in its header".into());
    }
    let axis = |b: &[u8]| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize;
    let shape: Vec<usize> = axes.chunks_exact(4).map(axis).collect();
    let n = count(&shape, stored)?;
    let values = decode(from, stored, Order::Big, n)?;
    match fill(from, &mut [0])? {
        0 => Ok(Array { shape, values }),
        _ => Err(format!("goes on after the {n} numbers that its header announces")),
    }
}
