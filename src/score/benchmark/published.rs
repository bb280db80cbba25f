//! The published figures as data.

use self::PublishedScore::{Absent, Diverged, Reached, Unstable};

/// The dimensions of the published pairs.
pub const DIMENSIONS: [usize; 8] = [2, 4, 8, 16, 32, 64, 128, 256];

/// What a paper says of a solver in one dimension.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PublishedScore {
    /// L2-UVP in percent.
    Reached(f64),
    /// The same, before training diverged.
    Unstable(f64),
    /// Training diverged.
    Diverged,
    /// Not in the paper.
    Absent,
}

impl PublishedScore {
    /// L2-UVP in percent, if there is one.
    pub fn l2_uvp(self) -> Option<f64> {
        match self {
            Reached(value) | Unstable(value) => Some(value),
            Diverged | Absent => None,
        }
    }
}

/// A row of the published table: forward maps on the pairs of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// The name that the paper gives the solver.
    pub solver: &'static str,
    /// Where the row is from.
    pub source: &'static str,
    /// One score for each of [`DIMENSIONS`].
    pub scores: [PublishedScore; 8],
}

/// The published score of a solver, by the name in its paper and the dimension. [`PublishedScore::Absent`]
/// for names and dimensions that are in none of them.
///
/// ```
/// use brenier::score::benchmark::{published, PublishedScore};
/// assert_eq!(published("MM:R", 32), PublishedScore::Reached(2.8));
/// assert_eq!(published("MM", 128).l2_uvp(), Some(3.1));
/// assert_eq!(published("ENOT", 3), PublishedScore::Absent);
/// ```
pub fn published(solver: &str, dimension: usize) -> PublishedScore {
    let row = PUBLISHED.iter().find(|row| row.solver == solver);
    let column = DIMENSIONS.iter().position(|&d| d == dimension);
    match (row, column) {
        (Some(row), Some(column)) => row.scores[column],
        _ => Absent,
    }
}

const KOROTIN: &str = "arXiv:2106.01954, table 2";
const BUZUN: &str = "arXiv:2403.03777, table 2";

const fn row(solver: &'static str, source: &'static str, l2_uvp: [f64; 8]) -> Published {
    let mut scores = [Absent; 8];
    let mut i = 0;
    while i < 8 {
        scores[i] = Reached(l2_uvp[i]);
        i += 1;
    }
    Published { solver, source, scores }
}

/// All rows: those of the benchmark's paper, in its order, then later results on the same pairs.
pub const PUBLISHED: [Published; 16] = [
    row("MMv1", KOROTIN, [0.2, 1.0, 1.8, 1.4, 6.9, 8.1, 2.2, 2.6]),
    Published {
        solver: "MM",
        source: KOROTIN,
        scores: [
            Reached(0.1),
            Reached(0.3),
            Reached(0.9),
            Reached(2.2),
            Reached(4.2),
            Reached(3.2),
            Unstable(3.1),
            Unstable(4.1),
        ],
    },
    Published {
        solver: "MM:R",
        source: KOROTIN,
        scores: [
            Reached(0.1),
            Reached(0.3),
            Reached(0.7),
            Reached(1.9),
            Reached(2.8),
            Reached(4.5),
            Diverged,
            Diverged,
        ],
    },
    Published {
        solver: "MMv2",
        source: KOROTIN,
        scores: [
            Reached(0.1),
            Reached(0.68),
            Reached(2.2),
            Reached(3.1),
            Reached(5.3),
            Unstable(10.1),
            Unstable(3.2),
            Unstable(2.7),
        ],
    },
    row("MMv2:R", KOROTIN, [0.1, 0.7, 4.4, 7.7, 5.8, 6.8, 2.1, 2.8]),
    row("W2", KOROTIN, [0.1, 0.7, 2.6, 3.3, 6.0, 7.2, 2.0, 2.7]),
    row("W2:R", KOROTIN, [0.2, 0.9, 4.0, 5.3, 5.2, 7.0, 2.0, 2.7]),
    row("MM-B", KOROTIN, [0.1, 0.7, 3.1, 6.4, 12.0, 13.9, 19.0, 22.5]),
    row("LS", KOROTIN, [5.0, 11.6, 21.5, 31.7, 42.1, 40.1, 46.8, 54.7]),
    row("Linear", KOROTIN, [14.1, 14.9, 27.3, 41.6, 55.3, 63.9, 63.6, 67.4]),
    row("QC", KOROTIN, [1.5, 14.5, 28.6, 47.2, 64.0, 75.2, 80.5, 88.2]),
    row("Constant", KOROTIN, [100.0; 8]),
    row("Identity", KOROTIN, [32.7, 42.0, 58.6, 87.0, 121.0, 137.0, 145.0, 153.0]),
    row("W2OT", BUZUN, [0.03, 0.22, 0.6, 0.8, 2.09, 2.08, 0.67, 0.65]),
    row("ENOT", BUZUN, [0.02, 0.03, 0.14, 0.24, 0.67, 0.56, 0.3, 0.51]),
    Published {
        solver: "Monge gap",
        source: BUZUN,
        scores: [
            Absent,
            Absent,
            Absent,
            Absent,
            Absent,
            Reached(7.99),
            Reached(9.1),
            Reached(9.41),
        ],
    },
];
