/// The negative log-likelihood of powers, per value, up to a constant. Logarithms are taken once;
/// variances are computed around a reference so that neither extreme powers nor extreme numbers
/// overflow.
pub(super) struct Likelihood {
    /// `ln(1 + x)` of numbers that are not negative.
    up: Vec<f64>,
    /// `ln(1 - x)` of negative numbers.
    down: Vec<f64>,
    jacobian: f64,
    images: Vec<f64>,
}

impl Likelihood {
    pub(super) fn new(values: &[f64]) -> Self {
        let up: Vec<f64> = values.iter().filter(|x| **x >= 0.0).map(|x| x.ln_1p()).collect();
        let down: Vec<f64> = values.iter().filter(|x| **x < 0.0).map(|x| (-x).ln_1p()).collect();
        let rows = values.len() as f64;
        let jacobian = up.iter().map(|log| log / rows).sum::<f64>()
            - down.iter().map(|log| log / rows).sum::<f64>();
        Self { up, down, jacobian, images: Vec::with_capacity(values.len()) }
    }

    /// Infinite where the images do not differ.
    pub(super) fn negative(&mut self, lambda: f64) -> f64 {
        let log_variance = if self.down.is_empty() {
            one_side(&mut self.images, &self.up, lambda)
        } else if self.up.is_empty() {
            one_side(&mut self.images, &self.down, 2.0 - lambda)
        } else {
            self.both_sides(lambda)
        };
        let negative = 0.5 * log_variance - (lambda - 1.0) * self.jacobian;
        if negative.is_nan() || log_variance == f64::NEG_INFINITY {
            f64::INFINITY
        } else {
            negative
        }
    }

    fn both_sides(&mut self, lambda: f64) -> f64 {
        let highest = |logs: &[f64], power: f64| power * logs.iter().copied().fold(0.0, f64::max);
        let largest = highest(&self.up, lambda).max(highest(&self.down, 2.0 - lambda));
        // The scale comes out of the variance as an exponent when it could overflow.
        let scale = if largest > 300.0 { largest } else { 0.0 };
        let image = |log: f64, power: f64| match (power == 0.0, scale > 0.0) {
            (true, _) => log * (-scale).exp(),
            (false, false) => (power * log).exp_m1() / power,
            (false, true) => ((power * log - scale).exp() - (-scale).exp()) / power,
        };
        self.images.clear();
        self.images.extend(self.up.iter().map(|&log| image(log, lambda)));
        self.images.extend(self.down.iter().map(|&log| -image(log, 2.0 - lambda)));
        variance(&self.images).ln() + 2.0 * scale
    }
}

/// Log variance of the images of numbers of one sign, around the one that weighs most.
fn one_side(images: &mut Vec<f64>, logs: &[f64], power: f64) -> f64 {
    let reference = if power > 0.0 {
        logs.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    } else {
        logs.iter().copied().fold(f64::INFINITY, f64::min)
    };
    images.clear();
    images.extend(logs.iter().map(|log| {
        let away = log - reference;
        if power == 0.0 { away } else { (power * away).exp_m1() / power }
    }));
    variance(images).ln() + 2.0 * power * reference
}

fn variance(values: &[f64]) -> f64 {
    let rows = values.len() as f64;
    let mean = values.iter().sum::<f64>() / rows;
    values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / rows
}
