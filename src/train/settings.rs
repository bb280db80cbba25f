//! Settings of a run from layers of TOML files and `key=value` pairs.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::Serialize;
use toml::{Table, Value};

use crate::error::{Error, Result};

/// The settings `defaults`, with the entries of `files` laid over them in their order (base, data set,
/// method), and then those of `overrides`, each a `table.key=value` such as `training.batch_size=512`.
///
/// Settings are a structure of structures of numbers, texts, truth values, lists and enumerations, such as
/// the [configuration of an estimator](crate::neural). A variant without fields is its name, one with
/// fields a table of that name, `clip = { Norm = 1.0 }`; a variant, which starts with a capital letter,
/// replaces the one that was there. A key that the settings do not have is refused with the nearest one
/// that they do, a value of another type with what is wanted. Whole numbers are good where numbers with a fraction are wanted. A value of an override is read
/// as TOML, and as a text where that does not work.
///
/// ```
/// use brenier::train::read_settings;
/// use serde::{Deserialize, Serialize};
/// #[derive(Serialize, Deserialize)]
/// struct Settings { training: Training }
/// #[derive(Serialize, Deserialize)]
/// struct Training { batch_size: usize, rate: f64, coupling: String }
/// let defaults =
///     Settings { training: Training { batch_size: 256, rate: 1e-3, coupling: "exact".into() } };
/// let given = ["training.batch_size=512", "training.coupling=unbalanced"];
/// let settings = read_settings(&defaults, &[], &given)?;
/// assert_eq!(settings.training.batch_size, 512);
/// assert_eq!(settings.training.coupling, "unbalanced");
/// let refused = read_settings(&defaults, &[], &["training.bach_size=1"]).err().unwrap();
/// assert!(refused.to_string().contains("did you mean `training.batch_size`?"));
/// # Ok::<(), brenier::Error>(())
/// ```
///
/// # Errors
/// [`Error::Io`] for a file that cannot be read, [`Error::Format`] for one that is no TOML or has an entry
/// that does not fit, [`Error::InvalidConfig`] for such an override.
pub fn read_settings<S: Serialize + DeserializeOwned>(
    defaults: &S,
    files: &[&Path],
    overrides: &[impl AsRef<str>],
) -> Result<S> {
    let rule = "must be tables of plain values, which a TOML file can hold";
    let mut table = Table::try_from(defaults).map_err(|e| Error::config("settings", e, rule))?;
    // Each layer on its own, so that a value of the wrong kind is found where it is.
    for path in files {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        let layer: Table = text.parse().map_err(|e| Error::format(path, e))?;
        with_layer::<S>(&mut table, layer).map_err(|e| Error::format(path, e))?;
    }
    for given in overrides {
        let given = given.as_ref();
        let rule = "must be an entry of the settings, `table.key=value`";
        let refuse =
            |problem: String| Error::config("override", format!("{given} ({problem})"), rule);
        let layer = entry(given).map_err(refuse)?;
        with_layer::<S>(&mut table, layer).map_err(refuse)?;
    }
    let unfit = |e| Error::config("settings", e, "must be what the defaults are");
    fits::<S>(&table).map_err(unfit)
}

/// Lays a layer over the table, which must then be settings that have all of its keys.
fn with_layer<S: Serialize + DeserializeOwned>(
    table: &mut Table,
    layer: Table,
) -> std::result::Result<(), String> {
    lay_over(table, layer.clone(), "")?;
    let settings: S = fits(table)?;
    let known = Table::try_from(&settings).map_err(|e| e.to_string())?;
    all_known(&layer, &known, "")
}

fn fits<S: DeserializeOwned>(table: &Table) -> std::result::Result<S, String> {
    table.clone().try_into().map_err(|e: toml::de::Error| {
        let said = e.to_string().trim().replace('\n', " ");
        // The variant that is not known is named, then those that there are, then the place.
        let variants = said.rsplit_once(" in `").map_or(&said[..], |(variants, _)| variants);
        let mut named = variants.split('`').skip(1).step_by(2);
        let variant = said.contains("unknown variant").then(|| named.next()).flatten();
        let known = variant.and_then(|v| nearest(v, named));
        known.map(|k| format!("{said}; did you mean `{k}`?")).unwrap_or(said)
    })
}

/// The name that looks most like `key`.
fn nearest<'a>(key: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = |k: &str| strsim::jaro_winkler(k, key);
    names.max_by(|a, b| near(a).total_cmp(&near(b)))
}

/// Whether the settings kept every key of the layer: those that they do not have are lost in reading.
fn all_known(layer: &Table, known: &Table, at: &str) -> std::result::Result<(), String> {
    for (key, value) in layer {
        match (known.get(key), value) {
            (None, _) => {
                let near = nearest(key, known.keys().map(String::as_str));
                let near = near.map(|k| format!("; did you mean `{at}{k}`?"));
                return Err(format!("there is no `{at}{key}`{}", near.unwrap_or_default()));
            }
            (Some(Value::Table(known)), Value::Table(layer)) => {
                all_known(layer, known, &format!("{at}{key}."))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// `a.b=value` as a table within a table.
fn entry(given: &str) -> std::result::Result<Table, String> {
    let (path, value) = given.split_once('=').ok_or("there is no `=`")?;
    let text = value.trim();
    let parsed = format!("value = {text}").parse::<Table>();
    let value = match parsed {
        Ok(mut table) => table.remove("value").unwrap_or_else(|| Value::String(text.into())),
        Err(_) => Value::String(text.into()),
    };
    let nest = |value: Value, key: &str| Value::Table(Table::from_iter([(key.into(), value)]));
    match path.trim().rsplit('.').fold(value, nest) {
        Value::Table(table) => Ok(table),
        _ => Err("there is no key".into()),
    }
}

/// Replaces and adds entries of `table` by those of `layer`; `at` is where both are.
fn lay_over(table: &mut Table, layer: Table, at: &str) -> std::result::Result<(), String> {
    for (key, value) in layer {
        let path = format!("{at}{key}");
        match (table.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(layer)) => {
                if is_variant(&layer) && is_variant(inner) && inner.keys().ne(layer.keys()) {
                    *inner = layer;
                } else {
                    lay_over(inner, layer, &format!("{path}."))?;
                }
            }
            (Some(known), value) => *known = of_kind(known, value, &path)?,
            (None, value) => {
                table.insert(key, value);
            }
        }
    }
    Ok(())
}

/// Whether a table is a variant with fields.
fn is_variant(table: &Table) -> bool {
    table.len() == 1 && table.keys().all(|k| is_variant_name(k))
}

fn is_variant_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
}

/// The value, if it is of the kind of the one that it replaces.
fn of_kind(known: &Value, value: Value, path: &str) -> std::result::Result<Value, String> {
    match (known, value) {
        (Value::Float(_), Value::Integer(i)) => Ok(Value::Float(i as f64)),
        (Value::Array(known), Value::Array(values)) => {
            let Some(first) = known.first() else { return Ok(Value::Array(values)) };
            let values = values.into_iter().map(|v| of_kind(first, v, path));
            Ok(Value::Array(values.collect::<std::result::Result<_, _>>()?))
        }
        // A variant with fields for one without, and the other way round.
        (Value::String(known), Value::Table(value))
            if is_variant_name(known) && is_variant(&value) =>
        {
            Ok(Value::Table(value))
        }
        (Value::Table(known), Value::String(value))
            if is_variant(known) && is_variant_name(&value) =>
        {
            Ok(Value::String(value))
        }
        (known, value) if known.type_str() == value.type_str() => Ok(value),
        (known, value) => {
            let (wanted, found) = (known.type_str(), value.type_str());
            Err(format!("`{path}` is a value of type {wanted}, not {found}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Settings {
        name: String,
        training: Training,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Training {
        steps: usize,
        rate: f64,
        tau: [f64; 2],
        times: Vec<u64>,
        clip: bool,
    }

    fn defaults() -> Settings {
        let training =
            Training { steps: 10, rate: 0.5, tau: [1.0, 1.0], times: vec![], clip: false };
        Settings { name: "base".into(), training }
    }

    fn read(files: &[&str], overrides: &[&str]) -> Result<Settings> {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<_> = files
            .iter()
            .enumerate()
            .map(|(i, text)| {
                let path = folder.path().join(format!("{i}.toml"));
                std::fs::write(&path, text).unwrap();
                path
            })
            .collect();
        let paths: Vec<&Path> = paths.iter().map(|p| p.as_path()).collect();
        read_settings(&defaults(), &paths, overrides)
    }

    #[test]
    fn later_layers_win() {
        let files = [
            "name = \"a\"\n[training]\nrate = 1\nsteps = 20",
            "[training]\nrate = 2\ntau = [0.9, 1]",
        ];
        let overrides = ["training.steps=30", " training.clip = true", "training.times=[1, 2]"];
        let found = read(&files, &overrides).unwrap();
        let training =
            Training { steps: 30, rate: 2.0, tau: [0.9, 1.0], times: vec![1, 2], clip: true };
        assert_eq!(found, Settings { name: "a".into(), training });
        assert_eq!(read(&[], &["name=of a run"]).unwrap().name, "of a run");
        assert_eq!(read(&[], &[]).unwrap(), defaults());
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let refused =
            |files: &[&str], overrides: &[&str]| read(files, overrides).unwrap_err().to_string();
        for (files, overrides, said) in [
            (&["[trainig]\nrate = 1"][..], &[][..], "`trainig`; did you mean `training`?"),
            (&["[training]\nratee = 1"], &[], "did you mean `training.rate`?"),
            (
                &["[training]\nrate = \"1\""],
                &[],
                "`training.rate` is a value of type float, not string",
            ),
            (&["training = 1"], &[], "`training` is a value of type table, not integer"),
            (&["[training]\nsteps = -1"], &[], "steps"),
            (&["[training]\ntau = [1, 2, 3]"], &[], "length 3"),
            (&["rate ="], &[], "0.toml"),
            (&[], &["training.step=1"], "did you mean `training.steps`?"),
            (&[], &["training.rate"], "there is no `=`"),
            (&[], &["training.rate=fast"], "not string"),
            (&[], &["training.rate.x=1"], "is a value of type float, not table"),
            (&[], &["=1"], "there is no ``"),
        ] {
            let found = refused(files, overrides);
            assert!(found.contains(said), "{found:?} does not say {said:?}");
        }
        let missing = Path::new("no/such/file.toml");
        let none: [&str; 0] = [];
        assert!(matches!(read_settings(&defaults(), &[missing], &none), Err(Error::Io { .. })));
    }
}
