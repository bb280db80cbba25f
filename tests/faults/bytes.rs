//! Damage to bytes.

use proptest::prelude::*;

/// One change.
#[derive(Clone, Debug)]
pub enum Damage {
    Set(u32, u8),
    Flip(u32, u8),
    Insert(u32, u8),
    Cut(u32),
    Zero(u32, u8),
    Repeat(u32, u8),
}

/// One to four changes, half of them near the beginning, where headers are.
pub fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let place = || prop_oneof![any::<u32>(), 0..128u32];
    let one = prop_oneof![
        3 => (place(), any::<u8>()).prop_map(|(at, v)| Damage::Set(at, v)),
        3 => (place(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        1 => (place(), any::<u8>()).prop_map(|(at, v)| Damage::Insert(at, v)),
        1 => place().prop_map(Damage::Cut),
        1 => (place(), any::<u8>()).prop_map(|(at, n)| Damage::Zero(at, n)),
        1 => (place(), any::<u8>()).prop_map(|(at, n)| Damage::Repeat(at, n)),
    ];
    proptest::collection::vec(one, 1..5)
}

/// The bytes with these changes, places taken modulo their number.
pub fn damaged(bytes: &[u8], damage: &[Damage]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for change in damage {
        if out.is_empty() {
            break;
        }
        let place = |at: u32| at as usize % out.len();
        match *change {
            Damage::Set(at, v) => {
                let at = place(at);
                out[at] = v;
            }
            Damage::Flip(at, bit) => {
                let at = place(at);
                out[at] ^= 1 << bit;
            }
            Damage::Insert(at, v) => out.insert(place(at), v),
            Damage::Cut(at) => out.truncate(place(at)),
            Damage::Zero(at, n) => {
                let at = place(at);
                let end = (at + usize::from(n)).min(out.len());
                out[at..end].fill(0);
            }
            Damage::Repeat(at, n) => {
                let at = place(at);
                let part = out[at..(at + usize::from(n)).min(out.len())].to_vec();
                out.splice(at..at, part);
            }
        }
    }
    out
}
