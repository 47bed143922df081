use crate::numbers::quantile_of_sorted;

/// Levels at which shares are compared.
const LEVELS: usize = 30;

/// `1 - sum |a - share(a)| / sum a` over 30 levels from 0 to 1: 1 where the share within the radius
/// that holds a share `a` of the model is `a`.
///
/// `model` are the distances whose quantiles are the radii; a row counts within a radius if `inside`
/// and its distance is no larger.
pub(super) fn agreement(model: &[f64], rows: &[(bool, f64)]) -> f64 {
    let mut sorted = model.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (mut apart, mut total) = (0.0, 0.0);
    for level in 0..LEVELS {
        let level = level as f64 / (LEVELS - 1) as f64;
        let radius = quantile_of_sorted(&sorted, level);
        let within =
            rows.iter().filter(|(inside, distance)| *inside && *distance <= radius).count();
        apart += (level - within as f64 / rows.len() as f64).abs();
        total += level;
    }
    (1.0 - apart / total).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::agreement;

    #[test]
    fn the_model_agrees_with_itself_and_half_of_it_by_half() {
        let model: Vec<f64> = (0..1_000).map(f64::from).collect();
        let rows = |inside: fn(usize) -> bool| -> Vec<(bool, f64)> {
            model.iter().enumerate().map(|(at, distance)| (inside(at), *distance)).collect()
        };
        assert!(agreement(&model, &rows(|_| true)) > 0.998);
        assert!((agreement(&model, &rows(|at| at % 2 == 0)) - 0.5).abs() < 0.002);
        assert_eq!(agreement(&model, &rows(|_| false)), 0.0);
        let far: Vec<(bool, f64)> = vec![(true, 1e9); 10];
        assert_eq!(agreement(&model, &far), 0.0);
    }
}
