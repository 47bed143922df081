use super::vectorised;

vectorised! {
    /// Leaky ReLU and dropout in one product: on return `slopes` holds the derivative at each
    /// cell (the slope, 1 or `leak`, times the mask that it held before), `cells` the activation.
    /// At 0 the slope is `leak`, as in PyTorch.
    pub fn leaky_dropout(cells: &mut [f32], slopes: &mut [f32], leak: f32) {
        for (cell, slope) in cells.iter_mut().zip(slopes) {
            *slope *= if *cell > 0.0 { 1.0 } else { leak };
            *cell *= *slope;
        }
    }
}

vectorised! {
    /// `cells *= factors`, cell by cell.
    pub fn scale_by(cells: &mut [f32], factors: &[f32]) {
        for (cell, &factor) in cells.iter_mut().zip(factors) {
            *cell *= factor;
        }
    }
}

/// Share of a discriminator's logits that are right: above 0 for real rows, below 0 for generated
/// ones.
pub fn right_share(logits: &[f32], real: bool) -> f64 {
    let right = logits.iter().filter(|&&logit| if real { logit > 0.0 } else { logit < 0.0 });
    right.count() as f64 / logits.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activation_and_slope_are_those_of_the_formula() {
        let cells = [2.0, -2.0, 0.0, 3.0, -3.0];
        let masks = [2.0, 2.0, 2.0, 0.0, 0.0];
        let (mut active, mut slopes) = (cells, masks);
        leaky_dropout(&mut active, &mut slopes, 0.25);
        assert_eq!(active, [4.0, -1.0, 0.0, 0.0, -0.0]);
        assert_eq!(slopes, [2.0, 0.5, 0.5, 0.0, 0.0]);
        // The slope is the derivative: the function is linear on either side.
        for at in [0, 1] {
            let (mut moved, mut again) = ([cells[at] + 1.0], [masks[at]]);
            leaky_dropout(&mut moved, &mut again, 0.25);
            assert_eq!(moved[0] - active[at], slopes[at]);
        }
    }

    /// A logit of 0 cannot tell, and NaN even less.
    #[test]
    fn logits_are_right_on_their_side_of_0() {
        let logits = [2.0, 0.5, 0.0, -1.0, f32::NAN];
        assert_eq!([right_share(&logits, true), right_share(&logits, false)], [0.4, 0.2]);
    }

    #[test]
    fn cells_are_scaled_one_by_one() {
        let mut cells: Vec<f32> = (0..21).map(|at| at as f32).collect();
        let factors: Vec<f32> = (0..21).map(|at| 10.0 - at as f32).collect();
        scale_by(&mut cells, &factors);
        for (at, cell) in cells.into_iter().enumerate() {
            assert_eq!(cell, at as f32 * (10.0 - at as f32));
        }
    }
}
