//! Numbers into intervals and back.

mod edges;
mod kmeans;
mod mdlp;

pub use edges::{equal_width_edges, quantile_edges};

use crate::column::{ColumnTransform, Parts, into_codes, into_numbers, number_error, observed};
use crate::quantiles::{Sketch, a_fifth, between, sorted};
use meg_core::{Column, DataError, Error, MISSING, Result, Rng};
use rand::Rng as _;
use serde::{Deserialize, Serialize};

/// Where the cuts between bins are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "rule", deny_unknown_fields)]
pub enum BinRule {
    /// Bins of one width between the smallest and the largest cell (`numpy.linspace`).
    EqualWidth {
        /// Number of bins.
        bins: usize,
    },
    /// As many rows in each bin as ties allow (`numpy.quantile`); equal edges are merged, so that
    /// there may be fewer bins.
    Quantile {
        /// Number of bins, at most; never more than one for every five cells.
        bins: usize,
    },
    /// Each cell to the nearest of the centres of k-means.
    KMeans {
        /// Number of bins, at most; never more than one for every five cells.
        bins: usize,
    },
    /// Cuts that tell the target's classes apart, as many as minimum description length pays for
    /// (Fayyad and Irani 1993). Needs a target; look at training rows only.
    MinimumDescription,
}

/// What a code decodes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BinInverse {
    /// The middle of the bin: at most half a width away.
    Centre,
    /// A draw from the training cells' distribution within the bin, kept as a few quantiles; from
    /// anywhere in a bin of fewer than ten cells.
    Draw,
}

/// What becomes of a cell that equals the lowest edge. Bins are open below and closed above, so
/// that this cell alone lies in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lowest {
    /// It belongs to the first bin (`include_lowest=True` of `pandas.cut`).
    Included,
    /// It becomes missing, as `pandas.cut` has it unless told otherwise. The cells of a constant
    /// column stay.
    Missing,
}

/// Intervals of a number column; bin `i` is everything above edge `i` up to edge `i + 1`.
///
/// Laws: a cell comes back within its bin, half a width away at most for [`BinInverse::Centre`];
/// `encode(decode(i)) = i`. Cells beyond the training range fall into the outer bins (`pandas.cut`
/// makes them missing). With [`Lowest::Missing`] the smallest training cell comes back missing.
/// A constant column is one bin without width and comes back exactly.
///
/// What is saved: the edges, whose ends are the column's smallest and largest cell, and for draws at
/// most one quantile for every five cells of a bin, its smallest and largest cell left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bins {
    /// One more than there are bins, increasing; equal only when the column is constant.
    edges: Vec<f64>,
    inverse: BinInverse,
    lowest: Lowest,
    within: Vec<Sketch>,
}

/// Quantiles kept of the cells of a bin, at most.
const POINTS: usize = 17;

impl BinRule {
    fn check(&self) -> Result<()> {
        match *self {
            BinRule::EqualWidth { bins }
            | BinRule::Quantile { bins }
            | BinRule::KMeans { bins } => checked(bins).map(|_| ()),
            BinRule::MinimumDescription => Ok(()),
        }
    }
}

impl Bins {
    /// Finds the bins of cells; NaN is missing and left out. `target` holds the class of each row
    /// and is used by [`BinRule::MinimumDescription`] alone.
    ///
    /// # Errors
    /// A recipe error for no bins or more than a million; a data error for an infinite cell and for
    /// a missing target.
    pub fn fit(
        cells: &[f64],
        rule: &BinRule,
        (inverse, lowest): (BinInverse, Lowest),
        target: Option<&[u32]>,
        rng: &mut Rng,
    ) -> Result<Self> {
        rule.check()?;
        let values = sorted(observed(cells)?);
        let most = a_fifth(values.len()).max(1);
        let edges = match (*rule, values.first().zip(values.last())) {
            (_, None) => vec![0.0, 0.0],
            (_, Some((&least, &most))) if least == most => vec![least, most],
            (BinRule::EqualWidth { bins }, _) => increasing(&equal_width_edges(&values, bins)?),
            (BinRule::Quantile { bins }, _) => {
                increasing(&quantile_edges(&values, bins.min(most))?)
            }
            (BinRule::KMeans { bins }, _) => kmeans::edges(&values, bins.min(most), rng)?,
            (BinRule::MinimumDescription, _) => {
                let target = target.ok_or_else(|| {
                    Error::data("bins by minimum description length need a target column")
                })?;
                mdlp::edges(cells, target)?
            }
        };
        let mut bins = Self { edges, inverse, lowest, within: Vec::new() };
        if inverse == BinInverse::Draw {
            bins.within = bins.sketches(&values);
        }
        Ok(bins)
    }

    /// The edges, in ascending order.
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    /// Number of bins.
    pub fn bins(&self) -> usize {
        self.edges.len() - 1
    }

    /// The bin of a number that is not missing.
    pub fn bin(&self, number: f64) -> usize {
        let below = self.edges.partition_point(|&edge| edge < number);
        below.saturating_sub(1).min(self.bins() - 1)
    }

    /// Whether a cell at the lowest edge is missing, and so in no bin.
    fn leaves_lowest_out(&self) -> bool {
        self.lowest == Lowest::Missing && self.edges[0] < self.edges[1]
    }

    fn sketches(&self, sorted: &[f64]) -> Vec<Sketch> {
        let mut from = match self.leaves_lowest_out() {
            true => sorted.partition_point(|&value| value <= self.edges[0]),
            false => 0,
        };
        (0..self.bins())
            .map(|bin| {
                let to = if bin + 1 == self.bins() {
                    sorted.len()
                } else {
                    sorted.partition_point(|&value| value <= self.edges[bin + 1])
                };
                let sketch = Sketch::of(&sorted[from..to], POINTS);
                from = to;
                sketch
            })
            .collect()
    }

    fn number(&self, bin: usize, rng: &mut Rng) -> f64 {
        let (low, high) = (self.edges[bin], self.edges[bin + 1]);
        match self.inverse {
            BinInverse::Centre => centre(low, high),
            BinInverse::Draw => {
                let drawn = self.within[bin].draw(rng);
                let drawn = drawn.unwrap_or_else(|| between(low, high, rng.random::<f64>()));
                drawn.clamp(self.least(bin), high)
            }
        }
    }

    /// The smallest number of a bin: the double above its lower edge, or the edge itself where that
    /// belongs to it. Draws are rounded, so that they may meet an edge that does not.
    fn least(&self, bin: usize) -> f64 {
        let low = self.edges[bin];
        let closed = bin == 0 && !self.leaves_lowest_out();
        if closed { low } else { low.next_up() }
    }
}

/// The middle of a bin, or its upper edge when no double lies strictly inside.
fn centre(low: f64, high: f64) -> f64 {
    let middle = low + (0.5 * high - 0.5 * low);
    if middle > low { middle } else { high }
}

/// Number of bins within reason.
fn checked(bins: usize) -> Result<usize> {
    if (1..=1_000_000).contains(&bins) {
        return Ok(bins);
    }
    let problem = format!("should be in 1..=1000000, but is {bins}");
    Err(Error::Recipe { key: "bins".into(), problem })
}

/// The edges without repetition.
fn increasing(edges: &[f64]) -> Vec<f64> {
    let mut kept = edges.to_vec();
    kept.dedup();
    kept
}

impl ColumnTransform for Bins {
    fn encode(&self, cells: Column, _rng: &mut Rng) -> Result<Parts> {
        let cells = into_numbers(cells)?;
        let lowest = if self.leaves_lowest_out() { self.edges[0] } else { f64::NAN };
        let mut codes = Vec::with_capacity(cells.len());
        for (row, &cell) in cells.iter().enumerate() {
            if cell.is_infinite() {
                return Err(number_error(row, cell, "the number is not finite"));
            }
            let missing = cell.is_nan() || cell == lowest;
            codes.push(if missing { MISSING } else { self.bin(cell) as u32 });
        }
        Ok(Column::Codes(codes).into())
    }

    fn decode(&self, parts: Parts, rng: &mut Rng) -> Result<Column> {
        let codes = into_codes(parts.alone()?)?;
        let mut cells = Vec::with_capacity(codes.len());
        for (row, &code) in codes.iter().enumerate() {
            if code != MISSING && code as usize >= self.bins() {
                let problem = format!("there are only {} bins", self.bins());
                let error = DataError::new(problem).row(row as u64 + 1).value(code.to_string());
                return Err(error.into());
            }
            cells.push(if code == MISSING { f64::NAN } else { self.number(code as usize, rng) });
        }
        Ok(Column::Numbers(cells))
    }

    fn check(&self) -> Result<()> {
        let increasing = self.edges.windows(2).all(|pair| pair[0] < pair[1]);
        let point = self.edges.len() == 2 && self.edges[0] == self.edges[1];
        let sound = self.edges.len() > 1
            && (increasing || point)
            && self.edges.iter().all(|edge| edge.is_finite())
            && self.within.len() == if self.inverse == BinInverse::Draw { self.bins() } else { 0 }
            && self.within.iter().all(Sketch::is_sound);
        if sound { Ok(()) } else { Err(Error::Artifact("the bins are damaged".into())) }
    }
}
