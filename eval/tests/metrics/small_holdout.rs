//! Four times as many training rows as unseen rows, as a table of which a fifth is kept aside has.

use crate::common::{chosen, find, value};
use crate::people::people;

const SIZES: [usize; 2] = [2_000, 500];

#[test]
fn singling_out_finds_a_copy_and_not_fresh_rows() {
    let (train, holdout) = (people(SIZES[0], "train"), people(SIZES[1], "holdout"));
    let names = ["singling_out_risk", "singling_out_univariate_risk"];
    let copy = chosen(&names, [&train, &holdout, &train]);
    for name in names {
        assert!(value(&copy, name) > 0.9, "{:?}", find(&copy, name, &[]));
    }
    let mut above = 0;
    for draw in 0..20 {
        let fresh = people(SIZES[0], &format!("fresh {draw}"));
        let scores = chosen(&names, [&train, &holdout, &fresh]);
        for name in names {
            let score = find(&scores, name, &[]);
            above += usize::from(score.interval.expect("there is an interval")[0] > 0.0);
        }
    }
    // One-sided, 2.5 % of 40 at most, but both sides' rows stay the same.
    assert!(above <= 3, "{above}");
    // Half of the rows copied: a copy is an attack more often than another row is.
    let rows: Vec<usize> = (0..SIZES[0] / 2).collect();
    let half = train.select_rows(&rows).concat(people(SIZES[0] / 2, "half")).expect("one schema");
    let score = chosen(&names[..1], [&train, &holdout, &half]);
    let risk = value(&score, names[0]);
    assert!((0.5..0.95).contains(&risk), "{:?}", find(&score, names[0], &[]));
}

/// Each time other rows are held out; without them in the interval, half lay outside of it three
/// times as often.
#[test]
fn the_interval_of_the_closer_share_holds_a_half_nineteen_times_in_twenty() {
    let mut outside = 0;
    const DRAWS: usize = 60;
    for draw in 0..DRAWS {
        let table = |rows, name: &str| people(rows, &format!("{name} {draw}"));
        let tables = [table(400, "train"), table(100, "holdout"), table(800, "fresh")];
        let [train, holdout, fresh] = &tables;
        let scores = chosen(&["dcr_share"], [train, holdout, fresh]);
        let [low, high] = find(&scores, "dcr_share", &[]).interval.expect("there is an interval");
        outside += usize::from(!(low..=high).contains(&0.5));
    }
    assert!(outside <= 8, "{outside} of {DRAWS}");
    assert!(outside > 0, "the interval is too wide");
}
