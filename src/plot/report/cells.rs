//! Cells of tables.

use serde_json::Value;

/// Whether a cell reads as a number, perhaps with a deviation or a unit behind it.
pub(super) fn is_number(cell: &str) -> bool {
    let first = cell.split_whitespace().next().unwrap_or("–");
    matches!(first, "–" | "-") || first.trim_end_matches('%').parse::<f64>().is_ok()
}

/// A cell, with four digits after the point where it has more, or four in all where it is small.
pub(super) fn short(cell: &str) -> String {
    match cell.parse::<f64>() {
        Ok(value) if cell.len() > 7 && cell.contains('.') && value.is_finite() => match value.abs()
        {
            small if small < 1e-3 => format!("{value:.3e}"),
            _ => format!("{value:.4}"),
        },
        _ => cell.into(),
    }
}

/// The leaves of a value, under dotted names.
pub(super) fn flatten(path: String, value: &Value, rows: &mut Vec<Vec<String>>) {
    let below = |name: &str| if path.is_empty() { name.into() } else { format!("{path}.{name}") };
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| flatten(below(name), value, rows));
        }
        Value::String(text) => rows.push(vec![path, text.clone()]),
        // A configuration without fields.
        Value::Null => rows.push(vec![path, "–".into()]),
        other => rows.push(vec![path, other.to_string()]),
    }
}
