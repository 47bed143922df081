/// Where a function of one dip is smallest in `[low, high]`, to 1e-9: the bracket grows from
/// `[-2, 2]` as far as the function falls, then Brent's method (parabolas, golden sections where
/// they fail; Brent 1973, chapter 5) closes in.
pub(super) fn minimum(mut f: impl FnMut(f64) -> f64, low: f64, high: f64) -> f64 {
    let (a, b) = bracket(&mut f, low, high);
    close_in(&mut f, a, b)
}

fn bracket(f: &mut impl FnMut(f64) -> f64, low: f64, high: f64) -> (f64, f64) {
    let (mut a, mut b) = ((-2.0f64).clamp(low, high), 2.0f64.clamp(low, high));
    if a == b {
        // The bounds exclude [-2, 2]: search all that they leave.
        return (low, high);
    }
    let mut middle = 0.5 * (a + b);
    let (mut at_a, mut at_middle, mut at_b) = (f(a), f(middle), f(b));
    loop {
        if at_b < at_middle && b < high {
            (a, at_a, middle, at_middle) = (middle, at_middle, b, at_b);
            b = (b + 2.0 * (b - a)).min(high);
            at_b = f(b);
        } else if at_a < at_middle && a > low {
            (b, at_b, middle, at_middle) = (middle, at_middle, a, at_a);
            a = (a - 2.0 * (b - a)).max(low);
            at_a = f(a);
        } else {
            return (a, b);
        }
    }
}

fn close_in(f: &mut impl FnMut(f64) -> f64, mut a: f64, mut b: f64) -> f64 {
    const GOLDEN: f64 = 0.381_966_011_250_105;
    let mut best = a + GOLDEN * (b - a);
    let (mut second, mut third) = (best, best);
    let mut at_best = f(best);
    let (mut at_second, mut at_third) = (at_best, at_best);
    let (mut step, mut before) = (0.0f64, 0.0f64);
    for _ in 0..200 {
        let middle = 0.5 * (a + b);
        let tolerance = 1e-9 * best.abs() + 1e-10;
        if (best - middle).abs() <= 2.0 * tolerance - 0.5 * (b - a) {
            break;
        }
        // A parabola through the three best points, if it steps inside and less than half as far
        // as the step before last.
        let r = (best - second) * (at_best - at_third);
        let q = (best - third) * (at_best - at_second);
        let (mut p, mut q) = ((best - third) * q - (best - second) * r, 2.0 * (q - r));
        if q > 0.0 {
            p = -p;
        }
        q = q.abs();
        let parabola = p.is_finite()
            && p.abs() < (0.5 * q * before).abs()
            && p > q * (a - best)
            && p < q * (b - best);
        before = step;
        if parabola {
            step = p / q;
            let next = best + step;
            if next - a < 2.0 * tolerance || b - next < 2.0 * tolerance {
                step = if best < middle { tolerance } else { -tolerance };
            }
        } else {
            before = if best < middle { b - best } else { a - best };
            step = GOLDEN * before;
        }
        let next = best + if step.abs() >= tolerance { step } else { tolerance.copysign(step) };
        let at_next = f(next);
        if at_next <= at_best {
            if next < best {
                b = best;
            } else {
                a = best;
            }
            (third, at_third, second, at_second) = (second, at_second, best, at_best);
            (best, at_best) = (next, at_next);
        } else {
            if next < best {
                a = next;
            } else {
                b = next;
            }
            if at_next <= at_second || second == best {
                (third, at_third, second, at_second) = (second, at_second, next, at_next);
            } else if at_next <= at_third || third == best || third == second {
                (third, at_third) = (next, at_next);
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::minimum;

    #[test]
    fn dips_inside_and_beyond_the_first_bracket_are_found() {
        for (dip, bound) in [(0.3, 1e4), (-57.0, 1e4), (900.0, 1e4), (5.0, 5.0)] {
            let found = minimum(|x| (x - dip) * (x - dip), -bound, bound);
            assert!((found - dip).abs() < 1e-6 * dip.abs(), "{found} for {dip}");
        }
        let found =
            minimum(|x: f64| if x < 1.0 { f64::INFINITY } else { (x - 3.0).powi(2) }, -9.0, 9.0);
        assert!((found - 3.0).abs() < 1e-6, "{found}");
    }
}
