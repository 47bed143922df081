//! Missing cells filled under constraints.

use super::layout::{Rewriting, combination};
use super::pieces::Piece;
use meg_core::{
    Column, ColumnSpec, Constraint, Control, Error, Event, Fitted, MISSING, Observer, Result,
    SampleContext, Schema, Table,
};
use std::collections::BTreeSet;

/// Draws of the missing cells of a tied row that are looked at together.
const DRAWS: usize = 64;
/// Times that so many are drawn, at most.
const ROUNDS: usize = 4;
/// Tied rows whose cells are drawn together.
const TOGETHER: usize = 128;

/// The rows with their missing cells filled by the inner model, or `None` where it cannot do that.
///
/// Rows are rewritten with gaps, and most gaps can be filled as they are: a missing high cell is a
/// missing difference, a missing total follows from its parts. A row is *tied* where a cell that is
/// there is in no column of the rewritten row: a high cell beside a missing low one, a total beside
/// a missing part, a combination of which several are left. Its missing cells are drawn 64 times,
/// and of the draws that fulfil all constraints beside the known cells that one is kept which would
/// have made these most nearly itself (approximate Bayesian computation with the nearest draw); for
/// combinations alone that is rejection, which is exact. One missing part of a known total is what
/// the others leave. Draws that the inner model gives a density are taken before others, so that a
/// mended cell is one that it could have drawn.
///
/// A row that no draw fulfils stays as it is, and the observer is told of it.
pub(super) fn impute(
    inner: &dyn Fitted,
    rewriting: &Rewriting,
    rows: &Table,
    ctx: &mut SampleContext<'_>,
) -> Result<Option<Table>> {
    if rows.schema() != &rewriting.schema {
        return Err(Error::Request("the rows have another schema than the model".into()));
    }
    let gaps = Gaps { rewriting, schema: nullable(&rewriting.inner)? };
    let Some(filled) = inner.impute(&gaps.rewrite(rows)?, ctx)? else { return Ok(None) };
    let drawn = rewriting.restore(&filled)?.table;
    let mut columns = rows.columns().to_vec();
    let (mut free, mut tied, mut stuck) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..rows.rows() {
        match gaps.standing(rows, row) {
            Standing::Whole => {}
            Standing::Free => free.push(row),
            Standing::Tied => tied.push(row),
            Standing::Stuck => stuck.push(row),
        }
    }
    free.iter().for_each(|&row| overlay(&mut columns, row, &drawn, row));
    // Restoring moves cells that leave others no room, and a known cell does not move.
    for row in broken_rows(&rewriting.schema, &columns)? {
        columns
            .iter_mut()
            .zip(rows.columns())
            .for_each(|(column, from)| put(column, row, from, row));
        tied.push(row);
    }
    tell_of_combinations(&stuck, ctx.observer);
    let mut failed = Failed::default();
    for tied in tied.chunks(TOGETHER) {
        gaps.fill_tied(inner, rows, tied, &mut columns, &mut failed, ctx)?;
    }
    failed.tell(ctx.observer);
    Table::new(rows.schema().clone(), columns).map(Some)
}

/// The rows that break a constraint, in order.
fn broken_rows(schema: &Schema, columns: &[Column]) -> Result<BTreeSet<usize>> {
    let mut all = BTreeSet::new();
    for constraint in &schema.constraints {
        all.extend(constraint.broken_rows(schema, columns)?);
    }
    Ok(all)
}

/// The same columns, each of which may have missing cells.
fn nullable(schema: &Schema) -> Result<Schema> {
    Schema::new(schema.columns.iter().cloned().map(ColumnSpec::nullable).collect())
}

/// What can be done about the missing cells of a row.
enum Standing {
    /// There are none.
    Whole,
    /// The rewritten row holds all that is known.
    Free,
    /// It does not.
    Tied,
    /// No training row has the part of a combination that is there.
    Stuck,
}

/// Rows with gaps, rewritten.
struct Gaps<'a> {
    rewriting: &'a Rewriting,
    /// That of the rewritten rows.
    schema: Schema,
}

impl Gaps<'_> {
    fn rewrite(&self, rows: &Table) -> Result<Table> {
        let pieces = self.rewriting.pieces.iter();
        let columns =
            pieces.map(|piece| self.rewrite_piece(*piece, rows)).collect::<Result<_>>()?;
        Table::new(self.schema.clone(), columns)
    }

    fn rewrite_piece(&self, piece: Piece, rows: &Table) -> Result<Column> {
        let rewriting = self.rewriting;
        Ok(match piece {
            // A total that is missing is to be filled.
            Piece::Silent(_) => Column::Codes(vec![0; rows.rows()]),
            Piece::Combination(group) => {
                let code = |row| match self.fitting(rows, row, group)[..] {
                    [only] => only as u32,
                    _ => MISSING,
                };
                Column::Codes((0..rows.rows()).map(code).collect())
            }
            Piece::Difference(at) => {
                let mut column = rewriting.rewrite_piece(piece, rows)?;
                if let Column::Numbers(cells) = &mut column {
                    // It is the distance to the highest low cell, which may be a missing one.
                    let lows = rewriting.schema.lows(at);
                    let open = |row: usize| lows.iter().any(|&low| is_missing(rows, low, row));
                    let open = cells.iter_mut().enumerate().filter(|(row, _)| open(*row));
                    open.for_each(|(_, cell)| *cell = f64::NAN);
                }
                column
            }
            _ => rewriting.rewrite_piece(piece, rows)?,
        })
    }

    /// The combinations of the training rows that agree with the cells that are there and have a
    /// value for those that are not.
    fn fitting(&self, rows: &Table, row: usize, group: usize) -> Vec<usize> {
        let known = combination(rows, &self.rewriting.groups[group], row);
        let fits = |seen: &Vec<Option<u32>>| {
            let mut cells = seen.iter().zip(&known);
            cells.all(|(seen, known)| if known.is_some() { seen == known } else { seen.is_some() })
        };
        let seen = self.rewriting.facts.combinations[group].iter().enumerate();
        seen.filter(|(_, seen)| fits(seen)).map(|(code, _)| code).collect()
    }

    fn standing(&self, rows: &Table, row: usize) -> Standing {
        let Rewriting { schema, groups, facts, .. } = self.rewriting;
        let missing = |at: usize| is_missing(rows, at, row);
        if !(0..schema.columns.len()).any(missing) {
            return Standing::Whole;
        }
        let mut tied = false;
        for (group, members) in groups.iter().enumerate() {
            if members.iter().any(|&at| missing(at)) {
                match self.fitting(rows, row, group).len() {
                    0 => return Standing::Stuck,
                    // Where any combination will do, the model may fill in what it likes.
                    left => tied |= left > 1 && left < facts.combinations[group].len(),
                }
            }
        }
        let known_above = |at: usize| {
            !missing(at)
                && (schema.lows(at).into_iter().any(missing)
                    || schema.parts(at).is_some_and(|parts| parts.into_iter().any(missing)))
        };
        tied |= (0..schema.columns.len()).any(known_above);
        if tied { Standing::Tied } else { Standing::Free }
    }

    /// Fills tied rows, or counts them among those that failed.
    fn fill_tied(
        &self,
        inner: &dyn Fitted,
        rows: &Table,
        tied: &[usize],
        columns: &mut [Column],
        failed: &mut Failed,
        ctx: &mut SampleContext<'_>,
    ) -> Result<()> {
        let mut open = tied.to_vec();
        for round in 1..=ROUNDS {
            if open.is_empty() {
                break;
            }
            let copies: Vec<usize> =
                open.iter().flat_map(|&row| std::iter::repeat_n(row, DRAWS)).collect();
            let copies = rows.select_rows(&copies);
            // What is worth a note was noted when all rows were filled; rows have other numbers here.
            let mut deaf = Deaf { observer: ctx.observer };
            let (rng, threads) = (ctx.rng.clone(), ctx.threads);
            let mut own = SampleContext { rng, threads, observer: &mut deaf };
            let Some(filled) = inner.impute(&self.rewrite(&copies)?, &mut own)? else { break };
            ctx.rng = own.rng;
            let drawn = self.rewriting.restore(&filled)?.table;
            let draws = self.draws(inner, &copies, &drawn, threads)?;
            let mut left = Vec::new();
            for (at, &row) in open.iter().enumerate() {
                match self.best(&copies, &drawn, &draws, at * DRAWS..(at + 1) * DRAWS) {
                    Some(best) => overlay_cells(columns, row, &draws.columns, best),
                    None if round == ROUNDS => {
                        failed.add(row, draws.often_broken(at * DRAWS..(at + 1) * DRAWS));
                    }
                    None => left.push(row),
                }
            }
            open = left;
        }
        Ok(())
    }

    /// The draws with all known cells in their places, mended where a total is known.
    fn draws(
        &self,
        inner: &dyn Fitted,
        rows: &Table,
        drawn: &Table,
        threads: usize,
    ) -> Result<Draws> {
        let Rewriting { schema, groups, facts, .. } = self.rewriting;
        let mut columns = rows.columns().to_vec();
        let count = rows.rows();
        (0..count).for_each(|row| overlay(&mut columns, row, drawn, row));
        self.mend_sums(rows, &mut columns);
        let mut broken = vec![Vec::new(); count];
        for constraint in &schema.constraints {
            for row in constraint.broken_rows(schema, &columns)? {
                broken[row].push(constraint.to_string());
            }
        }
        let named = schema.constraints.iter();
        let named = named.filter(|one| matches!(one, Constraint::Combinations { .. }));
        for ((constraint, members), seen) in named.zip(groups).zip(&facts.combinations) {
            for (row, broken) in broken.iter_mut().enumerate() {
                let filled = members.iter().any(|&at| is_missing(rows, at, row));
                let cells: Vec<Option<u32>> =
                    members.iter().map(|&at| level(&columns[at], row)).collect();
                if filled && (cells.contains(&None) || seen.binary_search(&cells).is_err()) {
                    broken.push(constraint.to_string());
                }
            }
        }
        let sound: Vec<usize> = (0..count).filter(|&row| broken[row].is_empty()).collect();
        let mut likely = vec![false; count];
        for (&row, is_likely) in sound.iter().zip(self.likely(inner, &columns, &sound, threads)?) {
            likely[row] = is_likely;
        }
        Ok(Draws { columns, broken, likely })
    }

    /// Whether the inner model gives these rows a density, where it tells.
    fn likely(
        &self,
        inner: &dyn Fitted,
        columns: &[Column],
        rows: &[usize],
        threads: usize,
    ) -> Result<Vec<bool>> {
        let columns = columns.iter().map(|column| column.select(rows)).collect();
        let table = Table::new(self.rewriting.schema.clone(), columns)?;
        let known = self.rewriting.known_rows(&table)?;
        let rewritten = self.rewriting.rewrite(&table.select_rows(&known))?;
        let densities = inner.log_density(&rewritten, threads)?;
        let mut likely = vec![densities.is_none(); rows.len()];
        for (row, density) in known.into_iter().zip(densities.into_iter().flatten()) {
            likely[row] = density.is_finite();
        }
        Ok(likely)
    }

    /// Where a total is known, one of its missing parts takes what the others leave: the largest that
    /// can. Totals of totals first.
    fn mend_sums(&self, rows: &Table, columns: &mut [Column]) {
        let Rewriting { schema, order, declared, .. } = self.rewriting;
        for row in 0..rows.rows() {
            let mut open: Vec<bool> =
                (0..schema.columns.len()).map(|at| is_missing(rows, at, row)).collect();
            for &total in order.iter().rev() {
                let Some(parts) = schema.parts(total) else { continue };
                let mut free: Vec<usize> = parts.iter().copied().filter(|&at| open[at]).collect();
                if open[total] || free.is_empty() {
                    continue;
                }
                let cell = |columns: &[Column], at: usize| number(&columns[at], row);
                let wanted = cell(columns, total);
                free.sort_by(|&a, &b| {
                    cell(columns, b).abs().total_cmp(&cell(columns, a).abs()).then(a.cmp(&b))
                });
                for at in free {
                    let others = parts.iter().filter(|&&part| part != at);
                    let others: f64 = others.map(|&part| cell(columns, part)).sum();
                    let value = schema.columns[at].snap(wanted - others);
                    let (least, most) = declared[at];
                    let size = wanted.abs().max(others.abs()).max(1.0);
                    let exact = (others + value - wanted).abs() <= 1e-9 * size;
                    if exact && (least..=most).contains(&value) {
                        put_number(&mut columns[at], row, value);
                        open[at] = false;
                        break;
                    }
                }
            }
        }
    }

    /// Of these draws of one row, the one to keep; `None` when all break a constraint.
    fn best(
        &self,
        rows: &Table,
        drawn: &Table,
        draws: &Draws,
        of_row: std::ops::Range<usize>,
    ) -> Option<usize> {
        let schema = &self.rewriting.schema;
        let first = of_row.start;
        let ties = |at: usize| {
            let missing = |other: usize| is_missing(rows, other, first);
            !missing(at)
                && (schema.lows(at).into_iter().any(missing)
                    || schema.parts(at).is_some_and(|parts| parts.into_iter().any(missing)))
        };
        let mut distances = vec![0.0f64; of_row.len()];
        for at in (0..schema.columns.len()).filter(|&at| ties(at)) {
            let cells = &drawn.numbers(at)[of_row.clone()];
            let known = rows.numbers(at)[first];
            let spread = spread(cells);
            for (distance, cell) in distances.iter_mut().zip(cells) {
                *distance += ((cell - known) / spread).powi(2);
            }
        }
        let sound = of_row.filter(|&draw| draws.broken[draw].is_empty());
        sound.min_by(|&a, &b| {
            let first_of = draws.likely[b].cmp(&draws.likely[a]);
            first_of.then(distances[a - first].total_cmp(&distances[b - first]))
        })
    }
}

/// Standard deviation, or 1 where there is none.
fn spread(cells: &[f64]) -> f64 {
    let count = cells.len() as f64;
    let mean = cells.iter().map(|cell| cell / count).sum::<f64>();
    let spread = cells.iter().map(|cell| (cell - mean).powi(2) / count).sum::<f64>().sqrt();
    if spread > 0.0 && spread.is_finite() { spread } else { 1.0 }
}

/// Draws of the missing cells of rows.
struct Draws {
    /// The filled rows.
    columns: Vec<Column>,
    /// For each, the constraints that it breaks.
    broken: Vec<Vec<String>>,
    /// For each, whether the inner model could draw it.
    likely: Vec<bool>,
}

impl Draws {
    /// The constraint that most of these draws break.
    fn often_broken(&self, draws: std::ops::Range<usize>) -> String {
        let mut counts: Vec<(&String, usize)> = Vec::new();
        for name in self.broken[draws].iter().flatten() {
            match counts.iter_mut().find(|(known, _)| *known == name) {
                Some((_, count)) => *count += 1,
                None => counts.push((name, 1)),
            }
        }
        let most = counts.into_iter().max_by_key(|&(_, count)| count);
        most.map_or_else(String::new, |(name, _)| name.clone())
    }
}

/// Rows that could not be filled, by the constraint that their draws break most often.
#[derive(Default)]
struct Failed(Vec<(String, Vec<usize>)>);

impl Failed {
    fn add(&mut self, row: usize, constraint: String) {
        match self.0.iter_mut().find(|(known, _)| *known == constraint) {
            Some((_, rows)) => rows.push(row),
            None => self.0.push((constraint, vec![row])),
        }
    }

    fn tell(&self, observer: &mut dyn Observer) {
        for (constraint, rows) in &self.0 {
            observer.note(&format!(
                "{} stay unfilled: of {} draws of the missing cells none fulfils {constraint} beside the cells that are there",
                shown(rows),
                DRAWS * ROUNDS
            ));
        }
    }
}

fn tell_of_combinations(rows: &[usize], observer: &mut dyn Observer) {
    if !rows.is_empty() {
        observer.note(&format!(
            "{} stay unfilled: no training row has a combination with the cells that are there, and the schema allows no others",
            shown(rows)
        ));
    }
}

/// Their number and the first of them, one-based.
fn shown(rows: &[usize]) -> String {
    let first = rows.iter().min().map_or(0, |row| row + 1);
    format!("{} rows, first row {first},", rows.len())
}

/// Lets requests to stop through and nothing else.
struct Deaf<'a> {
    observer: &'a mut dyn Observer,
}

impl Observer for Deaf<'_> {
    fn event(&mut self, _: &Event<'_>) {}

    fn control(&mut self) -> Control {
        self.observer.control()
    }
}

fn is_missing(rows: &Table, at: usize, row: usize) -> bool {
    rows.columns()[at].is_missing(row)
}

fn number(column: &Column, row: usize) -> f64 {
    match column {
        Column::Numbers(cells) => cells[row],
        _ => f64::NAN,
    }
}

fn level(column: &Column, row: usize) -> Option<u32> {
    match column {
        Column::Codes(cells) => Some(cells[row]).filter(|&code| code != MISSING),
        _ => None,
    }
}

fn put_number(column: &mut Column, row: usize, value: f64) {
    if let Column::Numbers(cells) = column {
        cells[row] = value;
    }
}

/// Fills the missing cells of a row from one of another table of the same columns.
fn overlay(columns: &mut [Column], row: usize, from: &Table, other: usize) {
    overlay_cells(columns, row, from.columns(), other);
}

fn overlay_cells(columns: &mut [Column], row: usize, from: &[Column], other: usize) {
    for (column, from) in columns.iter_mut().zip(from) {
        if column.is_missing(row) {
            put(column, row, from, other);
        }
    }
}

/// Takes one cell over; identifiers stay as they are.
fn put(column: &mut Column, row: usize, from: &Column, other: usize) {
    match (column, from) {
        (Column::Numbers(cells), Column::Numbers(new)) => cells[row] = new[other],
        (Column::Codes(cells), Column::Codes(new)) => cells[row] = new[other],
        _ => {}
    }
}
