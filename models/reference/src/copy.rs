use meg_core::{
    Artifact, Column, FitContext, Fitted, Rejection, Result, SampleContext, SampleRequest,
    Synthesizer, Table, sample_by_rejection,
};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

meg_core::recipe! {
    /// Draws the training rows themselves.
    pub struct Copy {}
}

impl Synthesizer for Copy {
    fn fit(&self, train: &Table, _: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        Ok(Box::new(FittedCopy { train: train.clone() }))
    }
}

#[derive(Debug)]
struct FittedCopy {
    train: Table,
}

impl Fitted for FittedCopy {
    fn sample(&self, request: &SampleRequest, ctx: &mut SampleContext<'_>) -> Result<Table> {
        let mut left: Vec<usize> = Vec::new();
        let rng = &mut ctx.rng;
        sample_by_rejection(request, Rejection::default(), ctx.observer, |rows, _| {
            let mut chosen = Vec::with_capacity(rows);
            while chosen.len() < rows && self.train.rows() > 0 {
                if left.is_empty() {
                    left = (0..self.train.rows()).collect();
                    left.shuffle(rng);
                }
                let take = left.len().min(rows - chosen.len());
                chosen.extend(left.drain(left.len() - take..));
            }
            Ok(self.train.select_rows(&chosen))
        })
    }

    fn save(&self) -> Result<Artifact> {
        let columns: Vec<Cells> = self.train.columns().iter().map(Cells::from).collect();
        Artifact::new(crate::COPY.name, self.train.schema(), &columns)
    }
}

pub(crate) fn load(artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    let columns: Vec<Cells> = artifact.state()?;
    let columns = columns.into_iter().map(Column::from).collect();
    Ok(Box::new(FittedCopy { train: Table::new(artifact.schema.clone(), columns)? }))
}

/// The written form of a column: JSON knows no NaN, so that missing numbers are `null`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cells {
    Numbers(Vec<Option<f64>>),
    Codes(Vec<u32>),
    Texts(Vec<Option<String>>),
}

impl From<&Column> for Cells {
    fn from(column: &Column) -> Self {
        match column {
            Column::Numbers(cells) => {
                Cells::Numbers(cells.iter().map(|&cell| (!cell.is_nan()).then_some(cell)).collect())
            }
            Column::Codes(cells) => Cells::Codes(cells.clone()),
            Column::Texts(cells) => Cells::Texts(cells.clone()),
        }
    }
}

impl From<Cells> for Column {
    fn from(cells: Cells) -> Self {
        match cells {
            Cells::Numbers(cells) => {
                Column::Numbers(cells.into_iter().map(|cell| cell.unwrap_or(f64::NAN)).collect())
            }
            Cells::Codes(cells) => Column::Codes(cells),
            Cells::Texts(cells) => Column::Texts(cells),
        }
    }
}
