//! A state as named arrays and counts: what a checkpoint holds.

use std::collections::BTreeMap;

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::{arrays, replace, Learner, NamedArray};
use crate::ops::{Engine, Moments, Real};

/// Named arrays and counts. Numbers are kept as they are in memory, bit for bit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    counts: BTreeMap<String, u64>,
    arrays: BTreeMap<String, Array>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Array {
    shape: Vec<usize>,
    bytes_per_number: usize,
    bytes: Vec<u8>,
}

/// A value that can be written to a [`Record`] and read back into a value of the same type and shape.
///
/// `path` is put before all names. `load` reports each thing that is missing or does not fit as a
/// sentence in `problems`; a value with problems is not to be used.
pub trait Persist {
    /// Adds everything that the next step depends on.
    fn save(&self, record: &mut Record, path: &str);
    /// Replaces everything by what was saved under the same path.
    fn load(&mut self, record: &Record, path: &str, problems: &mut Vec<String>);
}

impl Record {
    /// Adds an array.
    pub fn put_array<E: Real>(&mut self, name: &str, shape: &[usize], values: &[E]) {
        let mut bytes = Vec::with_capacity(size_of_val(values));
        values.iter().for_each(|v| v.append_bytes(&mut bytes));
        let array = Array { shape: shape.to_vec(), bytes_per_number: size_of::<E>(), bytes };
        self.arrays.insert(name.into(), array);
    }

    /// The shape and numbers of an array.
    ///
    /// # Errors
    /// A sentence, if it is missing or of another number type.
    pub fn array<E: Real>(&self, name: &str) -> Result<(Vec<usize>, Vec<E>), String> {
        let array = self.arrays.get(name).ok_or_else(|| format!("{name} is missing"))?;
        let size = size_of::<E>();
        if array.bytes_per_number != size {
            let bits = 8 * array.bytes_per_number;
            return Err(format!("{name} holds {bits}-bit numbers, {} wanted", 8 * size));
        }
        if array.bytes.len() != size * array.shape.iter().product::<usize>() {
            return Err(format!("{name} does not have as many numbers as its shape says"));
        }
        let values = array.bytes.chunks_exact(size).map(E::from_bytes).collect();
        Ok((array.shape.clone(), values))
    }

    /// Adds all arrays of a module.
    pub fn put_module<E: Real, D: Device<E>, P: TensorCollection<E, D>>(
        &mut self,
        path: &str,
        module: &P,
    ) {
        for a in arrays(module) {
            self.put_array(&format!("{path}{}", a.name), &a.shape, &a.values);
        }
    }

    /// Replaces all arrays of a module.
    pub fn take_module<E: Real, D: Device<E>, P: TensorCollection<E, D>>(
        &self,
        path: &str,
        module: &mut P,
        problems: &mut Vec<String>,
    ) {
        let names: Vec<String> = arrays(module).into_iter().map(|a| a.name).collect();
        let mut found = Vec::new();
        for name in names {
            match self.array(&format!("{path}{name}")) {
                Ok((shape, values)) => found.push(NamedArray { name, shape, values }),
                Err(problem) => problems.push(problem),
            }
        }
        if let Err(more) = replace(module, &found) {
            problems.extend(more.into_iter().map(|p| format!("{path}{p}")));
        }
    }
}

impl Persist for u64 {
    fn save(&self, record: &mut Record, path: &str) {
        record.counts.insert(path.into(), *self);
    }
    fn load(&mut self, record: &Record, path: &str, problems: &mut Vec<String>) {
        match record.counts.get(path) {
            Some(value) => *self = *value,
            None => problems.push(format!("{path} is missing")),
        }
    }
}

impl<P: TensorCollection<E, D>, E: Real, D: Engine<E>> Persist for Learner<P, E, D> {
    fn save(&self, record: &mut Record, path: &str) {
        record.put_module(&format!("{path}parameters."), self.params());
        self.updates().save(record, &format!("{path}updates"));
        (self.moments().len() as u64).save(record, &format!("{path}moments"));
        for (i, m) in self.moments().iter().enumerate() {
            record.put_array(&format!("{path}mean.{i}"), &[m.mean.len()], &m.mean);
            record.put_array(&format!("{path}square.{i}"), &[m.square.len()], &m.square);
        }
    }

    fn load(&mut self, record: &Record, path: &str, problems: &mut Vec<String>) {
        record.take_module(&format!("{path}parameters."), self.params_mut(), problems);
        let (mut updates, mut count) = (0, 0);
        updates.load(record, &format!("{path}updates"), problems);
        count.load(record, &format!("{path}moments"), problems);
        let mut moments = Vec::new();
        for i in 0..count {
            let mut take = |what: &str| match record.array(&format!("{path}{what}.{i}")) {
                Ok((_, values)) => values,
                Err(problem) => {
                    problems.push(problem);
                    Vec::new()
                }
            };
            moments.push(Moments { mean: take("mean"), square: take("square") });
        }
        self.restore(updates, moments);
    }
}
