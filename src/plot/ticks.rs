//! Where an axis gets ticks, and what they say.

use super::axis::{Axis, Scale};

/// A tick; those without a label are short.
#[derive(Clone, Debug)]
pub(super) struct Tick {
    /// Position on the axis, 0 at its first value and 1 at its last.
    pub(super) share: f64,
    pub(super) label: Option<String>,
}

/// Ticks at round values, at most about `most` of them with a label.
pub(super) fn ticks(axis: &Axis, most: usize) -> Vec<Tick> {
    let most = most.max(2);
    match axis.scale {
        Scale::Linear => labelled(axis, &round_values(axis.low, axis.high, most)),
        Scale::Log => log_ticks(axis, most),
    }
}

fn log_ticks(axis: &Axis, most: usize) -> Vec<Tick> {
    let first = (axis.low - 1e-9).ceil() as i32;
    let last = (axis.high + 1e-9).floor() as i32;
    let inside = |log: f64| (axis.low - 1e-9..=axis.high + 1e-9).contains(&log);
    let tick =
        |log: f64, label: Option<String>| Tick { share: (log - axis.low) / axis.span(), label };
    if last - first >= 1 {
        let decades = (last - first + 1) as usize;
        let stride = decades.div_ceil(most) as i32;
        let mut ticks: Vec<Tick> = (first..=last)
            .map(|d| tick(f64::from(d), (d % stride == 0).then(|| power_of_ten(d))))
            .collect();
        if stride == 1 {
            let between = (first - 1..=last)
                .flat_map(|d| (2..10).map(move |m| f64::from(d) + f64::from(m).log10()));
            ticks.extend(between.filter(|&log| inside(log)).map(|log| tick(log, None)));
        }
        return ticks;
    }
    // Less than two powers of ten in view: 1, 2, 5 in each decade, or equal steps if that is too few.
    let coarse: Vec<(i32, i32)> = (first - 1..=last)
        .flat_map(|d| [1, 2, 5].map(|m| (m, d)))
        .filter(|&(m, d)| inside(f64::from(d) + f64::from(m).log10()))
        .collect();
    if coarse.len() < 3 {
        let values = round_values(10f64.powf(axis.low), 10f64.powf(axis.high), most);
        return labelled(axis, &values);
    }
    let label = |m: i32, d: i32| match d {
        -3..=4 => decimal(f64::from(m) * 10f64.powi(d), (-d).max(0) as usize),
        _ => format!("{m}×{}", power_of_ten(d)),
    };
    coarse
        .iter()
        .map(|&(m, d)| tick(f64::from(d) + f64::from(m).log10(), Some(label(m, d))))
        .collect()
}

/// Multiples of 1, 2 or 5 times a power of ten, and that power.
struct Round {
    values: Vec<f64>,
    power: i32,
}

fn round_values(low: f64, high: f64, most: usize) -> Round {
    let least = (high - low) / most as f64;
    let power = least.log10().floor() as i32;
    let unit = 10f64.powi(power);
    let (step, power) = match least / unit {
        m if m <= 1.0 + 1e-9 => (unit, power),
        m if m <= 2.0 + 1e-9 => (2.0 * unit, power),
        m if m <= 5.0 + 1e-9 => (5.0 * unit, power),
        _ => (10.0 * unit, power + 1),
    };
    let (first, last) = ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
    // A step that vanished (an interval of subnormal length) or a wrong count gives no ticks.
    let sound = step > 0.0 && last.saturating_sub(first) <= 2 * most as i64;
    let values = if sound { (first..=last).map(|i| i as f64 * step).collect() } else { vec![] };
    Round { values, power }
}

fn labelled(axis: &Axis, round: &Round) -> Vec<Tick> {
    let largest = round.values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let magnitude = if largest > 0.0 { (largest * (1.0 + 1e-9)).log10().floor() as i32 } else { 0 };
    let label = |v: f64| {
        if v == 0.0 {
            "0".into()
        } else if (-3..6).contains(&magnitude) {
            decimal(v, (-round.power).max(0) as usize)
        } else {
            let digits = (magnitude - round.power).max(0) as usize;
            // In two steps: 10^magnitude may be out of range where the quotient is not.
            let half = magnitude / 2;
            let mantissa = v / 10f64.powi(half) / 10f64.powi(magnitude - half);
            format!("{}×{}", decimal(mantissa, digits), power_of_ten(magnitude))
        }
    };
    round.values.iter().map(|&v| Tick { share: axis.share(v), label: Some(label(v)) }).collect()
}

/// A number with `digits` decimals and a proper minus sign.
fn decimal(value: f64, digits: usize) -> String {
    format!("{value:.digits$}").replace('-', "−")
}

fn power_of_ten(exponent: i32) -> String {
    let raise = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        // The other raised digits follow each other.
        digit => digit.to_digit(10).and_then(|d| char::from_u32(0x2070 + d)).unwrap_or(digit),
    };
    let raised: String = exponent.to_string().chars().map(raise).collect();
    format!("10{raised}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Key;

    fn labels(scale: Scale, low: f64, high: f64) -> Vec<String> {
        let axis = Axis::covering(scale, low, high, 0.0);
        ticks(&axis, 6).into_iter().filter_map(|t| t.label).collect()
    }

    #[test]
    fn linear_labels() {
        let linear = |low, high| labels(Scale::Linear, low, high).join(" ");
        assert_eq!(linear(0.0, 10.0), "0 2 4 6 8 10");
        assert_eq!(linear(-1.3, 1.2), "−1.0 −0.5 0 0.5 1.0");
        assert_eq!(linear(0.0, 0.012), "0 0.002 0.004 0.006 0.008 0.010 0.012");
        assert_eq!(linear(0.0, 20_000.0), "0 5000 10000 15000 20000");
        assert_eq!(linear(0.0, 2e6), "0 0.5×10⁶ 1.0×10⁶ 1.5×10⁶ 2.0×10⁶");
        assert_eq!(linear(0.0, 5e-5), "0 1×10⁻⁵ 2×10⁻⁵ 3×10⁻⁵ 4×10⁻⁵ 5×10⁻⁵");
        assert_eq!(linear(1000.0, 1000.5), "1000.0 1000.1 1000.2 1000.3 1000.4 1000.5");
    }

    #[test]
    fn logarithmic_labels() {
        let log = |low, high| labels(Scale::Log, low, high).join(" ");
        assert_eq!(log(1e-3, 10.0), "10⁻³ 10⁻² 10⁻¹ 10⁰ 10¹");
        assert_eq!(log(1e-20, 1e14), "10⁻¹⁸ 10⁻¹² 10⁻⁶ 10⁰ 10⁶ 10¹²");
        assert_eq!(log(3.0, 70.0), "5 10 20 50");
        assert_eq!(log(0.35, 0.9), "0.4 0.5 0.6 0.7 0.8 0.9");
        assert_eq!(log(1.5e-7, 1.2e-6), "2×10⁻⁷ 5×10⁻⁷ 1×10⁻⁶");
    }

    /// The number that a label says.
    fn read(label: &str) -> f64 {
        let lower = |c| match c {
            '−' | '⁻' => '-',
            '¹' => '1',
            '²' => '2',
            '³' => '3',
            '⁰'..='⁹' => char::from_digit(c as u32 - '⁰' as u32, 10).unwrap(),
            other => other,
        };
        let plain = |text: &str| text.chars().map(lower).collect::<String>();
        match label.split_once('×').or(label.starts_with("10").then_some(("1", label))) {
            Some((m, p)) if p.chars().any(|c| "⁻¹²³⁰⁴⁵⁶⁷⁸⁹".contains(c)) => {
                format!("{}e{}", plain(m), plain(&p[2..])).parse().unwrap()
            }
            _ => plain(label).parse().unwrap(),
        }
    }

    /// Over many intervals: a few distinct labels, each at the place of the number that it says.
    #[test]
    fn labels_tell_the_truth() {
        let draws = Key::new(7).uniform(4000);
        for d in draws.chunks(4) {
            let [a, b, c, e] = [d[0], d[1], d[2], d[3]].map(f64::from);
            let unit = 10f64.powf(100.0 * (a - 0.5));
            let linear = ((b - 0.5) * 10f64.powf(5.0 * e) * unit, unit * (c + 0.01), Scale::Linear);
            let log = (unit, 10f64.powf(4.0 * b + 0.01), Scale::Log);
            for (low, length, scale) in [linear, log] {
                let high = if scale == Scale::Log { low * length } else { low + length };
                let axis = Axis::covering(scale, low, high, 0.05);
                let ticks: Vec<_> =
                    ticks(&axis, 6).into_iter().filter(|t| t.label.is_some()).collect();
                let said: Vec<_> = ticks.iter().filter_map(|t| t.label.clone()).collect();
                assert!((2..=8).contains(&said.len()), "{axis:?} {said:?}");
                assert!(said.windows(2).all(|w| w[0] != w[1]), "{said:?}");
                for (tick, label) in ticks.iter().zip(&said) {
                    assert!((-1e-6..=1.0 + 1e-6).contains(&tick.share), "{axis:?} {tick:?}");
                    let there = axis.share(read(label));
                    assert!((there - tick.share).abs() < 1e-6, "{axis:?} {tick:?} {there}");
                }
            }
        }
    }

    #[test]
    fn extreme_intervals_are_harmless() {
        for (low, high) in [(-1e300, 1e300), (0.0, f64::MIN_POSITIVE), (1e-280, 2e-280), (7.0, 7.0)]
        {
            let ticks = ticks(&Axis::covering(Scale::Linear, low, high, 0.05), 6);
            assert!((2..12).contains(&ticks.len()), "{low} {high}: {ticks:?}");
        }
        let ticks = ticks(&Axis::covering(Scale::Log, f64::from_bits(1), 1e300, 0.05), 6);
        assert!((2..700).contains(&ticks.len()));
    }
}
