//! What is usual, by the samples of it.

/// The weight of the newest sample is one in so many.
const SMOOTHING: u64 = 8;

/// What is usual once there is another sample.
pub(crate) fn smoothed(usual: u64, sample: u64) -> u64 {
    usual - usual / SMOOTHING + sample / SMOOTHING
}

#[cfg(test)]
mod tests {
    use super::smoothed;

    #[test]
    fn it_moves_an_eighth_of_the_way_to_each_sample() {
        assert_eq!(smoothed(800, 1600), 900);
        assert_eq!(smoothed(800, 0), 700);
    }
}
