//! Median and range of a few rounds, and ratios paired by round.
use serde::{Deserialize, Serialize};

/// Median, smallest and largest of the rounds of one measurement.
///
/// With a handful of rounds the range says more than a deviation, and nothing is assumed about the distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The middle value; the mean of the two middle ones if their number is even.
    pub median: f64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
}

impl Summary {
    /// Summary of `values`, or `None` if there are none. Values that are not finite are an error of the caller.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        debug_assert!(values.iter().all(|value| value.is_finite()), "a figure is a number: {values:?}");
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, min, max })
    }

    /// `median (min–max)`, or the one value if the rounds agree to the digits shown.
    pub fn show(&self) -> String {
        let (median, min, max) = (figure(self.median), figure(self.min), figure(self.max));
        if min == max { median } else { format!("{median} ({min}–{max})") }
    }
}

/// Ratio of `ours` to `theirs` round by round: only rounds that both finished count.
///
/// Noise that lasts longer than a round (a slow host, a hot neighbour) hits both sides and cancels out.
pub fn paired_ratio(ours: &[(u32, f64)], theirs: &[(u32, f64)]) -> Option<Summary> {
    Summary::of(ours.iter().filter_map(|&(round, our)| {
        let &(_, their) = theirs.iter().find(|&&(other, _)| other == round)?;
        (their > 0.0).then_some(our / their)
    }))
}

/// A number to three significant digits, with thousands separators: `121,300`, `42.1`, `0.034`.
pub fn figure(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return String::from("0");
    }
    let decimals: usize = match size {
        s if s >= 99.95 => 0,
        s if s >= 9.995 => 1,
        s if s >= 0.9995 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    if decimals > 0 { text } else { group_thousands(&text) }
}

/// A number of things, all digits, with thousands separators.
pub fn count(value: u64) -> String {
    group_thousands(&value.to_string())
}

fn group_thousands(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let mut text = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Summary, count, figure, paired_ratio};

    #[test]
    fn median_is_the_middle_of_the_sorted_rounds() {
        let odd = Summary::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!(odd, Summary { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(Summary::of([4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(Summary::of([7.0]).unwrap(), Summary { median: 7.0, min: 7.0, max: 7.0 });
    }

    #[test]
    fn no_rounds_give_no_figure() {
        assert_eq!(Summary::of([]), None);
    }

    #[test]
    fn ratios_pair_only_rounds_that_both_finished() {
        let ours = [(1, 10.0), (2, 30.0), (3, 99.0)];
        let theirs = [(2, 10.0), (1, 10.0)];
        let ratio = paired_ratio(&ours, &theirs).unwrap();
        assert_eq!(ratio, Summary { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(paired_ratio(&ours, &[(4, 1.0)]), None);
    }

    #[test]
    fn ratio_to_nothing_is_left_out_instead_of_infinite() {
        assert_eq!(paired_ratio(&[(1, 5.0)], &[(1, 0.0)]), None);
    }

    #[test]
    fn figures_keep_three_digits_and_group_thousands() {
        let shown: Vec<String> =
            [0.0, 0.0344, 1.0, 9.999, 42.06, 99.96, 999.6, 1234567.0, -1500.0].map(figure).into();
        assert_eq!(shown, ["0", "0.034", "1.00", "10.0", "42.1", "100", "1,000", "1,234,567", "-1,500"]);
    }

    #[test]
    fn counts_keep_all_digits() {
        assert_eq!([0, 64, 1000, 1_234_567].map(count), ["0", "64", "1,000", "1,234,567"]);
    }

    #[test]
    fn equal_rounds_show_one_value() {
        assert_eq!(Summary::of([2.0, 2.0]).unwrap().show(), "2.00");
        assert_eq!(Summary::of([1.0, 2.0, 4.0]).unwrap().show(), "2.00 (1.00–4.00)");
    }
}
