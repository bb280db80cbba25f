//! Tables, and a page with the descriptions that are nearest to the images of texts.

use std::fmt::Write;
use std::path::Path;

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

/// Writes `table.csv`, `table.md` and, where there are descriptions, `report.html`.
pub fn write(
    out: &Path,
    data: &Data,
    table: &[Scores],
    retrieved: &[Retrieved],
) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    table.iter().try_for_each(|row| csv.serialize(row))?;
    write_atomically(&out.join("table.csv"), &csv.into_inner()?)?;
    let markdown = markdown(table)?;
    println!("\n{markdown}");
    write_atomically(&out.join("table.md"), markdown.as_bytes())?;
    if !data.captions.is_empty() {
        write_atomically(&out.join("report.html"), page(data, retrieved)?.as_bytes())?;
    }
    Ok(())
}

/// Means and deviations over seeds.
fn markdown(table: &[Scores]) -> anyhow::Result<String> {
    let mut text = String::from(
        "| map | −cos(x, T(x)) | cos to true image | cos to other text | top 1, % | top 5, % | top 10, % |\n\
         |---|---:|---:|---:|---:|---:|---:|\n",
    );
    let mut names: Vec<&str> = Vec::new();
    for row in table {
        if !names.contains(&row.name.as_str()) {
            names.push(&row.name);
        }
    }
    for name in names {
        let over = |pick: &dyn Fn(&Scores) -> f64, digits: usize| {
            let of = table.iter().filter(|r| r.name == name);
            match MeanDeviation::of(of.map(pick)) {
                Some(m) if m.deviation > 0.0 => {
                    format!("{:.digits$} ± {:.digits$}", m.mean, m.deviation)
                }
                Some(m) => format!("{:.digits$}", m.mean),
                None => "–".into(),
            }
        };
        writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} | {} |",
            over(&|r| r.cost, 4),
            over(&|r| r.to_image, 4),
            over(&|r| r.to_other_text, 4),
            over(&|r| 100.0 * r.top1, 1),
            over(&|r| 100.0 * r.top5, 1),
            over(&|r| 100.0 * r.top10, 1),
        )?;
    }
    Ok(text)
}

/// For some texts, the held-out images that are nearest to T(text), by the descriptions of their pairs.
fn page(data: &Data, retrieved: &[Retrieved]) -> anyhow::Result<String> {
    let mut html = String::from(
        "<!doctype html><meta charset=utf-8><title>Extremal transport of embeddings</title>\
         <style>body{font-family:sans-serif;max-width:60em;margin:2em auto}\
         li.true{font-weight:bold}</style><h1>Nearest images of mapped texts</h1>\
         <p>An image is shown by the description of its pair; the true one is bold.</p>",
    );
    let d = data.width;
    let first = retrieved.first().map_or(0, |r| r.seed);
    for i in (0..data.captions.len()).step_by((data.captions.len() / SHOWN).max(1)).take(SHOWN) {
        write!(html, "<h2>{}</h2>", escaped(&data.captions[i]))?;
        for r in retrieved.iter().filter(|r| r.seed == first) {
            write!(html, "<p>w = {}</p><ol>", r.weight)?;
            for j in nearest(&r.moved[i * d..(i + 1) * d], &data.test_target).into_iter().take(3) {
                let class = if i == j { " class=true" } else { "" };
                write!(html, "<li{class}>{}</li>", escaped(&data.captions[j]))?;
            }
            html.push_str("</ol>");
        }
    }
    Ok(html)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
