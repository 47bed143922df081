use meg_core::{Error, Result};

/// Refuses values that are not finite.
///
/// # Errors
/// [`Error::Training`] that names the step and the value.
pub fn check_finite(step: u64, values: &[(&'static str, f64)]) -> Result<()> {
    match values.iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some((name, value)) => Err(Error::Training {
            step,
            problem: format!(
                "the {name} is {value}; lower the learning rate or look for extreme values in the table"
            ),
        }),
    }
}

/// Whether all values are finite. Reads every one in a loop without branches: 0 times a finite
/// value is 0, and NaN otherwise.
pub fn all_finite(values: &[f32]) -> bool {
    let (whole, rest) = values.as_chunks::<16>();
    let mut lanes = [0.0f32; 16];
    for chunk in whole {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value * 0.0;
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|value| value * 0.0).sum::<f32>() == 0.0
}

/// A sentence about the first tensor with a value that is not finite.
pub fn first_not_finite<'a, N: std::fmt::Display>(
    tensors: impl IntoIterator<Item = (N, &'a [f32])>,
) -> Option<String> {
    tensors.into_iter().find_map(|(name, values)| {
        if all_finite(values) {
            return None;
        }
        let value = values.iter().find(|value| !value.is_finite())?;
        Some(format!("{name} holds {value}"))
    })
}

/// Refuses what a trained network (`what`: "generator") gave, where it is not finite. Weights that
/// are finite but damaged may overflow, and a row would still be drawn from NaN.
///
/// # Errors
/// [`Error::Artifact`] that names the network.
pub fn check_output(what: &str, cells: &[f32]) -> Result<()> {
    if all_finite(cells) {
        return Ok(());
    }
    Err(Error::Artifact(format!(
        "the {what}'s output is not finite: its weights are damaged; train it anew"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_value_anywhere_is_seen() {
        let good: Vec<f32> = (0..100).map(|at| (at as f32 - 50.0) * 1e36).collect();
        assert!(all_finite(&good) && all_finite(&[]));
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in 0..good.len() {
                let mut cells = good.clone();
                cells[at] = wrong;
                assert!(!all_finite(&cells), "{wrong} at {at}");
                let found = first_not_finite([("a", &good[..]), ("b", &cells[..])]);
                assert_eq!(found, Some(format!("b holds {wrong}")));
            }
        }
    }
}
