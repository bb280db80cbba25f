//! What is run: from flags, and from a TOML file that the flags overrule.

use std::path::{Path, PathBuf};

use anyhow::{bail, ensure, Context};
use clap::Parser;
use serde::Deserialize;
use toml::{Table, Value};

use crate::recipe::Recipe;
use crate::solver::Solver;

/// Trains solvers on the pairs of the Wasserstein-2 benchmark and tabulates their errors.
#[derive(Parser)]
pub struct Arguments {
    /// TOML file with any of the fields below (and a table `recipe`); flags overrule it.
    #[arg(long)]
    plan: Option<PathBuf>,
    /// Folder with the benchmark's networks and constants.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Dimensions: of 2, 4, 8, 16, 32, 64, 128 and 256, those the folder holds.
    #[arg(long = "dim", num_args = 1.., value_delimiter = ',')]
    dimensions: Vec<usize>,
    /// Estimators of the map.
    #[arg(long = "solver", value_enum, num_args = 1.., value_delimiter = ',')]
    solvers: Vec<Solver>,
    /// Seeds of initialisation and training.
    #[arg(long = "seed", num_args = 1.., value_delimiter = ',')]
    seeds: Vec<u64>,
    /// Points of a batch, instead of the recipe's.
    #[arg(long)]
    batch: Option<usize>,
    /// Potential steps, instead of the recipe's.
    #[arg(long)]
    steps: Option<u64>,
    /// Minutes of CPU time after which a run ends with what it has.
    #[arg(long)]
    minutes: Option<f64>,
    /// Train for a few seconds.
    #[arg(long)]
    quick: bool,
    /// Where results go.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// The file's fields.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    data: Option<PathBuf>,
    dimensions: Vec<usize>,
    solvers: Vec<Solver>,
    seeds: Vec<u64>,
    minutes: Option<f64>,
    out: Option<PathBuf>,
    recipe: Table,
}

const FIELDS: [&str; 7] = ["data", "dimensions", "solvers", "seeds", "minutes", "out", "recipe"];

/// What is run.
#[derive(Debug)]
pub struct Plan {
    pub data: PathBuf,
    pub out: PathBuf,
    pub minutes: Option<f64>,
    pub quick: bool,
    pub jobs: Vec<Job>,
}

/// One of the runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub solver: Solver,
    pub dimension: usize,
    pub seed: u64,
    pub recipe: Recipe,
}

impl Plan {
    /// The plan of a command line.
    pub fn of(a: Arguments) -> anyhow::Result<Self> {
        let file = match &a.plan {
            Some(path) => read(path).with_context(|| format!("plan {}", path.display()))?,
            None => Fields::default(),
        };
        let or = |flags: Vec<usize>, file, default| first([flags, file, default]);
        let dimensions = or(a.dimensions, file.dimensions, vec![2]);
        let solvers = first([a.solvers, file.solvers, vec![Solver::Not]]);
        let seeds = first([a.seeds, file.seeds, vec![0]]);
        let mut jobs = Vec::new();
        for &dimension in &dimensions {
            for &solver in &solvers {
                let mut recipe = recipe(&file.recipe, solver, dimension)?;
                recipe = if a.quick { recipe.quick() } else { recipe };
                recipe.batch = a.batch.unwrap_or(recipe.batch);
                recipe.steps = a.steps.unwrap_or(recipe.steps);
                let job = |&seed| Job { solver, dimension, seed, recipe: recipe.clone() };
                jobs.extend(seeds.iter().map(job));
            }
        }
        let Some(data) = a.data.or(file.data) else {
            bail!("no folder with the benchmark's files: give --data DIR, or `data` in the plan");
        };
        let out = a.out.or(file.out).unwrap_or_else(|| "target/w2_benchmark".into());
        Ok(Self { data, out, minutes: a.minutes.or(file.minutes), quick: a.quick, jobs })
    }
}

/// The first list that is not empty.
fn first<T, const K: usize>(lists: [Vec<T>; K]) -> Vec<T> {
    lists.into_iter().find(|list| !list.is_empty()).unwrap_or_default()
}

fn read(path: &Path) -> anyhow::Result<Fields> {
    let table: Table = std::fs::read_to_string(path)?.parse()?;
    fields(table)
}

fn fields(table: Table) -> anyhow::Result<Fields> {
    check_names(table.keys(), &FIELDS, "the plan")?;
    let fields: Fields = table.try_into()?;
    let names = Solver::ALL.map(Solver::name);
    check_names(fields.recipe.keys(), &names, "recipe")?;
    // Every table is read once, so that a mistake in one that is not used is found as well.
    for solver in Solver::ALL {
        for dimension in brenier::score::benchmark::DIMENSIONS {
            recipe(&fields.recipe, solver, dimension)?;
        }
    }
    Ok(fields)
}

/// The recipe of a solver in a dimension: its default, with the entries of `recipe.SOLVER` and then those
/// of `recipe.SOLVER.DIMENSION`.
fn recipe(overrides: &Table, solver: Solver, dimension: usize) -> anyhow::Result<Recipe> {
    let mut table = Table::try_from(Recipe::of(solver, dimension))?;
    let known: Vec<String> = table.keys().cloned().collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let path = format!("recipe.{}", solver.name());
    let Some(entry) = overrides.get(solver.name()) else { return Ok(table.try_into()?) };
    let entry = entry.as_table().with_context(|| format!("{path} is no table"))?;
    let (tables, plain): (Vec<_>, Vec<_>) = entry.iter().partition(|(_, v)| v.is_table());
    for (name, _) in &tables {
        let known = brenier::score::benchmark::DIMENSIONS.map(|d| d.to_string());
        ensure!(known.contains(name), "{path}.{name}: no pair of this dimension; try {known:?}");
    }
    let own = tables.into_iter().filter(|(name, _)| **name == dimension.to_string());
    let own = own.filter_map(|(_, v)| v.as_table()).flat_map(Table::iter);
    for (name, value) in plain.into_iter().chain(own) {
        check_names([name], &known, &path)?;
        table.insert(name.clone(), number_like(&table[name.as_str()], value));
    }
    table.try_into().with_context(|| path)
}

/// `1` where `1.0` is wanted is no mistake.
fn number_like(wanted: &Value, found: &Value) -> Value {
    match (wanted, found) {
        (Value::Float(_), Value::Integer(i)) => Value::Float(*i as f64),
        _ => found.clone(),
    }
}

/// Refuses a name that is not known, with the nearest one that is.
fn check_names<'a>(
    names: impl IntoIterator<Item = &'a String>,
    known: &[&str],
    of: &str,
) -> anyhow::Result<()> {
    for name in names {
        if known.contains(&name.as_str()) {
            continue;
        }
        let near = |k: &&&str| (1e6 * strsim::jaro_winkler(k, name)) as u64;
        match known.iter().max_by_key(near) {
            Some(nearest) => bail!("{of} has no `{name}`; did you mean `{nearest}`?"),
            None => bail!("{of} has no `{name}`"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let error = text.parse::<Table>().map_err(Into::into).and_then(fields).err();
        format!("{:#}", error.expect("a refusal"))
    }

    #[test]
    fn unknown_names_are_refused_with_the_nearest_known_one() {
        assert_eq!(
            refusal("dimension = [2]"),
            "the plan has no `dimension`; did you mean `dimensions`?"
        );
        assert_eq!(refusal("[recipe.enots]"), "recipe has no `enots`; did you mean `enot`?");
        let text = "[recipe.enot.64]\nregularization = 0.1";
        let said = "recipe.enot has no `regularization`; did you mean `regularisation`?";
        assert_eq!(refusal(text), said);
        assert!(refusal("[recipe.enot.65]\nrate = 1").contains("no pair of this dimension"));
        assert!(refusal("[recipe.not]\nrate = \"high\"").starts_with("recipe.not"));
        assert!(refusal("solvers = [\"nothing\"]").contains("unknown variant"));
    }

    #[test]
    fn entries_of_a_dimension_overrule_those_of_the_solver() {
        let text = "[recipe.not]\nrate = 1\nsteps = 7\n[recipe.not.8]\nsteps = 9";
        let read = fields(text.parse().unwrap()).unwrap();
        let at = |d| recipe(&read.recipe, Solver::Not, d).unwrap();
        assert_eq!(at(8), Recipe { rate: 1.0, steps: 9, ..Recipe::of(Solver::Not, 8) });
        assert_eq!(at(2), Recipe { rate: 1.0, steps: 7, ..Recipe::of(Solver::Not, 2) });
        let other = recipe(&read.recipe, Solver::Enot, 8).unwrap();
        assert_eq!(other, Recipe::of(Solver::Enot, 8));
    }

    #[test]
    fn flags_overrule_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.toml");
        std::fs::write(&path, "data = \"a\"\nseeds = [1, 2]\ndimensions = [4, 8]\nminutes = 5.0")
            .unwrap();
        let path = path.to_str().unwrap();
        let flags = ["w2", "--plan", path, "--dim", "2,4", "--solver", "enot", "--steps", "3"];
        let plan = Plan::of(Arguments::parse_from(flags)).unwrap();
        assert_eq!((plan.data, plan.minutes), ("a".into(), Some(5.0)));
        let runs: Vec<_> = plan.jobs.iter().map(|j| (j.dimension, j.seed)).collect();
        assert_eq!(runs, [(2, 1), (2, 2), (4, 1), (4, 2)]);
        assert!(plan.jobs.iter().all(|j| j.solver == Solver::Enot && j.recipe.steps == 3));
    }
}
