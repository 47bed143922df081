//! What each member counts for, column by column.

use crate::codec::Codes;
use crate::ensemble::{Ensemble, MemberView, Scratch};
use crate::fitted::Member;
use meg_core::parallel;

/// Rows that go through the networks together.
const CHUNK: usize = 1_024;
const ROUNDS: usize = 100;

/// For each place, the weights of the members under which the held-out rows are likeliest when
/// probabilities are mixed (the steps of Dempster, Laird and Rubin 1977 for the shares of a mixture
/// with known components). Equal weights without held-out rows. Of each member there are its states,
/// and by place the position of the one that makes its column.
pub(crate) fn weights(
    members: &[Vec<Member>],
    choices: &[Vec<usize>],
    codes: &Codes,
    held: &[u32],
    threads: usize,
) -> Vec<Vec<f32>> {
    let places = choices[0].len();
    let count = members.len();
    if count == 1 || held.is_empty() {
        return vec![vec![1.0 / count as f32; count]; places];
    }
    let chances: Vec<Vec<Vec<f32>>> =
        parallel::map(threads, count, |at| chances_of(&members[at], &choices[at], codes, held));
    let of = |place: usize| {
        let columns: Vec<&[f32]> = chances.iter().map(|places| &*places[place]).collect();
        shares(&columns)
    };
    parallel::map(threads, places, of)
}

/// The weights of all states of all members, by place: that of the member for the state that its
/// column has chosen, 0 for the others. `choices` by member and place, `states` by member.
pub(crate) fn spread(
    shares: &[Vec<f32>],
    choices: &[Vec<usize>],
    states: &[usize],
) -> Vec<Vec<f32>> {
    let of = |(place, shares): (usize, &Vec<f32>)| -> Vec<f32> {
        let members = shares.iter().zip(choices).zip(states);
        members
            .flat_map(|((&share, choice), &states)| {
                (0..states).map(move |state| if state == choice[place] { share } else { 0.0 })
            })
            .collect()
    };
    shares.iter().enumerate().map(of).collect()
}

/// By place and row, the chance that the member gives to the row's own code.
fn chances_of(states: &[Member], choice: &[usize], codes: &Codes, rows: &[u32]) -> Vec<Vec<f32>> {
    let layout = &states[0].layout;
    let order = &layout.plan.order;
    let states: Vec<Ensemble<'_>> = states.iter().map(alone).collect();
    let mut scratch = Scratch::default();
    let mut all = vec![Vec::with_capacity(rows.len()); order.len()];
    for chunk in rows.chunks(CHUNK) {
        let of = |&column: &usize| -> Vec<u16> {
            chunk.iter().map(|&row| codes.columns[column][row as usize]).collect()
        };
        let batch: Vec<Vec<u16>> = order.iter().map(of).collect();
        for (place, out) in all.iter_mut().enumerate() {
            let made = |at: usize| (at < place).then(|| &*batch[at]);
            let chances = states[choice[place]].chances(place, chunk.len(), made, &mut scratch);
            let own = chances.chunks_exact(layout.codes[place]).zip(&batch[place]);
            out.extend(own.map(|(chances, &code)| chances[usize::from(code)]));
        }
    }
    all
}

fn alone(state: &Member) -> Ensemble<'_> {
    let members = vec![MemberView::new(&state.layout, &state.weights)];
    Ensemble { members, mixing: &[], temperature: 1.0 }
}

/// The shares of the components, given what each says of every row.
fn shares(components: &[&[f32]]) -> Vec<f32> {
    let (count, rows) = (components.len(), components[0].len());
    let mut shares = vec![1.0 / count as f64; count];
    for _ in 0..ROUNDS {
        let mut sums = vec![0.0f64; count];
        let mut of_row = vec![0.0f64; count];
        for row in 0..rows {
            let seen = of_row.iter_mut().zip(components);
            seen.for_each(|(chance, component)| *chance = f64::from(component[row]));
            let chance = |at: usize| shares[at] * of_row[at];
            let total: f64 = (0..count).map(chance).sum();
            if total > 0.0 {
                sums.iter_mut().enumerate().for_each(|(at, sum)| *sum += chance(at) / total);
            }
        }
        let total: f64 = sums.iter().sum();
        if total > 0.0 {
            shares = sums.iter().map(|sum| sum / total).collect();
        }
    }
    shares.into_iter().map(|share| share as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_counts_the_state_that_it_has_chosen() {
        let shares = [vec![0.75, 0.25], vec![0.5, 0.5]];
        let spread = spread(&shares, &[vec![0, 1], vec![0, 0]], &[2, 1]);
        assert_eq!(spread, [[0.75, 0.0, 0.25], [0.0, 0.5, 0.5]]);
    }

    #[test]
    fn shares_are_those_of_the_likeliest_mixture() {
        // Two coins that are sure of themselves, three rows for one and one row for the other.
        let shares = shares(&[&[1.0, 1.0, 1.0, 0.0], &[0.0, 0.0, 0.0, 1.0]]);
        assert!((shares[0] - 0.75).abs() < 1e-6 && (shares[1] - 0.25).abs() < 1e-6, "{shares:?}");
        // A member that says less about every row gets next to nothing.
        let shares = super::shares(&[&[0.9; 50], &[0.1; 50]]);
        assert!(shares[0] > 0.999, "{shares:?}");
        assert_eq!(super::shares(&[&[0.0; 3], &[0.0; 3]]), [0.5, 0.5]);
    }
}
