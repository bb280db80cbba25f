//! Kernels with one planted bug each: the checker names it, or the value shows it. The right kernels pass.

use super::common::{Gpu, Half, SOFTMIN};
use brenier_emulator::{exclusive, Kind, Order, Session, Settings};

const ORDERS: [Order; 5] =
    [Order::Ascending, Order::Descending, Order::Random(1), Order::Random(2), Order::Random(3)];

fn named(
    device: &Session,
    what: &str,
    kinds: &[Kind],
    outcome: Result<Vec<f32>, impl std::fmt::Debug>,
) {
    let reports = device.take_reports();
    device.reset();
    let first = reports.first().unwrap_or_else(|| panic!("{what}: nothing reported"));
    assert!(kinds.contains(&first.kind), "{what}: {first}");
    assert!(outcome.is_err(), "{what}: reported, but no CUDA error");
    if first.line > 0 {
        assert!(first.source.as_ref().is_some_and(|s| s.0 == "softmin.cu"), "{first}");
    }
}

/// The kernels that are right, on sizes around those of the tile and the warp, in every order: bit-equal
/// results, within the tolerance of single precision, nothing reported.
#[test]
fn right_kernels_pass() {
    let device = exclusive(Settings::default());
    let gpu = Gpu::new(SOFTMIN).unwrap();
    for (n, m) in [(1, 1), (1, 200), (130, 1), (128, 64), (129, 65), (300, 131)] {
        for half in [Half::new(n, m, 3.0), Half::far(n, m, 40.0)] {
            let mut first = None;
            for order in ORDERS {
                device.configure(&Settings { order, ..Settings::default() });
                let rows = half.rows(&gpu, "rows_right").unwrap();
                let warps = half.warps(&gpu, "warps_right", "merge_right", 1, 32).unwrap();
                let split = half.warps(&gpu, "warps_right", "merge_right", 3, 32).unwrap();
                assert_eq!(device.take_reports(), []);
                assert!(half.accepts(&rows) && half.accepts(&warps) && half.accepts(&split));
                let found = [rows, warps, split];
                assert_eq!(first.get_or_insert(found.clone()), &found);
            }
        }
    }
}

/// Approximate functions that are off by up to their documented error change the result, but not by more
/// than the tolerance.
#[test]
fn perturbed_functions_stay_within_the_tolerance() {
    let device = exclusive(Settings::default());
    let gpu = Gpu::new(SOFTMIN).unwrap();
    let half = Half::new(100, 131, 3.0);
    let plain = half.rows(&gpu, "rows_right").unwrap();
    let mut changed = 0;
    for seed in 0..5 {
        device.configure(&Settings { perturb: Some(seed), ..Settings::default() });
        let found = half.rows(&gpu, "rows_right").unwrap();
        assert!(half.accepts(&found));
        changed += usize::from(found != plain);
    }
    assert!(changed > 3);
}

#[test]
fn bugs_that_the_checker_names() {
    let device = exclusive(Settings::default());
    let gpu = Gpu::new(SOFTMIN).unwrap();
    use Kind::{Barrier, BlockRace, OutOfBounds, Race, Shuffle, Uninitialised};
    // no size is a multiple of the tile or the block
    let half = Half::new(300, 131, 3.0);
    let small = Half::new(300, 40, 3.0);
    for order in ORDERS {
        device.configure(&Settings { order, ..Settings::default() });
        for (kernel, half, kinds) in [
            ("rows_overwritten", &half, &[Race][..]),
            ("rows_unfilled", &half, &[Race, Uninitialised]),
            ("rows_last_tile", &half, &[OutOfBounds]),
            ("rows_load", &half, &[OutOfBounds]),
            ("rows_store", &half, &[OutOfBounds]),
            ("rows_return", &half, &[Barrier]),
            ("rows_divided", &half, &[Barrier]),
            ("rows_stale", &small, &[Uninitialised]),
            ("rows_same", &half, &[BlockRace, OutOfBounds]),
            ("rows_odd", &half, &[Uninitialised]),
        ] {
            named(&device, kernel, kinds, half.rows(&gpu, kernel));
        }
        let twenty = Half::new(9, 20, 3.0);
        for (kernel, half, merge, parts, shared, kinds) in [
            ("warps_half_shuffle", &half, "merge_right", 1, 32, &[Shuffle][..]),
            ("warps_skipped_lane", &twenty, "merge_right", 1, 32, &[Shuffle]),
            ("warps_unordered", &half, "merge_right", 1, 32, &[Race, Uninitialised]),
            ("warps_right", &half, "merge_right", 1, 28, &[OutOfBounds]),
            ("warps_right", &half, "merge_one_more", 3, 32, &[OutOfBounds]),
        ] {
            let outcome = half.warps(&gpu, kernel, merge, parts, shared);
            named(&device, &format!("{kernel}, {merge}"), kinds, outcome);
        }
    }
}

/// Nothing is reported for these, so the comparison has to catch them: on the data named here it does.
#[test]
fn bugs_that_the_value_shows() {
    let device = exclusive(Settings::default());
    let gpu = Gpu::new(SOFTMIN).unwrap();
    let half = Half::new(100, 131, 3.0);
    let tiny_epsilon = Half::far(100, 131, 40.0);
    for (kernel, half) in
        [("rows_stale", &half), ("rows_from_zero", &tiny_epsilon), ("rows_no_rescale", &half)]
    {
        assert!(half.accepts(&half.rows(&gpu, "rows_right").unwrap()), "{kernel}");
        assert!(!half.accepts(&half.rows(&gpu, kernel).unwrap()), "{kernel}");
    }
    for (kernel, merge) in [
        ("warps_early", "merge_right"),
        ("warps_overlap", "merge_right"),
        ("warps_right", "merge_one_less"),
        ("warps_right", "merge_not_first"),
    ] {
        assert!(half.accepts(&half.warps(&gpu, "warps_right", "merge_right", 3, 32).unwrap()));
        let found = half.warps(&gpu, kernel, merge, 3, 32).unwrap();
        assert!(!half.accepts(&found), "{kernel}, {merge}");
    }
    assert_eq!(device.take_reports(), []);
    // on plain data a maximum that starts at zero is right: the data has to be hard
    assert!(half.accepts(&half.rows(&gpu, "rows_from_zero").unwrap()));
}
