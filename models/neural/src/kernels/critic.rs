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
