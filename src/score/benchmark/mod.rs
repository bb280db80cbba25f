//! The Wasserstein-2 benchmark as a socket: a pair with its known map, an estimator that trains on its
//! samples, and the published table to stand beside.
//!
//! | piece | is |
//! |---|---|
//! | [`Contender`] | an estimator: a state, a step, and how to read the map |
//! | [`Trial`] | how long it trains and when it is scored; [`Trial::run`] resumes after a kill |
//! | [`Report`] | the scores along the way: last, best, largest |
//! | [`published`], [`PUBLISHED`] | the table of arXiv:2106.01954 and later results on the same pairs |
//! | [`markdown_table`] | rows of your own above the published ones |
//!
//! An estimator joins with one line, whatever its networks are:
//!
//! ```
//! use brenier::prelude::*;
//! use brenier::score::benchmark::{markdown_table, Contender, Trial};
//!
//! let pair = KnownPair::<2>::random(Key::new(0))?;
//! let adam = AdamConfig::with_rate(1e-3);
//! let config = NotConfig::<HalfSqEuclidean> { map: adam.clone(), potential: adam, ..Default::default() };
//! let (f, t): (Mlp<2, 64, 1, 1>, Displacement<Mlp<2, 64, 1, 2>>) = (build(Key::new(1)), build(Key::new(2)));
//! let trial = Trial { source_parts: config.source_parts(), batch: 128, steps: 60, ..Trial::new("mine", 0) };
//!
//! // The line: a state, a step, and the map that a state holds.
//! let mine = Contender {
//!     state: not_init(&config, f, t)?,
//!     step: |s, b: &Batch<2>, k| not_step(&config, s, b, k),
//!     image: |s: &NotState<_, Displacement<Mlp<2, 64, 1, 2>>>, x| s.map.params().forward(x),
//! };
//! let (report, _) = trial.run(&pair, mine, None, |e| println!("{}: {:.3} %", e.step, e.l2_uvp))?;
//!
//! assert_eq!(report.evaluations.len(), 20);
//! assert!(report.last().unwrap().l2_uvp < report.evaluations[0].l2_uvp);
//! println!("{}", markdown_table(&[report.row()], &[2]));
//! # Ok::<(), Error>(())
//! ```

mod published;
mod report;
mod table;
mod trial;

pub use published::{published, Published, PublishedScore, DIMENSIONS, PUBLISHED};
pub use report::{Evaluation, Outcome, Report};
pub use table::{markdown_table, Row};
pub use trial::{Contender, Trial};
