//! What is said of several samples of one thing.

use crate::rows::Unit;

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The value that a `share` of the others is below, between two samples in proportion.
pub(crate) fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = share.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    Some(sorted[below] + (sorted[above] - sorted[below]) * place.fract())
}

/// The fastest sample, or the highest rate.
pub(crate) fn best(values: &[f64], unit: Unit) -> Option<f64> {
    let values = values.iter().copied();
    if unit == Unit::PerSecond {
        values.reduce(f64::max)
    } else {
        values.reduce(f64::min)
    }
}

/// How far apart the middle half of the samples lies, in percent of the median; one alone has none.
pub(crate) fn spread(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let middle = median(values)?;
    let width = quantile(values, 0.75)? - quantile(values, 0.25)?;
    (middle > 0.0).then(|| 100.0 * width / middle)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[1.0, 9.0, 2.0, 4.0]), Some(3.0));
    }

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        let values = [40.0, 10.0, 30.0, 20.0, 50.0];
        assert_eq!(quantile(&values, 0.0), Some(10.0));
        assert_eq!(quantile(&values, 0.25), Some(20.0));
        assert_eq!(quantile(&values, 0.9), Some(46.0));
        assert_eq!(quantile(&values, 1.0), Some(50.0));
        assert_eq!(spread(&values), Some(100.0 * 20.0 / 30.0));
        assert_eq!(spread(&[5.0]), None);
    }

    #[test]
    fn the_best_rate_is_the_highest_and_the_best_time_the_lowest() {
        assert_eq!(best(&[3.0, 1.0, 2.0], Unit::Nanos), Some(1.0));
        assert_eq!(best(&[3.0, 1.0, 2.0], Unit::PerSecond), Some(3.0));
        assert_eq!(best(&[], Unit::Bytes), None);
    }

    proptest! {
        #[test]
        fn half_of_the_samples_lie_on_each_side_of_the_median(
            values in prop::collection::vec(0.0..1e9, 1..40)
        ) {
            let middle = median(&values).unwrap();
            let below = values.iter().filter(|&&value| value < middle).count();
            let above = values.iter().filter(|&&value| value > middle).count();
            prop_assert!(below <= values.len() / 2 && above <= values.len() / 2);
        }
    }
}
