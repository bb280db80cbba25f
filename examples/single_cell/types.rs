//! Types of cells: clusters of the markers that a perturbation is not meant to change.

/// Clusters.
const K: usize = 6;

/// Centres of clusters in some of the coordinates.
pub struct Types {
    coordinates: Vec<usize>,
    centres: Vec<Vec<f32>>,
    /// The cluster with most cells.
    pub frequent: usize,
}

impl Types {
    /// Clusters of cells by Lloyd's iteration from centres that are far apart.
    pub fn of(cells: &[f32], d: usize, coordinates: &[usize]) -> Self {
        let coordinates = coordinates.to_vec();
        let points: Vec<Vec<f32>> =
            cells.chunks(d).map(|c| coordinates.iter().map(|k| c[*k]).collect()).collect();
        let mut centres = vec![points[0].clone()];
        while centres.len() < K {
            let far = |p: &&Vec<f32>| nearest(p, &centres).1;
            let next = points.iter().max_by(|a, b| far(a).total_cmp(&far(b)));
            centres.push(next.cloned().unwrap_or_default());
        }
        let mut sizes = vec![0; K];
        for _ in 0..50 {
            let mut sums = vec![vec![0.0f64; coordinates.len()]; K];
            sizes = vec![0; K];
            for p in &points {
                let (k, _) = nearest(p, &centres);
                sizes[k] += 1;
                sums[k].iter_mut().zip(p).for_each(|(s, v)| *s += f64::from(*v));
            }
            for ((centre, sum), n) in centres.iter_mut().zip(&sums).zip(&sizes) {
                if *n > 0 {
                    *centre = sum.iter().map(|s| (*s / *n as f64) as f32).collect();
                }
            }
        }
        let frequent = (0..K).max_by_key(|k| sizes[*k]).unwrap_or(0);
        Self { coordinates, centres, frequent }
    }

    pub fn of_cell(&self, cell: &[f32]) -> usize {
        let point: Vec<f32> = self.coordinates.iter().map(|k| cell[*k]).collect();
        nearest(&point, &self.centres).0
    }

    /// The cells without 70 % of those of the most frequent type: every cell but seven of ten of these.
    pub fn depleted(&self, cells: &[f32], d: usize) -> Vec<f32> {
        let mut seen = 0;
        let mut kept = |cell: &&[f32]| {
            if self.of_cell(cell) != self.frequent {
                return true;
            }
            seen += 1;
            seen % 10 < 3
        };
        cells.chunks(d).filter(|c| kept(c)).flatten().copied().collect()
    }

    /// The numbers of cells of each type, and of those that keep it.
    pub fn kept(&self, before: &[f32], after: &[f32], d: usize) -> [Vec<f64>; 2] {
        let mut counts = [vec![0.0; K], vec![0.0; K]];
        for (x, y) in before.chunks(d).zip(after.chunks(d)) {
            let k = self.of_cell(x);
            counts[0][k] += 1.0;
            counts[1][k] += f64::from(u8::from(self.of_cell(y) == k));
        }
        counts
    }
}

fn nearest(p: &[f32], centres: &[Vec<f32>]) -> (usize, f32) {
    let square = |c: &[f32]| p.iter().zip(c).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    let distances = centres.iter().map(|c| square(c)).enumerate();
    distances.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
}
