/// Mean and population standard deviation of finite values, without overflow or underflow on the
/// way; the deviation of equal values is exactly 0. Both are 0 when there is no value.
pub(crate) fn moments(values: &[f64]) -> (f64, f64) {
    let Some(&first) = values.first() else { return (0.0, 0.0) };
    if values.iter().all(|&x| x == first) {
        return (first, 0.0);
    }
    let largest = values.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    let rows = values.len() as f64;
    let mean = values.iter().map(|x| x / largest).sum::<f64>() / rows;
    let square = values.iter().map(|x| (x / largest - mean).powi(2)).sum::<f64>() / rows;
    (mean * largest, square.sqrt() * largest)
}

#[cfg(test)]
mod tests {
    use super::moments;

    #[test]
    fn units_do_not_matter_and_constants_have_no_spread() {
        for unit in [1.0, 1e300, 1e-300] {
            let (mean, deviation) = moments(&[unit, 3.0 * unit]);
            assert!((mean / unit - 2.0).abs() < 1e-12 && (deviation / unit - 1.0).abs() < 1e-12);
        }
        assert_eq!(moments(&[0.1; 10]), (0.1, 0.0));
        assert_eq!(moments(&[]), (0.0, 0.0));
    }
}
