//! Cells from files, and what is held out.

use std::path::Path;

use anyhow::{ensure, Context};
use brenier::data::{Array, Npz};
use brenier::prelude::*;
use rand::seq::SliceRandom;

/// Cells of two conditions, row by row.
pub struct Cells<const N: usize> {
    pub values: Vec<f32>,
    /// Whether a cell was perturbed.
    pub perturbed: Vec<bool>,
    /// 1, 2, …; 0 where there are no patients.
    pub patient: Vec<u8>,
    pub markers: Vec<String>,
    /// Markers of the type of a cell, which the perturbation is not meant to change.
    pub of_type: Vec<usize>,
}

/// Training and held-out cells.
pub struct Part<const N: usize> {
    pub name: String,
    pub source: Vec<f32>,
    pub target: Vec<f32>,
    pub test_source: Vec<f32>,
    pub test_target: Vec<f32>,
}

impl<const N: usize> Cells<N> {
    pub fn read(folder: &Path, set: &str) -> anyhow::Result<Self> {
        let (file, array) = match set {
            "cytof" => ("cytof_bcrxl", "asinh5"),
            _ => ("kang_ifnb_pbmc", "pca50"),
        };
        let mut archive = Npz::open(&folder.join(format!("{file}.npz")))?;
        let values: Array<f32> = archive.array(array)?;
        ensure!(values.rows().1 == N, "{file}: {array} has width {}, {N} wanted", values.rows().1);
        let condition: Array<u8> = archive.array("condition")?;
        let n = condition.values.len();
        let cytof = set == "cytof";
        let patient = if cytof { archive.array::<u8>("patient")?.values } else { vec![0; n] };
        let (mut markers, mut of_type) = ((0..N).map(|i| format!("PC{}", i + 1)).collect(), vec![]);
        if cytof {
            let json = std::fs::read(folder.join(format!("{file}.json")))?;
            let json: serde_json::Value = serde_json::from_slice(&json)?;
            let names = json["marker"].as_array().context("no list `marker`")?;
            markers = names.iter().map(|v| v.as_str().unwrap_or("?").to_owned()).collect();
            let state: Array<u8> = archive.array("is_state")?;
            of_type = (0..N).filter(|i| state.values[*i] == 0).collect();
        }
        let perturbed = condition.values.iter().map(|c| *c == 1).collect();
        Ok(Self { values: values.values, perturbed, patient, markers, of_type })
    }

    fn gather(&self, indices: &[usize]) -> Vec<f32> {
        indices.iter().flat_map(|i| &self.values[i * N..(i + 1) * N]).copied().collect()
    }

    fn indices(&self, wanted: impl Fn(usize) -> bool) -> Vec<usize> {
        (0..self.patient.len()).filter(|i| wanted(*i)).collect()
    }

    /// A fifth of the cells of both conditions held out.
    pub fn split_cells(&self, seed: u64) -> Part<N> {
        let [a, b] = Key::new(seed).fold_in(1000).split();
        let side = |perturbed: bool, key: Key| {
            let mut all = self.indices(|i| self.perturbed[i] == perturbed);
            all.shuffle(&mut key.rng());
            let test = all.split_off(all.len() - all.len() / 5);
            [self.gather(&all), self.gather(&test)]
        };
        let ([source, test_source], [target, test_target]) = (side(false, a), side(true, b));
        Part { name: "cells".into(), source, target, test_source, test_target }
    }

    /// One patient held out, for each patient.
    pub fn split_patients(&self) -> Vec<Part<N>> {
        let mut patients = self.patient.clone();
        patients.sort_unstable();
        patients.dedup();
        let part = |p: u8| {
            let of = |perturbed: bool, test: bool| {
                let wanted =
                    |i: usize| self.perturbed[i] == perturbed && (self.patient[i] == p) == test;
                self.gather(&self.indices(wanted))
            };
            Part {
                name: format!("patient {p}"),
                source: of(false, false),
                target: of(true, false),
                test_source: of(false, true),
                test_target: of(true, true),
            }
        };
        patients.into_iter().map(part).collect()
    }
}
