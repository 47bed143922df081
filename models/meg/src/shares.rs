//! After the last step: the shares of each column's codes are those of the training rows.

use crate::codec::Codes;
use crate::ensemble::{Ensemble, MemberView, Scratch};
use crate::learn::{Learned, Material};
use crate::network::Part;
use meg_core::parallel;

/// Rows that go through the networks together.
const CHUNK: usize = 1_024;
/// A share moves its bias as it would without a context, which is nearly enough; twice is.
const ROUNDS: usize = 2;
/// How far a bias may move in a round, in nats.
const FARTHEST: f64 = 1.0;

/// Moves the bias of every code so that the chances that it is given in these rows, each row's other
/// cells being its own, add up to the number of rows that have it.
///
/// In the maximum of likelihood that is so. A state that was kept early, because held-out rows of
/// its column were learned by heart later on, is up to a hundredth off, which no score of single rows
/// tells but the shares of drawn rows do.
pub(crate) fn settle(material: &Material<'_>, learned: &mut Learned, rows: &[u32]) {
    // Dynamic masks share one bias among all contexts.
    if rows.is_empty() || material.layout.plan.dynamic {
        return;
    }
    let layout = &*material.layout;
    for _ in 0..ROUNDS {
        let states: Vec<Ensemble<'_>> = learned
            .states
            .iter()
            .map(|weights| Ensemble {
                members: vec![MemberView::new(layout, weights)],
                mixing: &[],
                temperature: 1.0,
            })
            .collect();
        let moves = parallel::map(material.way.threads, layout.codes.len(), |place| {
            moves(&states[learned.choice[place]], place, material.codes, rows)
        });
        drop(states);
        for (place, moves) in moves.into_iter().enumerate() {
            let (generator, head) = layout.makers[place];
            let bias = layout.shapes[generator].range(Part::OutputBias(head));
            let weights = &mut learned.states[learned.choice[place]].generators[generator];
            weights[bias].iter_mut().zip(moves).for_each(|(bias, by)| *bias += by as f32);
        }
    }
}

/// By code, the logarithm of its share of the rows over its mean chance; 0 where no row has it.
fn moves(state: &Ensemble<'_>, place: usize, codes: &Codes, rows: &[u32]) -> Vec<f64> {
    let layout = state.layout();
    let (order, count) = (&layout.plan.order, layout.codes[place]);
    let parents = &layout.maker(place).1.parents;
    let mut scratch = Scratch::default();
    let (mut seen, mut given) = (vec![0.0f64; count], vec![0.0f64; count]);
    for chunk in rows.chunks(CHUNK) {
        let of = |at: usize| chunk.iter().map(move |&row| codes.columns[order[at]][row as usize]);
        of(place).for_each(|code| seen[usize::from(code)] += 1.0);
        // Of all columns made before, only those that the generator sees.
        let context: Vec<(usize, Vec<u16>)> =
            parents.iter().map(|&at| (at, of(at).collect())).collect();
        let made =
            |at: usize| context.iter().find(|(own, _)| *own == at).map(|(_, codes)| &**codes);
        let chances = state.chances(place, chunk.len(), made, &mut scratch);
        for row in chances.chunks_exact(count) {
            given.iter_mut().zip(row).for_each(|(sum, &chance)| *sum += f64::from(chance));
        }
    }
    let by = |(seen, given): (f64, f64)| match seen > 0.0 && given > 0.0 {
        true => (seen / given).ln().clamp(-FARTHEST, FARTHEST),
        false => 0.0,
    };
    seen.into_iter().zip(given).map(by).collect()
}

#[cfg(test)]
mod tests {
    use meg_core::conformance::{draw, fit};
    use meg_core::{Column, ColumnSpec, Role, Schema, Seed, Table};
    use rand::Rng as _;

    /// Levels of very different frequency, the target among them, most of which tell about another.
    fn table(rows: usize) -> Table {
        let mut rng = Seed(1).stream("test");
        let level = |prefix: &str| (0..6).map(|at| format!("{prefix}{at}")).collect::<Vec<_>>();
        let schema = Schema::new(vec![
            ColumnSpec::category("a", level("a")),
            ColumnSpec::category("b", level("b")),
            ColumnSpec::category("t", ["no", "yes"]).role(Role::Target),
        ])
        .unwrap();
        let mut codes = vec![Vec::new(); 3];
        for _ in 0..rows {
            let a = (6.0 * rng.random::<f64>().powi(2)) as u32;
            let b = if rng.random_bool(0.5) { a } else { (6.0 * rng.random::<f64>()) as u32 };
            codes[0].push(a);
            codes[1].push(b);
            codes[2].push(u32::from(rng.random_bool(0.02 + 0.1 * f64::from(b))));
        }
        Table::new(schema, codes.into_iter().map(Column::Codes).collect()).unwrap()
    }

    fn largest_difference(one: &Table, other: &Table) -> f64 {
        let share = |table: &Table, column: usize, code: u32| {
            let codes = table.codes(column);
            codes.iter().filter(|&&own| own == code).count() as f64 / codes.len() as f64
        };
        let columns = (0..3).flat_map(|column| (0..6).map(move |code| (column, code)));
        let apart = columns
            .map(|(column, code)| (share(one, column, code) - share(other, column, code)).abs());
        apart.fold(0.0, f64::max)
    }

    /// Few steps at a high rate leave the shares anywhere; settled they are those of the rows.
    #[test]
    fn drawn_shares_are_those_of_the_training_rows() {
        let rows = table(4_000);
        let hasty = "learning_rate = 0.03\nmax_steps = 40\nwarmup = 1\naverage = 0.5\n";
        let drawn = |settings: &str| {
            draw(fit(&crate::ENTRY, &format!("{hasty}{settings}"), &rows, 1).as_ref(), 100_000, 2)
        };
        let settled = largest_difference(&rows, &drawn(""));
        let unsettled = largest_difference(&rows, &drawn("snapshots = 1"));
        assert!(settled < 0.01, "{settled}");
        assert!(unsettled > 2.0 * settled, "{unsettled} without, {settled} with");
    }
}
