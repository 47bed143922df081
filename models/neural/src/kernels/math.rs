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

/// `sin(2 pi t)` for `t` in `[-1/4, 1/4]`, with an absolute error below 2e-7.
#[inline(always)]
fn sin_of_turns(t: f32) -> f32 {
    let x = t * std::f32::consts::TAU;
    let z = x * x;
    let mut p = -2.505_210_8e-8;
    p = p * z + 2.755_731_9e-6;
    p = p * z - 1.984_127e-4;
    p = p * z + 8.333_333e-3;
    p = p * z - 1.666_666_7e-1;
    x + x * z * p
}

vectorised! {
    /// Turns two slices of uniforms in (0, 1) into independent standard normals, in place (Box
    /// and Muller 1958).
    pub fn normals_of_uniforms(first: &mut [f32], second: &mut [f32]) {
        for (first, second) in first.iter_mut().zip(second) {
            let radius = (-2.0 * ln(*first)).sqrt();
            let turn = *second - 0.5;
            // Sine and cosine of a turn in [-1/2, 1/2], folded to where the series is close.
            let folded = if turn.abs() > 0.25 { 0.5f32.copysign(turn) - turn } else { turn };
            *first = radius * sin_of_turns(0.25 - turn.abs());
            *second = radius * sin_of_turns(folded);
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
    fn normals_are_those_of_box_and_muller() {
        for at in 0..1_000u16 {
            let (u, v) =
                ((f32::from(at) + 0.5) / 1_000.0, f32::from(at * 37 % 1_000) / 1_000.0 + 5e-4);
            let (mut first, mut second) = ([u], [v]);
            normals_of_uniforms(&mut first, &mut second);
            let radius = (-2.0 * f64::from(u).ln()).sqrt();
            let turn = std::f64::consts::TAU * (f64::from(v) - 0.5);
            assert!((f64::from(first[0]) - radius * turn.cos()).abs() < 2e-6, "cos at {u}, {v}");
            assert!((f64::from(second[0]) - radius * turn.sin()).abs() < 2e-6, "sin at {u}, {v}");
        }
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
