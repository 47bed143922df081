use crate::ranks::Ranks;
use crate::settings::{BinEdges, Encoding, VanillaGan};
use meg_core::{Column, ColumnKind, ColumnSpec, DataError, Error, Result, Schema, Seed, Table};
use serde::{Deserialize, Serialize};
use transforms::{
    BinInverse, BinRule, Bins, FittedStep, Step, TablePlan, TablePreset, TableTransform,
    fresh_identifiers,
};

/// Turns rows into records of cells and back: one cell for each column that is no identifier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Codec {
    schema: Schema,
    /// None for a table of identifiers.
    columns: Option<TableTransform>,
    /// One per column for [`Encoding::Ranks`], else none. A column of one code has no cell then.
    ranks: Option<Vec<Ranks>>,
}

/// Training rows in numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Records {
    pub rows: usize,
    pub width: usize,
    /// Row by row: cells, or positions among the ranks.
    pub cells: Vec<f32>,
}

/// Number of a missing cell's code, as pandas has it.
const MISSING_CODE: f64 = -1.0;

/// The preset of the source's patients table, for any table: no columns of persons, as many bins as
/// asked, missing numbers as codes too, and numbers drawn within their bin.
fn plan(recipe: &VanillaGan, schema: &Schema) -> TablePlan {
    let preset = TablePreset::find("patients-gan").expect("a preset of the crate transforms");
    let mut plan = (preset.plan)();
    let identifiers = schema.columns.iter().filter(|spec| spec.kind == ColumnKind::Identifier);
    plan.drop = identifiers.map(|spec| spec.name.clone()).collect();
    for steps in [&mut plan.numbers, &mut plan.dates, &mut plan.categories] {
        for step in steps.iter_mut() {
            match step {
                Step::Bins { rule, inverse, .. } => {
                    let bins = recipe.bins;
                    *rule = match recipe.bin_edges {
                        BinEdges::Width => BinRule::EqualWidth { bins },
                        BinEdges::Quantile => BinRule::Quantile { bins },
                    };
                    *inverse = BinInverse::Draw;
                }
                Step::Ordinal { missing, .. } => *missing = Some(MISSING_CODE),
                _ => {}
            }
        }
        if recipe.encoding == Encoding::Ranks {
            steps.retain(|step| !matches!(step, Step::YeoJohnson { .. } | Step::Standard));
        }
    }
    plan
}

impl Codec {
    /// Learns bins, codes and their distribution.
    ///
    /// # Errors
    /// A data error for free text, for a table without rows and for cells that are not finite.
    pub(crate) fn fit(
        recipe: &VanillaGan,
        table: &Table,
        seed: Seed,
        threads: usize,
    ) -> Result<Self> {
        table.schema().check_modelable()?;
        if table.rows() == 0 {
            return Err(DataError::new("there are no training rows").into());
        }
        let schema = table.schema().as_ref().clone();
        let modelled = schema.columns.iter().any(|spec| spec.kind != ColumnKind::Identifier);
        let columns =
            modelled.then(|| plan(recipe, &schema).fit(table, seed, threads)).transpose()?;
        let mut codec = Self { schema, columns, ranks: None };
        if recipe.encoding == Encoding::Ranks {
            let cells = codec.cells_by_column(table, seed, threads)?;
            codec.ranks = Some(cells.iter().map(|cells| Ranks::fit(cells)).collect());
        }
        Ok(codec)
    }

    /// The schema of the tables it decodes to.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Cells of a record.
    pub(crate) fn width(&self) -> usize {
        match &self.ranks {
            Some(ranks) => ranks.iter().filter(|ranks| ranks.count() > 1).count(),
            None => self.columns.as_ref().map_or(0, |columns| columns.chains().len()),
        }
    }

    /// The ranks of each cell of a record; none where the record holds cells as they are.
    pub(crate) fn ranks(&self) -> Vec<&Ranks> {
        self.ranks.iter().flatten().filter(|ranks| ranks.count() > 1).collect()
    }

    /// Records of the training rows.
    ///
    /// # Errors
    /// A data error for a cell that no training row had.
    pub(crate) fn encode(&self, table: &Table, seed: Seed, threads: usize) -> Result<Records> {
        let columns = self.cells_by_column(table, seed, threads)?;
        let (rows, width) = (table.rows(), self.width());
        let mut cells = vec![0.0; rows * width];
        let mut write = |at: usize, column: &[f64], code: &dyn Fn(f64) -> f32| {
            for (record, &cell) in cells.chunks_exact_mut(width).zip(column) {
                record[at] = code(cell);
            }
        };
        match &self.ranks {
            None => {
                for (at, column) in columns.iter().enumerate() {
                    write(at, column, &|cell| cell as f32);
                }
            }
            Some(ranks) => {
                let told = columns.iter().zip(ranks).filter(|(_, ranks)| ranks.count() > 1);
                for (at, (column, ranks)) in told.enumerate() {
                    write(at, column, &|cell| ranks.position(cell) as f32);
                }
            }
        }
        Ok(Records { rows, width, cells })
    }

    /// The table of so many records. Any finite cells give a table that obeys the schema: the
    /// nearest code counts, and a number is drawn within its bin.
    ///
    /// # Errors
    /// A data error when the rows break a constraint.
    pub(crate) fn decode(
        &self,
        records: &[f32],
        rows: usize,
        seed: Seed,
        threads: usize,
    ) -> Result<Table> {
        let width = self.width();
        let cell = |at: usize, row: usize| records[row * width + at];
        let told = |at: usize| (0..rows).map(|row| f64::from(cell(at, row))).collect();
        let columns: Vec<Vec<f64>> = match &self.ranks {
            None => (0..width).map(told).collect(),
            Some(all) => {
                let mut at = 0..;
                let mut numbers = |ranks: &Ranks| match ranks.count() {
                    1 => vec![ranks.number(0.0); rows],
                    _ => {
                        let at = at.next().expect("there is no end");
                        (0..rows).map(|row| ranks.number(cell(at, row))).collect()
                    }
                };
                all.iter().map(&mut numbers).collect()
            }
        };
        let parts = columns.into_iter().map(|cells| vec![Column::Numbers(cells)]).collect();
        let decoded = match &self.columns {
            Some(columns) => Some(columns.decode(parts, seed.derive("cells"), threads)?),
            None => None,
        };
        let mut rng = seed.stream("identifiers");
        let mut modelled = decoded.iter().flat_map(|table| table.columns());
        let columns = self.schema.columns.iter().map(|spec| match spec.kind {
            ColumnKind::Identifier => fresh_identifiers(&spec.name, rows, &mut rng),
            _ => modelled.next().expect("every other column is modelled").clone(),
        });
        let columns = columns.collect();
        Table::new(self.schema.clone(), columns)
    }

    /// Checks a codec that was read from a file, so that no later call can panic or draw what the
    /// columns cannot hold.
    ///
    /// # Errors
    /// [`Error::Artifact`] that names the column.
    pub(crate) fn check(&self, recipe: &VanillaGan) -> Result<()> {
        self.schema.check()?;
        let modelled: Vec<&ColumnSpec> =
            self.schema.columns.iter().filter(|spec| spec.kind != ColumnKind::Identifier).collect();
        let known: Vec<&ColumnSpec> =
            self.columns.iter().flat_map(|columns| &columns.schema().columns).collect();
        if modelled != known {
            return Err(Error::Artifact("the codec has other columns than the schema".into()));
        }
        let Some(columns) = &self.columns else { return Ok(()) };
        columns.check()?;
        let ranked = recipe.encoding == Encoding::Ranks;
        let fits = match &self.ranks {
            None => !ranked,
            Some(ranks) => {
                ranked && ranks.len() == known.len() && ranks.iter().all(Ranks::is_sound)
            }
        };
        if !fits {
            return Err(Error::Artifact("the ranks do not fit the columns".into()));
        }
        for (spec, chain) in known.into_iter().zip(columns.chains()) {
            if !decodes(spec, chain.steps(), recipe.encoding) {
                let problem = format!("the code of the column {:?} is damaged", spec.name);
                return Err(Error::Artifact(problem));
            }
        }
        Ok(())
    }

    /// The cells of each modelled column.
    fn cells_by_column(&self, table: &Table, seed: Seed, threads: usize) -> Result<Vec<Vec<f64>>> {
        let Some(columns) = &self.columns else { return Ok(Vec::new()) };
        let parts = columns.encode(table, seed, threads)?;
        let cells = |part: Vec<Column>| match part.into_iter().next() {
            Some(Column::Numbers(cells)) => cells,
            _ => unreachable!("every chain of the plan ends in numbers"),
        };
        Ok(parts.into_iter().map(cells).collect())
    }
}

/// Whether the steps are those of the plan and lead to cells that the column can hold.
fn decodes(spec: &ColumnSpec, steps: &[FittedStep], encoding: Encoding) -> bool {
    let (codes, steps) = match steps {
        [FittedStep::Bins(bins), steps @ ..] if spec.is_numeric() => (Bins::bins(bins), steps),
        steps if spec.is_category() => (spec.levels().len(), steps),
        _ => return false,
    };
    let (ordinal, rest) = match steps {
        [FittedStep::Ordinal(ordinal), rest @ ..] => (ordinal, rest),
        _ => return false,
    };
    let rest = match encoding {
        Encoding::Power => matches!(rest, [FittedStep::YeoJohnson(_), FittedStep::Standard(_)]),
        Encoding::Ranks => rest.is_empty(),
    };
    rest && ordinal.codes().iter().all(|&code| (code as usize) < codes)
        && (spec.nullable || !ordinal.knows_missing())
}

#[cfg(test)]
mod tests {
    use super::*;
    use meg_core::MISSING;
    use meg_core::conformance::mixed_table;

    fn recipe(encoding: Encoding) -> VanillaGan {
        VanillaGan { encoding, ..VanillaGan::default() }
    }

    /// Every level and missing cell comes back, every number within its bin.
    #[test]
    fn rows_come_back_through_their_codes() {
        let table = mixed_table(400, 1);
        for encoding in [Encoding::Power, Encoding::Ranks] {
            let codec = Codec::fit(&recipe(encoding), &table, Seed(1), 1).unwrap();
            let records = codec.encode(&table, Seed(1), 2).unwrap();
            let mut cells = records.cells.clone();
            for record in cells.chunks_exact_mut(records.width) {
                for (cell, ranks) in record.iter_mut().zip(codec.ranks()) {
                    *cell = ranks.place(*cell as usize, 0.3);
                }
            }
            let back = codec.decode(&cells, 400, Seed(2), 1).unwrap();
            assert_eq!(back.schema(), table.schema());
            codec.check(&recipe(encoding)).unwrap();
            for ((spec, ours), (_, cells)) in back.iter().zip(table.iter()) {
                match (ours, cells) {
                    (Column::Codes(ours), Column::Codes(cells)) => assert_eq!(ours, cells),
                    (Column::Numbers(ours), Column::Numbers(cells)) => {
                        let seen = cells.iter().filter(|cell| !cell.is_nan());
                        let (low, high) = seen.fold((f64::MAX, f64::MIN), |(low, high), &cell| {
                            (low.min(cell), high.max(cell))
                        });
                        // A bin, and what rounding to the column's decimals adds.
                        let width = (high - low) / 20.0 + spec.step().unwrap_or(0.0);
                        for (ours, cell) in ours.iter().zip(cells) {
                            assert_eq!(ours.is_nan(), cell.is_nan(), "{}", spec.name);
                            let near = cell.is_nan() || (ours - cell).abs() <= width;
                            assert!(near, "{}: {ours} {cell}", spec.name);
                        }
                    }
                    (ours, _) => assert!(matches!(ours, Column::Texts(_)), "{}", spec.name),
                }
            }
        }
    }

    /// The records are those of the preset, except for the numbers that it leaves missing.
    #[test]
    fn records_are_those_of_the_preset() {
        let table = mixed_table(200, 2).select_columns(&[1, 3, 4, 5, 11]).unwrap();
        let codec = Codec::fit(&VanillaGan::default(), &table, Seed(1), 1).unwrap();
        let records = codec.encode(&table, Seed(1), 1).unwrap();
        let preset = TablePreset::find("patients-gan").unwrap();
        let plan = TablePlan { drop: Vec::new(), ..(preset.plan)() };
        let parts = plan.fit(&table, Seed(1), 1).unwrap().encode(&table, Seed(1), 1).unwrap();
        for (at, part) in parts.iter().enumerate() {
            let Column::Numbers(cells) = &part[0] else { panic!("numbers") };
            let ours = records.cells.iter().skip(at).step_by(5);
            assert!(ours.zip(cells).all(|(&ours, &cell)| ours == cell as f32), "column {at}");
        }
    }

    #[test]
    fn what_is_far_out_decodes_to_the_ends() {
        let table = mixed_table(100, 3);
        for encoding in [Encoding::Power, Encoding::Ranks] {
            let codec = Codec::fit(&recipe(encoding), &table, Seed(1), 1).unwrap();
            for far in [f32::MAX, f32::MIN, 0.0] {
                let cells = vec![far; 3 * codec.width()];
                codec.decode(&cells, 3, Seed(1), 1).unwrap();
            }
        }
    }

    #[test]
    fn identifiers_alone_are_made_anew() {
        let table = mixed_table(20, 1).select_columns(&[0]).unwrap();
        let codec = Codec::fit(&VanillaGan::default(), &table, Seed(1), 1).unwrap();
        assert_eq!(codec.width(), 0);
        codec.check(&VanillaGan::default()).unwrap();
        assert_eq!(codec.decode(&[], 5, Seed(1), 1).unwrap().rows(), 5);
    }

    /// A column whose cells are all missing has no level to draw.
    #[test]
    fn what_is_missing_throughout_stays_missing() {
        let table = mixed_table(50, 1).select_columns(&[9, 10]).unwrap();
        let codec = Codec::fit(&VanillaGan::default(), &table, Seed(1), 1).unwrap();
        let drawn = codec.decode(&[0.3; 8], 4, Seed(1), 1).unwrap();
        assert!(drawn.numbers(0).iter().all(|cell| cell.is_nan()));
        assert!(drawn.codes(1).iter().all(|&code| code == MISSING));
    }
}
