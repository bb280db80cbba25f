//! Files of results.

use std::fmt::Write;
use std::path::Path;

use brenier::train::{write_atomically, MeanDeviation};

use crate::scores::{Results, Scores};

pub fn write(out: &Path, results: &Results) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    results.scores.iter().try_for_each(|row| csv.serialize(row))?;
    write_atomically(&out.join("scores.csv"), &csv.into_inner()?)?;
    write_atomically(&out.join("table.md"), table(&results.scores)?.as_bytes())?;
    write_atomically(&out.join("markers.csv"), results.markers.as_bytes())?;
    write_atomically(&out.join("types.csv"), results.types.as_bytes())?;
    Ok(())
}

/// Means and deviations over splits and seeds.
pub fn table(all: &[Scores]) -> anyhow::Result<String> {
    type Column = (&'static str, usize, fn(&Scores) -> f64);
    const COLUMNS: [Column; 10] = [
        ("S, ε = 0.1", 3, |s| s.divergence),
        ("S, ε = 1", 3, |s| s.wide_divergence),
        ("MMD", 4, |s| s.mmd),
        ("energy", 4, |s| s.energy),
        ("r²", 3, |s| s.r2),
        ("r² of means", 3, |s| s.r2_of_means),
        ("moved", 2, |s| s.moved),
        ("kept, frequent", 3, |s| s.kept_depleted),
        ("kept, others", 3, |s| s.kept_others),
        ("s", 1, |s| s.seconds),
    ];
    let mut text = String::from("| method |");
    COLUMNS.iter().try_for_each(|(name, ..)| write!(text, " {name} |"))?;
    writeln!(text, "\n|---|{}", "---:|".repeat(COLUMNS.len()))?;
    let mut names: Vec<&str> = Vec::new();
    for s in all {
        if !names.contains(&s.method.as_str()) {
            names.push(&s.method);
        }
    }
    for name in names {
        write!(text, "| {name} |")?;
        for (_, digits, pick) in COLUMNS {
            let of = all.iter().filter(|s| s.method == name).map(pick);
            match MeanDeviation::of(of).filter(|m| !m.mean.is_nan()) {
                Some(m) => write!(text, " {:.digits$} ± {:.digits$} |", m.mean, m.deviation)?,
                None => text.push_str(" – |"),
            }
        }
        text.push('\n');
    }
    Ok(text)
}
