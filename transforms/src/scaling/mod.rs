//! Maps of numbers that shift and stretch, and the logarithm.

mod log;
mod min_max;
mod moments;
mod robust;
mod standard;

pub use log::Log;
pub use min_max::MinMax;
pub use robust::Robust;
pub use standard::Standard;

pub(crate) use moments::moments;

/// `(x - centre) / unit` without overflow on the way.
fn shrink(x: f64, centre: f64, unit: f64) -> f64 {
    let away = x - centre;
    // The difference of two legal numbers may be too large; that of their halves never is.
    if away.is_finite() { away / unit } else { (0.5 * x - 0.5 * centre) / (0.5 * unit) }
}

/// A unit to divide by. A column whose spread is 0, or too small for a normal double, keeps its own
/// unit: it is only moved, so that nothing is divided by zero and nothing is lost.
fn unit(spread: f64) -> f64 {
    if spread >= f64::MIN_POSITIVE { spread } else { 1.0 }
}
