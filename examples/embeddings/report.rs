//! Tables, and a page with the descriptions that are nearest to the images of texts.

use std::fmt::Write;
use std::path::Path;

use brenier::plot::Report;
use brenier::train::{write_atomically, MeanDeviation};

use crate::arms::{nearest, Scores};
use crate::data::Data;

/// Texts that the page shows.
const SHOWN: usize = 12;

/// The images of the held-out texts.
pub struct Retrieved {
    pub weight: f64,
    pub seed: u64,
    pub moved: Vec<f32>,
}

/// Writes `table.csv`, `table.md` and `report.html`.
pub fn write(
    out: &Path,
    data: &Data,
    table: &[Scores],
    retrieved: &[Retrieved],
) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    table.iter().try_for_each(|row| csv.serialize(row))?;
    write_atomically(&out.join("table.csv"), &csv.into_inner()?)?;
    let markdown = markdown(table, data)?;
    println!("\n{markdown}");
    write_atomically(&out.join("table.md"), markdown.as_bytes())?;
    let means = "Held-out source points: means over them and deviations over seeds";
    let page = Report::new("Extremal transport of embeddings").markdown(means, &markdown);
    let page = with_neighbours(page, data, retrieved);
    page.this_command().write(out.join("report.html"))?;
    Ok(())
}

/// Means and deviations over seeds.
fn markdown(table: &[Scores], data: &Data) -> anyhow::Result<String> {
    type Column = (&'static str, usize, fn(&Scores) -> f64);
    const SYNTHETIC: &[Column] = &[
        ("−cos(x, T(x))", 4, |r| r.cost),
        ("squared distance to the exact map", 4, |r| r.to_exact),
        ("to the extremal map", 4, |r| r.to_extremal),
    ];
    const REAL: &[Column] = &[
        ("−cos(x, T(x))", 4, |r| r.cost),
        ("cos to true image", 4, |r| r.to_image),
        ("cos to other text", 4, |r| r.to_other_text),
        ("top 1, %", 1, |r| 100.0 * r.top1),
        ("top 5, %", 1, |r| 100.0 * r.top5),
        ("top 10, %", 1, |r| 100.0 * r.top10),
    ];
    let columns = if data.synthetic { SYNTHETIC } else { REAL };
    let mut text = String::from("| map |");
    columns.iter().try_for_each(|(name, ..)| write!(text, " {name} |"))?;
    writeln!(text, "\n|---|{}", "---:|".repeat(columns.len()))?;
    let mut names: Vec<&str> = Vec::new();
    for row in table {
        if !names.contains(&row.name.as_str()) {
            names.push(&row.name);
        }
    }
    for name in names {
        write!(text, "| {name} |")?;
        for (_, digits, pick) in columns {
            let of = table.iter().filter(|r| r.name == name).map(pick);
            match MeanDeviation::of(of).filter(|m| !m.mean.is_nan()) {
                Some(m) if m.deviation > 0.0 => {
                    write!(text, " {:.digits$} ± {:.digits$} |", m.mean, m.deviation)?;
                }
                Some(m) => write!(text, " {:.digits$} |", m.mean)?,
                None => text.push_str(" – |"),
            }
        }
        text.push('\n');
    }
    Ok(text)
}

/// For some texts, the held-out images that are nearest to T(text), by the descriptions of their pairs.
fn with_neighbours(page: Report, data: &Data, retrieved: &[Retrieved]) -> Report {
    if data.captions.is_empty() {
        return page;
    }
    let d = data.width;
    let first = retrieved.first().map_or(0, |r| r.seed);
    let page = page.heading("Nearest images of mapped texts").text(
        "An image is shown by the description of its pair; → marks the true one. The text is above.",
    );
    let shown = (0..data.captions.len()).step_by((data.captions.len() / SHOWN).max(1)).take(SHOWN);
    shown.fold(page, |page, i| {
        let of = |r: &Retrieved| {
            let near = nearest(&r.moved[i * d..(i + 1) * d], &data.test_target);
            let told = |j: &usize| match *j == i {
                true => format!("→ {}", data.captions[*j]),
                false => data.captions[*j].clone(),
            };
            let found = near.iter().take(3).map(told);
            std::iter::once(r.weight.to_string()).chain(found).collect::<Vec<_>>()
        };
        let rows: Vec<_> = retrieved.iter().filter(|r| r.seed == first).map(of).collect();
        page.table(&data.captions[i], &["w", "nearest", "second", "third"], &rows)
    })
}
