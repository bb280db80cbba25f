//! Registers and predicates, lane by lane.

use super::block::{Block, Fault, Outcome};
use super::program::Logic;
use super::warp::Warp;
use crate::check::Kind;

impl Block<'_> {
    /// The predicate of all lanes, which must be known in `lanes`.
    pub(crate) fn predicate(&self, warp: &Warp, p: u32, lanes: u32, pc: u32) -> Outcome<u32> {
        let unknown = lanes & !warp.preds_known[p as usize];
        match unknown {
            0 => Ok(warp.preds[p as usize]),
            _ => Err(self.unknown(warp, pc, unknown.trailing_zeros(), "a predicate")),
        }
    }

    pub(crate) fn unknown(&self, warp: &Warp, pc: u32, lane: u32, what: &str) -> Box<Fault> {
        let text = format!("{what} was never written");
        Fault::by(Kind::Uninitialised, pc, warp.first + lane, 0, text)
    }
}

/// Copies the lanes of `mask`; slot `i` of a register of `slots` holds the lanes from `32/slots*i` on.
#[inline(always)]
pub(crate) fn keep(d: &mut [u32; 32], from: &[u32; 32], mask: u32, slots: u32, i: u32) {
    if mask == u32::MAX {
        *d = *from;
        return;
    }
    for word in 0..32 {
        let lane = if slots == 1 { word } else { word / 2 + 16 * i as usize };
        if mask >> lane & 1 != 0 {
            d[word] = from[word];
        }
    }
}

pub(crate) fn join(logic: Logic, a: u32, b: u32) -> u32 {
    match logic {
        Logic::And => a & b,
        Logic::Or => a | b,
        Logic::Xor => a ^ b,
    }
}

/// Writes a predicate in the lanes of the mask.
pub(crate) fn set_predicate(warp: &mut Warp, p: u32, value: u32, lanes: u32) {
    let d = &mut warp.preds[p as usize];
    *d = (*d & !lanes) | (value & lanes);
    warp.preds_known[p as usize] |= lanes;
}
