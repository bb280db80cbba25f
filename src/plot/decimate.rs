//! Long curves drawn with few points.

/// At most about `most` of the points, among them the first, the last and, of each bucket of
/// consecutive points, the lowest and the highest: a spike stays however narrow it is.
pub(super) fn decimate(points: Vec<(f64, f64)>, most: usize) -> Vec<(f64, f64)> {
    let n = points.len();
    if n <= most.max(4) {
        return points;
    }
    let buckets = (most.max(4) - 2) / 2;
    let inner = &points[1..n - 1];
    let mut kept = Vec::with_capacity(most);
    kept.push(points[0]);
    for bucket in 0..buckets {
        let (from, to) = (bucket * inner.len() / buckets, (bucket + 1) * inner.len() / buckets);
        let by_height = |&a: &usize, &b: &usize| inner[a].1.total_cmp(&inner[b].1);
        let (low, high) = ((from..to).min_by(by_height), (from..to).max_by(by_height));
        if let (Some(low), Some(high)) = (low, high) {
            kept.push(inner[low.min(high)]);
            if low != high {
                kept.push(inner[low.max(high)]);
            }
        }
    }
    kept.push(points[n - 1]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Key;

    #[test]
    fn short_curves_are_kept_whole() {
        let points: Vec<_> = (0..10).map(|i| (f64::from(i), 0.0)).collect();
        assert_eq!(decimate(points.clone(), 10), points);
        assert_eq!(decimate(vec![], 10), []);
    }

    /// Spikes of one point at any place survive, the order stays, the count is bounded.
    #[test]
    fn spikes_ends_and_order_are_kept() {
        for (n, most) in [(11, 10), (1000, 10), (100_003, 2000), (2001, 2000), (5000, 0)] {
            for spike in [0, 1, n / 3, n - 2, n - 1] {
                let noise = Key::new(n as u64).uniform(n);
                let mut points: Vec<_> =
                    noise.iter().enumerate().map(|(i, &u)| (i as f64, f64::from(u))).collect();
                points[spike].1 = 100.0;
                points[n / 2].1 = -100.0;
                let few = decimate(points.clone(), most);
                assert!(few.len() <= most.max(4), "{n} {most} {}", few.len());
                assert_eq!((few[0], few.last()), (points[0], points.last()));
                assert!(few.windows(2).all(|w| w[0].0 < w[1].0));
                assert!(few.contains(&points[spike]) && few.contains(&points[n / 2]));
            }
        }
    }
}
