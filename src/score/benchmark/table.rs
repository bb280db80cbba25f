//! Rows beside the published ones, as text.

use serde::{Deserialize, Serialize};

use super::published::{published, PublishedScore, PUBLISHED};

/// One value of a named contender in one dimension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Name of the contender.
    pub name: String,
    /// Dimension of the pair.
    pub dimension: usize,
    /// L2-UVP in percent, or whatever is tabulated.
    pub value: f64,
}

/// A Markdown table of L2-UVP in percent: the names of `rows` in the order in which they appear, then
/// the published solvers that have a figure in one of `dimensions`. Several rows of the same name and
/// dimension (seeds) become their mean ± standard deviation.
///
/// ```
/// use brenier::score::benchmark::{markdown_table, Row};
/// let row = Row { name: "mine".into(), dimension: 8, value: 0.1234 };
/// let table = markdown_table(&[row], &[2, 8]);
/// let lines: Vec<_> = table.lines().collect();
/// assert_eq!(lines[0], "| L2-UVP, % | D = 2 | 8 |");
/// assert_eq!(lines[2], "| **mine** | – | 0.12 |");
/// assert_eq!(lines[4], "| MM | 0.1 | 0.9 |");
/// ```
pub fn markdown_table(rows: &[Row], dimensions: &[usize]) -> String {
    let mut table = String::from("| L2-UVP, % |");
    for (i, d) in dimensions.iter().enumerate() {
        table += &if i == 0 { format!(" D = {d} |") } else { format!(" {d} |") };
    }
    table += "\n|---|";
    table += &"---:|".repeat(dimensions.len());
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !names.contains(&row.name.as_str()) {
            names.push(&row.name);
        }
    }
    for name in names {
        table += &line(&format!("**{name}**"), dimensions, |d| {
            let same = |row: &&Row| row.name == name && row.dimension == d;
            mean_and_deviation(rows.iter().filter(same).map(|row| row.value).collect())
        });
    }
    for row in &PUBLISHED {
        let score = |d| published(row.solver, d);
        if dimensions.iter().any(|&d| score(d) != PublishedScore::Absent) {
            table += &line(row.solver, dimensions, |d| match score(d) {
                PublishedScore::Reached(value) => value.to_string(),
                PublishedScore::Unstable(value) => format!("{value} †"),
                PublishedScore::Diverged => "diverges".into(),
                PublishedScore::Absent => "–".into(),
            });
        }
    }
    table + "\n\n† then diverges.\n"
}

fn line(name: &str, dimensions: &[usize], cell: impl Fn(usize) -> String) -> String {
    let cells: String = dimensions.iter().map(|&d| format!(" {} |", cell(d))).collect();
    format!("\n| {name} |{cells}")
}

fn mean_and_deviation(values: Vec<f64>) -> String {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    match values.len() {
        0 => "–".into(),
        1 => short(mean),
        _ => {
            let squares = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
            format!("{} ± {}", short(mean), short((squares / (n - 1.0)).sqrt()))
        }
    }
}

/// Three decimals below a tenth, two below ten, one above.
fn short(value: f64) -> String {
    match value.abs() {
        a if a < 0.1 => format!("{value:.3}"),
        a if a < 10.0 => format!("{value:.2}"),
        _ => format!("{value:.1}"),
    }
}
