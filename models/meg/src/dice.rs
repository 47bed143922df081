//! The dice that decide which code a row gets: one throw for all rows of a chunk.

use neural::Randomness;
use rand::{Rng as _, RngCore as _};

/// Throws the dice of many rows.
///
/// With `even`, the rows of a throw share out [0, 1) among each other: each of as many equal parts
/// has one die, and rows that expect the same have dice far apart. So shares of single columns, and
/// of columns that tell of each other, lie much nearer to the model's than those of independent rows
/// do, while each row by itself still follows the model's law: its die is uniform, and independent
/// of its other dice. This is array-RQMC (L'Ecuyer, Lécot and Tuffin 2008, Operations Research
/// 56(4)) with rows as the chains, columns as the steps, and stratified points in the order of van
/// der Corput (1935).
pub(crate) struct Dice<'r> {
    pub randomness: &'r mut Randomness,
    pub even: bool,
}

impl Dice<'_> {
    /// One die in [0, 1) for each row. `expected` is what the rows are put in order by, one number
    /// at or above 0 each; it is asked for only where dice are even.
    pub(crate) fn throw(&mut self, rows: usize, expected: impl FnOnce() -> Vec<f32>) -> Vec<f64> {
        if !self.even {
            return self.throw_independent(rows);
        }
        let rng = &mut self.randomness.rng;
        // Positive floats are ordered as their bits are. Ties fall as chance will have it, so that
        // rows of the same expectation can change places.
        let order = expected().into_iter().zip(0u32..);
        let mut order: Vec<(u32, u32, u32)> =
            order.map(|(key, row)| (key.to_bits(), rng.next_u32(), row)).collect();
        order.sort_unstable();
        let parts = far_apart(rows);
        // Without the turn the first row in order would have the first part in every throw.
        let turn = rng.random_range(0..rows.max(1));
        let mut dice = vec![0.0; rows];
        for (&(_, _, row), part) in order.iter().zip(parts) {
            let part = (part as usize + turn) % rows;
            let die = (part as f64 + rng.random::<f64>()) / rows as f64;
            dice[row as usize] = die.min(1.0f64.next_down());
        }
        dice
    }

    /// Independent dice, whatever the others are.
    pub(crate) fn throw_independent(&mut self, rows: usize) -> Vec<f64> {
        let mut dice = vec![0.0; rows];
        self.randomness.uniforms(&mut dice);
        dice.into_iter().map(f64::from).collect()
    }

    /// Dice for rows of which nothing is known that tells them apart.
    pub(crate) fn throw_alike(&mut self, rows: usize) -> Vec<f64> {
        self.throw(rows, || vec![0.0; rows])
    }
}

/// The numbers below `count` in an order in which every run of neighbours is spread over all of
/// them: by their binary digits read backwards.
fn far_apart(count: usize) -> Vec<u32> {
    let mut order = vec![0; count];
    let digits = count.max(2).next_power_of_two().ilog2();
    let backwards = (0..1u32 << digits).map(|k| (k.reverse_bits() >> (32 - digits)) as usize);
    for (next, place) in backwards.filter(|&place| place < count).enumerate() {
        order[place] = next as u32;
    }
    order
}

/// The mean code of each row under its chances (rows x codes).
pub(crate) fn expected_codes(chances: &[f32], codes: usize) -> Vec<f32> {
    chances.chunks_exact(codes).map(expected_code).collect()
}

/// Eight sums side by side, so that the additions need not wait for each other.
fn expected_code(chances: &[f32]) -> f32 {
    let (mut sums, mut shares) = ([0.0f32; 8], [0.0f32; 8]);
    let eights = chances.chunks_exact(8);
    let rest = eights.remainder();
    let behind = chances.len() - rest.len();
    for (at, eight) in eights.enumerate() {
        for lane in 0..8 {
            sums[lane] += at as f32 * eight[lane];
            shares[lane] += eight[lane];
        }
    }
    let of_eights: f32 = (0..8).map(|lane| 8.0 * sums[lane] + lane as f32 * shares[lane]).sum();
    rest.iter().enumerate().fold(of_eights, |sum, (at, chance)| sum + (behind + at) as f32 * chance)
}

/// The code at which the running sum of the chances passes the die, and how far into the chance of
/// that code it lies, in [0, 1): for a uniform die that is uniform too, whatever the code.
pub(crate) fn pick(chances: &[f32], die: f64) -> (u16, f64) {
    let mut below = 0.0f32;
    for (code, &chance) in chances.iter().enumerate() {
        let sum = below + chance;
        if die < f64::from(sum) {
            let within = (die - f64::from(below)) / f64::from(chance);
            return (code as u16, within.clamp(0.0, 1.0f64.next_down()));
        }
        below = sum;
    }
    // Rounded chances add up to a little less than one: what is left goes to the likeliest code.
    let likeliest = (0..chances.len()).max_by(|&a, &b| chances[a].total_cmp(&chances[b]));
    (likeliest.unwrap_or(0) as u16, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::Seed;

    /// `throws` throws of even dice for rows with these expectations.
    fn thrown(expected: &[f32], throws: u64) -> Vec<Vec<f64>> {
        let mut randomness = Randomness::new(Seed(3).stream("test"));
        let mut dice = Dice { randomness: &mut randomness, even: true };
        (0..throws).map(|_| dice.throw(expected.len(), || expected.to_vec())).collect()
    }

    #[test]
    fn the_numbers_are_all_there_and_runs_of_them_far_apart() {
        assert_eq!(far_apart(8), [0, 4, 2, 6, 1, 5, 3, 7]);
        assert_eq!(far_apart(5), [0, 3, 2, 4, 1]);
        assert_eq!((far_apart(0).len(), far_apart(1)), (0, vec![0]));
        for count in 1..300 {
            let mut order = far_apart(count);
            order.sort_unstable();
            assert!(order.iter().enumerate().all(|(at, &number)| at == number as usize));
        }
    }

    #[test]
    fn each_part_has_one_die_and_rows_alike_are_spread() {
        let expected: Vec<f32> = (0..1_000).map(|row| (row % 4) as f32).collect();
        for dice in thrown(&expected, 20) {
            let mut parts: Vec<usize> = dice.iter().map(|die| (die * 1_000.0) as usize).collect();
            parts.sort_unstable();
            assert!(parts.iter().enumerate().all(|(at, &part)| at == part));
            for group in 0..4 {
                for cut in [0.1, 0.37, 0.5, 0.9] {
                    let of_group = dice.iter().skip(group).step_by(4);
                    let below = of_group.filter(|&&die| die < cut).count() as f64;
                    // Independent dice miss by 7 rows and more in every third such count.
                    assert!((below - 250.0 * cut).abs() < 7.0, "{group} {cut}: {below}");
                }
            }
        }
    }

    #[test]
    fn the_die_of_a_row_is_uniform_and_tells_nothing_of_its_next_one() {
        let expected = [0.0, 0.5, 0.5, 3.0, 3.0, 3.0, 9.0];
        let throws = thrown(&expected, 16_000);
        for row in 0..expected.len() {
            let mut counts = [[0.0f64; 8]; 8];
            for pair in throws.chunks_exact(2) {
                let of = |dice: &[f64]| (dice[row] * 8.0) as usize;
                counts[of(&pair[0])][of(&pair[1])] += 1.0;
            }
            let square: f64 =
                counts.iter().flatten().map(|count| (count - 125.0).powi(2) / 125.0).sum();
            // Chi-square of 63 degrees of freedom: above 120 once in 50 000 times.
            assert!(square < 120.0, "row {row}: {square}");
        }
    }

    #[test]
    fn a_die_picks_a_code_by_its_chance_and_a_place_within_it() {
        let chances = [0.25, 0.0, 0.5, 0.25];
        let picked = |die| pick(&chances, die);
        assert_eq!(picked(0.0), (0, 0.0));
        assert_eq!(picked(0.125), (0, 0.5));
        assert_eq!(picked(0.25), (2, 0.0));
        assert_eq!(picked(0.9375), (3, 0.75));
        assert_eq!(pick(&[0.3, 0.6, 0.0], 0.95), (1, 0.5));
    }

    #[test]
    fn the_expected_code_is_the_mean_code() {
        for codes in [1, 2, 7, 8, 9, 40, 259] {
            let weights: Vec<f32> = (0..codes).map(|code| ((code * 37) % 11) as f32).collect();
            let sum: f32 = weights.iter().sum::<f32>().max(1.0);
            let chances: Vec<f32> = weights.iter().map(|weight| weight / sum).collect();
            let mean: f32 = chances.iter().enumerate().map(|(at, chance)| at as f32 * chance).sum();
            let told = expected_codes(&[&chances[..], &chances[..]].concat(), codes);
            assert!(told.len() == 2 && told.iter().all(|told| (told - mean).abs() < 1e-3));
        }
    }
}
