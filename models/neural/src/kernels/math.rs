use super::vectorised;

/// `exp`, with a relative error below 2e-7 for arguments in `[-87, 88]`; arguments outside are cut
/// there. Free of branches, so that loops over it become vector code.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to a whole number.
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let whole = shifted - MAGIC;
    let rest = (x - whole * 0.693_145_75) - whole * 1.428_606_8e-6;
    let mut p = 1.987_569_2e-4;
    p = p * rest + 1.398_199_9e-3;
    p = p * rest + 8.333_452e-3;
    p = p * rest + 4.166_579_6e-2;
    p = p * rest + 1.666_666_6e-1;
    p = p * rest + 0.5;
    p = p * rest * rest + rest + 1.0;
    f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// Natural logarithm of a positive normal number, with a relative error below 2e-7 (also near 1).
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    // Splits x into m * 2^e with m in [sqrt(1/2), sqrt(2)).
    let bits = x.to_bits().wrapping_sub(0x3f35_04f3);
    let e = ((bits as i32) >> 23) as f32;
    let m = f32::from_bits((bits & 0x007f_ffff).wrapping_add(0x3f35_04f3)) - 1.0;
    let z = m * m;
    let mut p = 7.037_683_6e-2;
    p = p * m - 1.151_461e-1;
    p = p * m + 1.167_699_9e-1;
    p = p * m - 1.242_014_1e-1;
    p = p * m + 1.424_932_3e-1;
    p = p * m - 1.666_805_7e-1;
    p = p * m + 2.000_071_5e-1;
    p = p * m - 2.499_999_4e-1;
    p = p * m + 0.333_333_3;
    let tail = p * m * z - e * 2.121_944_4e-4 - 0.5 * z;
    m + tail + e * 0.693_359_4
}

vectorised! {
    /// Turns uniforms in (0, 1) into standard Gumbel noise, in place.
    pub fn gumbel_of_uniform(cells: &mut [f32]) {
        for cell in cells {
            *cell = -ln(-ln(*cell));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Older CTGAN code met infinite noise here (models.md 2.7, number 5).
    #[test]
    fn gumbel_noise_is_finite_at_both_ends_of_the_uniforms() {
        let mut ends = [0.5 / 8_388_608.0, 1.0 - 0.5 / 8_388_608.0];
        gumbel_of_uniform(&mut ends);
        assert!((ends[0] + 2.811).abs() < 1e-2 && (ends[1] - 16.6).abs() < 0.1, "{ends:?}");
    }

    #[test]
    fn approximations_are_close_over_their_whole_range() {
        let mut x = -87.0f32;
        while x < 88.0 {
            let (ours, exact) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((ours / exact - 1.0).abs() < 3e-7, "exp({x}): {ours} {exact}");
            x += 0.003_7;
        }
        for exponent in -120..120 {
            for step in 0..200 {
                let x = (1.0 + step as f32 / 200.0) * 2.0f32.powi(exponent);
                let (ours, exact) = (f64::from(ln(x)), f64::from(x).ln());
                assert!(
                    (ours - exact).abs() <= 3e-7 * exact.abs().max(1e-7),
                    "ln({x}): {ours} {exact}"
                );
            }
        }
    }
}
