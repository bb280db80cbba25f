//! Sets of points of the plane: the axes that hold them, and those of them that a frame shows.

use super::axis::{Axis, Scale};
use super::plane::subset;

/// Points of one set that are drawn, at most.
const DRAWN: usize = 5000;

fn finite(p: &[f32; 2]) -> bool {
    p.iter().all(|v| v.is_finite())
}

/// A box: lowest and highest coordinates.
#[derive(Clone, Copy)]
struct Bounds {
    low: [f64; 2],
    high: [f64; 2],
}

impl Bounds {
    /// The smallest box of the finite points; none if there are none.
    fn of<'a>(points: impl Iterator<Item = &'a [f32; 2]>) -> Option<Self> {
        points.filter(|p| finite(p)).map(|p| p.map(f64::from)).fold(None, |bounds, p| {
            let b = bounds.unwrap_or(Self { low: p, high: p });
            let low = [b.low[0].min(p[0]), b.low[1].min(p[1])];
            Some(Self { low, high: [b.high[0].max(p[0]), b.high[1].max(p[1])] })
        })
    }

    fn span(&self, axis: usize) -> f64 {
        self.high[axis] - self.low[axis]
    }

    fn middle(&self, axis: usize) -> f64 {
        0.5 * (self.low[axis] + self.high[axis])
    }

    /// Whether a point lies in the box moved outwards by half its longer side.
    fn is_near(&self, p: &[f32; 2]) -> bool {
        let reach = 0.5 * self.span(0).max(self.span(1));
        (0..2).all(|k| {
            let v = f64::from(p[k]);
            self.low[k] - reach <= v && v <= self.high[k] + reach
        })
    }
}

/// Axes for a box of the given width, and its height, such that a unit is equally long on both. They
/// hold all of `fixed`, and those of `free` that are not far from it: a map that has gone astray must
/// not make the rest too small to see. None if no point of `fixed` is finite.
pub(super) fn equal_axes(
    fixed: &[&[[f32; 2]]],
    free: &[[f32; 2]],
    width: f64,
) -> Option<([Axis; 2], f64)> {
    let core = Bounds::of(fixed.iter().copied().flatten())?;
    let near = free.iter().filter(|p| core.is_near(p));
    let bounds = Bounds::of(fixed.iter().copied().flatten().chain(near))?;
    let size = (0..2).map(|k| bounds.low[k].abs().max(bounds.high[k].abs())).fold(0.0, f64::max);
    let mut spans = [bounds.span(0), bounds.span(1)];
    if spans[0].max(spans[1]) <= 1e-6 * size {
        spans = [if size > 0.0 { 0.2 * size } else { 1.0 }; 2];
    }
    // A flat cloud gets a lower box, within limits.
    let height = width * (spans[1] / spans[0]).clamp(0.6, 1.0);
    let unit = 1.06 * (spans[0] / width).max(spans[1] / height);
    let axis = |k: usize, length: f64| {
        let (middle, half) = (bounds.middle(k), 0.5 * unit * length);
        Axis::covering(Scale::Linear, middle - half, middle + half, 0.0)
    };
    Some(([axis(0, width), axis(1, height)], height))
}

/// The points of a set that the axes show.
#[derive(Clone)]
pub(super) struct Visible {
    pub(super) points: Vec<[f64; 2]>,
    /// The name of the set, how many points are shown, and why others are not.
    pub(super) legend: String,
}

/// The points of a set that the axes hold; a fixed random choice of them if they are very many.
pub(super) fn visible(name: &str, points: &[[f32; 2]], axes: &[Axis; 2]) -> Visible {
    let good: Vec<_> = points.iter().filter(|p| finite(p)).map(|p| p.map(f64::from)).collect();
    let inside: Vec<_> = good.iter().filter(|p| holds(axes, p)).collect();
    let shown = subset(inside.len(), DRAWN);
    let (total, broken, outside) =
        (points.len(), points.len() - good.len(), good.len() - inside.len());
    let reasons: Vec<String> = [(outside, "outside"), (broken, "not finite")]
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, why)| format!("{n} {why}"))
        .collect();
    let legend = match (shown.len() == total, reasons.is_empty()) {
        (true, _) => format!("{name} ({total})"),
        (false, true) => format!("{name} ({} of {total})", shown.len()),
        (false, false) => format!("{name} ({} of {total}: {})", shown.len(), reasons.join(", ")),
    };
    Visible { points: shown.iter().map(|&i| *inside[i]).collect(), legend }
}

fn shares(axes: &[Axis; 2], p: &[f64; 2]) -> [f64; 2] {
    [axes[0].share(p[0]), axes[1].share(p[1])]
}

fn holds(axes: &[Axis; 2], p: &[f64; 2]) -> bool {
    shares(axes, p).iter().all(|s| (0.0..=1.0).contains(s))
}

/// A way from a point to its image.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arrow {
    pub(super) from: [f64; 2],
    pub(super) to: [f64; 2],
    /// The image lies beyond the axes, and the arrow ends where it leaves them.
    pub(super) leaves: bool,
}

/// Arrows from a fixed random choice of the points to their images, as many as `most`; fewer where a
/// point or its image is not finite.
pub(super) fn arrows(
    source: &[[f32; 2]],
    images: &[[f32; 2]],
    axes: &[Axis; 2],
    most: usize,
) -> Vec<Arrow> {
    let pairs = subset(source.len().min(images.len()), most).into_iter();
    pairs
        .map(|i| (&source[i], &images[i]))
        .filter(|(from, to)| finite(from) && finite(to))
        .map(|(from, to)| {
            let (from, to) = (from.map(f64::from), to.map(f64::from));
            let leaves = !holds(axes, &to);
            let (a, b) = (shares(axes, &from), shares(axes, &to));
            let part = (0..2).fold(1.0, |t: f64, k| match b[k] {
                b if b > 1.0 => t.min((1.0 - a[k]) / (b - a[k])),
                b if b < 0.0 => t.min(a[k] / (a[k] - b)),
                _ => t,
            });
            let to = if leaves { [0, 1].map(|k| from[k] + part * (to[k] - from[k])) } else { to };
            Arrow { from, to, leaves }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_equally_long_on_both_axes() {
        for cloud in [
            vec![[0.0, 0.0], [4.0, 1.0]],
            vec![[0.0, 0.0], [1.0, 30.0]],
            vec![[5.0, -7.0]],
            vec![[0.0, 0.0]],
            vec![[1e30, 0.0], [1e30, 0.0]],
            vec![[0.0, 0.0], [1e-40, 0.0]],
            vec![[f32::MAX, f32::MIN], [f32::MIN, f32::MAX]],
        ] {
            let ([x, y], height) = equal_axes(&[&cloud], &[], 200.0).unwrap();
            assert!((x.span() / 200.0 / (y.span() / height) - 1.0).abs() < 1e-6, "{cloud:?}");
            assert!((120.0 - 1e-9..=200.0).contains(&height));
            for p in &cloud {
                let shares = [x.share(p[0].into()), y.share(p[1].into())];
                assert!(shares.iter().all(|s| (0.0..=1.0).contains(s)), "{cloud:?} {shares:?}");
            }
        }
        assert!(equal_axes(&[&[[f32::NAN, 0.0]]], &[[0.0, 0.0]], 200.0).is_none());
    }

    #[test]
    fn stray_images_do_not_move_the_axes_far() {
        let fixed = [[-1.0, -1.0], [1.0, 1.0]];
        let fitted = |learned: &[[f32; 2]]| equal_axes(&[&fixed], learned, 200.0).unwrap().0;
        assert!(fitted(&[[1.5, 0.0]])[0].share(1.5) < 1.0);
        let far = fitted(&[[1e6, 0.0], [f32::INFINITY, 0.0]]);
        assert_eq!((far[0].low, far[0].high), (fitted(&[])[0].low, fitted(&[])[0].high));
    }

    #[test]
    fn what_is_not_shown_is_counted() {
        let axes = equal_axes(&[&[[0.0, 0.0], [1.0, 1.0]]], &[], 200.0).unwrap().0;
        let points = [[0.5, 0.5], [f32::NAN, 0.0], [0.0, 7.0], [0.0, f32::INFINITY]];
        let seen = visible("X", &points, &axes);
        assert_eq!(seen.points, [[0.5, 0.5]]);
        assert_eq!(seen.legend, "X (1 of 4: 1 outside, 2 not finite)");
        let many = vec![[0.25, 0.75]; DRAWN + 1];
        let seen = visible("X", &many, &axes);
        assert_eq!((seen.points.len(), seen.legend.as_str()), (DRAWN, "X (5000 of 5001)"));
        assert_eq!(visible("X", &[], &axes).legend, "X (0)");
    }

    #[test]
    fn arrows_end_at_the_image_or_at_the_edge() {
        let axes = equal_axes(&[&[[-1.0, -1.0], [1.0, 1.0]]], &[], 200.0).unwrap().0;
        let (low, high) = (axes[0].low, axes[0].high);
        let source = [[0.0, 0.0], [0.0, 0.0], [0.5, 0.5], [0.0, 0.0], [f32::NAN, 0.0]];
        let images = [[0.5, -0.5], [100.0, 50.0], [0.5, -1e30], [f32::NAN, 0.0], [0.0, 0.0]];
        let got = arrows(&source, &images, &axes, 10);
        assert_eq!(got.len(), 3);
        assert_eq!((got[0].to, got[0].leaves), ([0.5, -0.5], false));
        for (arrow, want) in got[1..].iter().zip([[high, high / 2.0], [0.5, low]]) {
            assert!(arrow.leaves);
            assert!((0..2).all(|k| (arrow.to[k] - want[k]).abs() < 1e-9), "{arrow:?}");
        }
    }
}
