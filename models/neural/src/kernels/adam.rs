use super::vectorised;

/// The constants of one step of Adam, bias corrections included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// Learning rate over the bias correction of the first moment.
    pub rate: f32,
    /// Inverse root of the bias correction of the second moment.
    pub root: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Added to the gradient, times the weight.
    pub decay: f32,
}

vectorised! {
    /// One step of Adam with coupled weight decay over all cells of a weight, in place.
    pub fn adam(value: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32], step: &AdamStep) {
        let AdamStep { rate, root, beta1, beta2, epsilon, decay } = *step;
        for (((w, &g), m), v) in value.iter_mut().zip(gradient).zip(first).zip(second) {
            let g = g + decay * *w;
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            *w -= rate * *m / (v.sqrt() * root + epsilon);
        }
    }
}
