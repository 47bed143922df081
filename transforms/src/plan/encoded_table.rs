use super::TableTransform;
use crate::column::Chain;
use meg_core::{Column, ColumnSpec, DataError, MISSING, Result, Schema, Seed, Table};

/// Encoded columns as a table, for files.
impl TableTransform {
    /// What an encoded table holds: each kept column, followed by its companions. Columns without
    /// steps keep their kind, codes are whole numbers, all else are numbers of open precision.
    ///
    /// # Errors
    /// A data error when no column is kept.
    pub fn encoded_schema(&self) -> Result<Schema> {
        let mut specs: Vec<ColumnSpec> = Vec::new();
        let taken = |specs: &[ColumnSpec], name: &str| {
            specs.iter().chain(&self.schema.columns).any(|spec| spec.name == name)
        };
        for (spec, chain) in self.schema.columns.iter().zip(&self.chains) {
            let decimals = if makes_codes(chain) { Some(0) } else { None };
            specs.push(match chain.steps().is_empty() {
                true => spec.clone(),
                false => ColumnSpec::number(&spec.name, decimals).nullable(),
            });
            for side in chain.steps().iter().filter_map(|step| step.side_name()) {
                let mut name = format!("{} {side}", spec.name);
                while taken(&specs, &name) {
                    name.push('\'');
                }
                specs.push(ColumnSpec::number(name, 0).nullable());
            }
        }
        Schema::new(specs)
    }

    /// [`TableTransform::encode`] as a table of [`TableTransform::encoded_schema`].
    ///
    /// # Errors
    /// Those of [`TableTransform::encode`].
    pub fn encode_table(&self, table: &Table, seed: Seed, threads: usize) -> Result<Table> {
        let schema = self.encoded_schema()?;
        let parts = self.encode(table, seed, threads)?;
        let columns = parts.into_iter().flatten().zip(&schema.columns).map(|(part, spec)| {
            match (part, spec.is_numeric()) {
                (Column::Codes(codes), true) => {
                    Column::Numbers(codes.into_iter().map(number).collect())
                }
                (part, _) => part,
            }
        });
        let columns = columns.collect();
        Table::new(schema, columns)
    }

    /// [`TableTransform::decode`] of a table of [`TableTransform::encoded_schema`].
    ///
    /// # Errors
    /// A data error when columns are not those of an encoded table, or hold what no encoding makes.
    pub fn decode_table(&self, encoded: &Table, seed: Seed, threads: usize) -> Result<Table> {
        let schema = self.encoded_schema()?;
        let names = |schema: &Schema| -> Vec<String> {
            schema.columns.iter().map(|spec| spec.name.clone()).collect()
        };
        if names(encoded.schema()) != names(&schema) {
            let problem = "the columns are not those of an encoded table";
            let advice = format!("they should be: {}", names(&schema).join(", "));
            return Err(DataError::new(problem).advice(advice).into());
        }
        let mut cells = encoded.iter();
        let mut parts = Vec::with_capacity(self.chains.len());
        for chain in &self.chains {
            let codes = std::iter::once(makes_codes(chain));
            let sides = chain.steps().iter().filter(|step| step.has_side()).map(|_| true);
            let part = codes.chain(sides).zip(&mut cells).map(|(codes, (spec, part))| match part {
                Column::Numbers(numbers) if codes => {
                    let code = |(row, cell): (usize, &f64)| code(*cell, row, spec);
                    let codes = numbers.iter().enumerate().map(code).collect::<Result<_>>()?;
                    Ok(Column::Codes(codes))
                }
                part => Ok(part.clone()),
            });
            parts.push(part.collect::<Result<_>>()?);
        }
        self.decode(parts, seed, threads)
    }
}

/// Whether the main part is codes that stand as numbers in a file.
fn makes_codes(chain: &Chain) -> bool {
    chain.steps().last().is_some_and(|step| step.makes_codes())
}

fn number(code: u32) -> f64 {
    if code == MISSING { f64::NAN } else { f64::from(code) }
}

fn code(number: f64, row: usize, spec: &ColumnSpec) -> Result<u32> {
    if number.is_nan() {
        return Ok(MISSING);
    }
    if (0.0..f64::from(MISSING)).contains(&number) && number.fract() == 0.0 {
        return Ok(number as u32);
    }
    let error = DataError::new("a code is a whole number from 0").row(row as u64 + 1);
    Err(error.column(&spec.name).value(number.to_string()).into())
}
