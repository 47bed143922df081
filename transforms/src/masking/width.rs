/// Bins of one width that begin at its multiples. Edges are exact decimals, so that a cell lies
/// between the two numbers that its bin is called by.
pub(super) struct Width {
    width: f64,
    /// The width is `digits * 10^exponent`.
    digits: i128,
    exponent: i32,
}

impl Width {
    /// Farthest bin from 0: that far, neighbouring doubles are a bin apart.
    const FARTHEST: f64 = 9_007_199_254_740_992.0;

    /// Bins of a width above 0, to the digits that it is written with.
    pub(super) fn new(width: f64) -> Self {
        // The shortest digits that read back as the width, as in `2.5e-1`.
        let text = format!("{width:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}").parse().expect("a number is written in digits");
        let exponent = exponent.parse::<i32>().expect("an exponent is a whole number");
        Self { width, digits, exponent: exponent - fraction.len() as i32 }
    }

    /// The bin of a number; the one of 0 is 0. `None` when the number is so many widths from 0 that
    /// bins cannot be told apart.
    pub(super) fn bin(&self, cell: f64) -> Option<i64> {
        let near = (cell / self.width).floor();
        if near.abs() > Self::FARTHEST {
            return None;
        }
        // The quotient is rounded, and may have crossed an edge.
        let mut bin = near as i64;
        while cell < self.edge(bin) {
            bin -= 1;
        }
        while cell >= self.edge(bin + 1) {
            bin += 1;
        }
        Some(bin)
    }

    /// What a bin is called.
    pub(super) fn name(&self, bin: i64) -> String {
        format!("{} to under {}", self.text(bin), self.text(bin + 1))
    }

    /// The lower edge of a bin, as the nearest double.
    fn edge(&self, bin: i64) -> f64 {
        let text = format!("{}e{}", i128::from(bin) * self.digits, self.exponent);
        text.parse().expect("digits and an exponent are a number")
    }

    /// The lower edge of a bin, in decimals.
    fn text(&self, bin: i64) -> String {
        let number = i128::from(bin) * self.digits;
        let sign = if number < 0 { "-" } else { "" };
        let digits = number.unsigned_abs().to_string();
        if number == 0 || self.exponent >= 0 {
            let zeros = if number == 0 { 0 } else { self.exponent as usize };
            return format!("{sign}{digits}{}", "0".repeat(zeros));
        }
        let decimals = self.exponent.unsigned_abs() as usize;
        let digits = format!("{digits:0>width$}", width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        let text = format!("{sign}{whole}.{fraction}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_lies_between_the_edges_that_its_bin_is_called_by() {
        for (width, cell, name) in [
            (0.1, 0.3, "0.3 to under 0.4"),
            (0.4, 1.2, "1.2 to under 1.6"),
            (20.0, -0.5, "-20 to under 0"),
            (2.5, -2.5, "-2.5 to under 0"),
            (20.0, 100.0, "100 to under 120"),
            (1e-10, 3e-10, "0.0000000003 to under 0.0000000004"),
        ] {
            let bins = Width::new(width);
            assert_eq!(bins.name(bins.bin(cell).unwrap()), name);
        }
        for width in [0.1, 0.3, 0.7, 1e-12, 3.3e7, 1e300, 5e-324] {
            let bins = Width::new(width);
            for step in -500..500 {
                let cell = f64::from(step) * width;
                let name = bins.name(bins.bin(cell).unwrap());
                let (low, high) = name.split_once(" to under ").unwrap();
                let (low, high): (f64, f64) = (low.parse().unwrap(), high.parse().unwrap());
                assert!(low <= cell && cell < high, "{cell} is in {name}");
            }
        }
    }

    #[test]
    fn numbers_too_many_widths_from_0_are_refused() {
        for cell in [1e300, -1e300, f64::MAX, 1e17] {
            assert!(Width::new(1.0).bin(cell).is_none(), "{cell}");
        }
    }
}
