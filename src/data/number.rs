//! Numbers as files store them, and as the caller wants them.

use std::io::{ErrorKind, Read};

use half::{bf16, f16};

/// Bytes that are decoded at a time.
const CHUNK: usize = 1 << 16;

/// A type in which arrays can be asked for: `u8`, `i64`, `f32`, `f64`.
///
/// A stored number that the type cannot hold (300 or 0.5 as `u8`, 10³⁰⁰ as `f32`) is an error of the
/// reader. Floats are rounded to the nearest `f32`; integers beyond 2²⁴ (`f32`) or 2⁵³ (`f64`) too.
pub trait Number: Copy + Default + PartialEq + Send + Sync + std::fmt::Debug + 'static {
    /// How NumPy names the type in little-endian order, such as `<f4`.
    const DESCRIPTION: &'static str;
    /// The number, if the type holds it.
    fn of_integer(value: i128) -> Option<Self>;
    /// The number, if the type holds it.
    fn of_float(value: f64) -> Option<Self>;
    /// Appends its bytes in little-endian order.
    fn put(self, bytes: &mut Vec<u8>);
}

macro_rules! integer {
    ($number:ty, $description:literal) => {
        impl Number for $number {
            const DESCRIPTION: &'static str = $description;
            fn of_integer(value: i128) -> Option<Self> {
                value.try_into().ok()
            }
            fn of_float(value: f64) -> Option<Self> {
                // Casts saturate, hence the way back tells whether the number was one of this type.
                let cast = value as i128;
                (cast as f64 == value).then(|| cast.try_into().ok()).flatten()
            }
            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        }
    };
}
integer!(u8, "|u1");
integer!(i64, "<i8");

macro_rules! float {
    ($number:ty, $description:literal) => {
        impl Number for $number {
            const DESCRIPTION: &'static str = $description;
            fn of_integer(value: i128) -> Option<Self> {
                Some(value as Self)
            }
            fn of_float(value: f64) -> Option<Self> {
                let cast = value as Self;
                (cast.is_finite() || !value.is_finite()).then_some(cast)
            }
            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        }
    };
}
float!(f32, "<f4");
float!(f64, "<f8");

/// The type of the numbers of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Bool,
    U8,
    U16,
    U32,
    U64,
    I8,
    I16,
    I32,
    I64,
    F16,
    Bf16,
    F32,
    F64,
}

/// The order of the bytes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Stored {
    /// Bytes of a number.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }
}

/// How many numbers a shape asks for, unless they could not be addressed.
pub(super) fn count(shape: &[usize], stored: Stored) -> Result<usize, String> {
    let product = shape.iter().try_fold(1usize, |n, &s| n.checked_mul(s));
    product
        .filter(|n| n.checked_mul(stored.size()).is_some_and(|b| b <= isize::MAX as usize))
        .ok_or_else(|| format!("its header asks for an impossible shape, {shape:?}"))
}

/// The next `n` numbers. Memory grows with what is read, not with what was promised.
pub(super) fn decode<E: Number>(
    from: &mut impl Read,
    stored: Stored,
    order: Order,
    n: usize,
) -> Result<Vec<E>, String> {
    let size = stored.size();
    let mut values: Vec<E> = Vec::with_capacity(n.min(CHUNK / size));
    let mut buffer = [0; CHUNK];
    while values.len() < n {
        let wanted = (n - values.len()).min(CHUNK / size) * size;
        let found = fill(from, &mut buffer[..wanted])?;
        append(&mut values, &buffer[..found / size * size], stored, order)?;
        if found < wanted {
            return Err(format!("truncated: {} numbers where {n} are announced", values.len()));
        }
    }
    Ok(values)
}

/// Reads until the buffer is full or the input ends.
pub(super) fn fill(from: &mut impl Read, buffer: &mut [u8]) -> Result<usize, String> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            // Of a decoder; files just end.
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => {
                return Err("truncated in its compressed data".into());
            }
            Err(e) => return Err(e.to_string()),
        }
    }
    Ok(filled)
}

fn append<E: Number>(
    values: &mut Vec<E>,
    bytes: &[u8],
    stored: Stored,
    order: Order,
) -> Result<(), String> {
    macro_rules! as_type {
        ($number:ty, $convert:expr) => {{
            const SIZE: usize = size_of::<$number>();
            for chunk in bytes.chunks_exact(SIZE) {
                let mut raw = [0; SIZE];
                raw.copy_from_slice(chunk);
                let number = match order {
                    Order::Little => <$number>::from_le_bytes(raw),
                    Order::Big => <$number>::from_be_bytes(raw),
                };
                let convert: fn($number) -> Option<E> = $convert;
                values.push(convert(number).ok_or_else(|| misfit::<E>(number))?);
            }
        }};
    }
    match stored {
        Stored::Bool | Stored::U8 => as_type!(u8, |v| E::of_integer(v.into())),
        Stored::U16 => as_type!(u16, |v| E::of_integer(v.into())),
        Stored::U32 => as_type!(u32, |v| E::of_integer(v.into())),
        Stored::U64 => as_type!(u64, |v| E::of_integer(v.into())),
        Stored::I8 => as_type!(i8, |v| E::of_integer(v.into())),
        Stored::I16 => as_type!(i16, |v| E::of_integer(v.into())),
        Stored::I32 => as_type!(i32, |v| E::of_integer(v.into())),
        Stored::I64 => as_type!(i64, |v| E::of_integer(v.into())),
        Stored::F16 => as_type!(f16, |v| E::of_float(v.into())),
        Stored::Bf16 => as_type!(bf16, |v| E::of_float(v.into())),
        Stored::F32 => as_type!(f32, |v| E::of_float(v.into())),
        Stored::F64 => as_type!(f64, |v| E::of_float(v)),
    }
    Ok(())
}

fn misfit<E: Number>(number: impl std::fmt::Display) -> String {
    format!("holds {number}, which is no {}; ask for another type", std::any::type_name::<E>())
}
