use super::{ColumnTransform, Parts, into_codes, into_numbers};
use crate::{
    BinInverse, BinRule, Bins, DateNumber, DateUnit, Fill, GroupRare, LevelOrder, Log, Lowest,
    MinMax, MissingLevel, ModePlaces, NullIndicator, Ordinal, Powers, RankNormal, Robust,
    SoftModes, Standard, YeoJohnson,
};
use meg_core::{Column, ColumnSpec, Result, Rng};
use serde::{Deserialize, Serialize};

/// A transform before it has seen a column: its name and settings, as plain data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step", deny_unknown_fields)]
pub enum Step {
    /// [`Standard`]: mean 0, standard deviation 1.
    Standard,
    /// [`MinMax`]: into `[low, high]`.
    MinMax {
        /// Image of the smallest training cell.
        low: f64,
        /// Image of the largest training cell.
        high: f64,
    },
    /// [`Robust`]: median 0, interquartile range 1.
    Robust,
    /// [`Log`]: the logarithm of the number plus `shift`.
    Log {
        /// Added before; 0 for positive columns, 1 for counts.
        shift: f64,
    },
    /// [`YeoJohnson`] with the likeliest power.
    YeoJohnson {
        /// Which powers it may have.
        powers: Powers,
    },
    /// [`RankNormal`]: to a standard normal by ranks.
    RankNormal {
        /// Landmarks of the distribution function, at least 2 (scikit-learn: 1 000).
        landmarks: usize,
    },
    /// [`Bins`]: numbers become codes of intervals.
    Bins {
        /// Where the cuts are.
        rule: BinRule,
        /// What a code decodes to.
        inverse: BinInverse,
        /// What becomes of the smallest training cell.
        lowest: Lowest,
    },
    /// [`Ordinal`]: codes become ranks.
    Ordinal {
        /// Which level comes first.
        order: LevelOrder,
        /// The number of a missing cell; without it missing cells stay missing.
        missing: Option<f64>,
    },
    /// [`GroupRare`]: levels with fewer training rows than `below` share one code.
    GroupRare {
        /// Training rows that a level needs for a code of its own.
        below: u64,
    },
    /// [`MissingLevel`]: missing becomes one more level.
    MissingLevel,
    /// [`NullIndicator`]: missing numbers are filled, and a companion says which.
    NullIndicator {
        /// What they are filled with.
        fill: Fill,
    },
    /// [`DateNumber`]: moments become days or seconds since the first one.
    Date {
        /// The unit.
        unit: DateUnit,
    },
    /// [`ModePlaces`]: mode-specific normalisation of CTGAN and TVAE.
    Modes {
        /// Components of the mixture, at most (published: 10).
        components: usize,
        /// Components with a weight of at most this are left out (published: 0.005).
        threshold: f64,
    },
    /// [`SoftModes`]: the mixture normalisation of TGAN.
    SoftModes {
        /// Components of the mixture (published: 5).
        components: usize,
    },
}

/// What a step may look at besides the cells.
#[derive(Debug, Clone, Copy)]
pub struct FitColumn<'a> {
    /// The column as the table declares it.
    pub spec: &'a ColumnSpec,
    /// Names of the codes; none once a step has made codes of its own.
    pub names: &'a [String],
    /// The code of the target in each training row.
    pub target: Option<&'a [u32]>,
}

macro_rules! fitted_steps {
    ($($step:ident($type:ty)),+ $(,)?) => {
        /// A fitted transform, whichever it is.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case", tag = "step")]
        #[expect(missing_docs, reason = "each variant is the type of its name")]
        pub enum FittedStep {
            $($step($type),)+
        }

        impl ColumnTransform for FittedStep {
            fn encode(&self, cells: Column, rng: &mut Rng) -> Result<Parts> {
                match self { $(FittedStep::$step(step) => step.encode(cells, rng),)+ }
            }

            fn decode(&self, parts: Parts, rng: &mut Rng) -> Result<Column> {
                match self { $(FittedStep::$step(step) => step.decode(parts, rng),)+ }
            }

            fn check(&self) -> Result<()> {
                match self { $(FittedStep::$step(step) => step.check(),)+ }
            }
        }

        $(impl From<$type> for FittedStep {
            fn from(step: $type) -> Self {
                FittedStep::$step(step)
            }
        })+
    };
}

fitted_steps! {
    Standard(Standard),
    MinMax(MinMax),
    Robust(Robust),
    Log(Log),
    YeoJohnson(YeoJohnson),
    RankNormal(RankNormal),
    Bins(Bins),
    Ordinal(Ordinal),
    GroupRare(GroupRare),
    MissingLevel(MissingLevel),
    NullIndicator(NullIndicator),
    Date(DateNumber),
    Modes(ModePlaces),
    SoftModes(SoftModes),
}

impl FittedStep {
    /// Whether encoding makes a companion column.
    pub fn has_side(&self) -> bool {
        match self {
            FittedStep::NullIndicator(step) => step.has_side(),
            FittedStep::Modes(_) | FittedStep::SoftModes(_) => true,
            _ => false,
        }
    }

    /// What its companion says, in a word.
    pub fn side_name(&self) -> Option<&'static str> {
        match self {
            FittedStep::NullIndicator(_) => self.has_side().then_some("missing"),
            FittedStep::Modes(_) | FittedStep::SoftModes(_) => Some("mode"),
            _ => None,
        }
    }

    /// Whether encoding makes codes and no numbers.
    pub fn makes_codes(&self) -> bool {
        matches!(self, FittedStep::Bins(_) | FittedStep::GroupRare(_) | FittedStep::MissingLevel(_))
    }
}

impl Step {
    /// Fits the transform to training cells.
    ///
    /// # Errors
    /// A recipe error for settings out of range; a data error for cells that the transform cannot
    /// take, with row and value but without the column's name, which [`super::Chain`] adds.
    pub fn fit(
        &self,
        cells: &Column,
        context: &FitColumn<'_>,
        rng: &mut Rng,
    ) -> Result<FittedStep> {
        match self {
            Step::Ordinal { .. } | Step::GroupRare { .. } | Step::MissingLevel => {
                let Column::Codes(codes) = cells else {
                    return Err(into_codes(cells.clone()).expect_err("these are no codes"));
                };
                self.fit_codes(codes, context)
            }
            _ => {
                let Column::Numbers(numbers) = cells else {
                    return Err(into_numbers(cells.clone()).expect_err("these are no numbers"));
                };
                self.fit_numbers(numbers, context, rng)
            }
        }
    }

    fn fit_codes(&self, codes: &[u32], context: &FitColumn<'_>) -> Result<FittedStep> {
        Ok(match self {
            Step::Ordinal { order, missing } => {
                Ordinal::fit(codes, context.names, *order, *missing)?.into()
            }
            Step::GroupRare { below } => GroupRare::fit(codes, *below).into(),
            _ => MissingLevel::fit(codes, context.names.len()).into(),
        })
    }

    fn fit_numbers(
        &self,
        numbers: &[f64],
        context: &FitColumn<'_>,
        rng: &mut Rng,
    ) -> Result<FittedStep> {
        Ok(match self {
            Step::Standard => Standard::fit(numbers)?.into(),
            Step::MinMax { low, high } => MinMax::fit(numbers, *low, *high)?.into(),
            Step::Robust => Robust::fit(numbers)?.into(),
            Step::Log { shift } => Log::fit(numbers, *shift)?.into(),
            Step::YeoJohnson { powers } => YeoJohnson::fit(numbers, *powers)?.into(),
            Step::RankNormal { landmarks } => RankNormal::fit(numbers, *landmarks)?.into(),
            Step::Bins { rule, inverse, lowest } => {
                Bins::fit(numbers, rule, (*inverse, *lowest), context.target, rng)?.into()
            }
            Step::NullIndicator { fill } => NullIndicator::fit(numbers, fill)?.into(),
            Step::Date { unit } => DateNumber::fit(numbers, context.spec, *unit)?.into(),
            Step::Modes { components, threshold } => {
                ModePlaces::fit(numbers, *components, *threshold, rng)?.into()
            }
            Step::SoftModes { components } => SoftModes::fit(numbers, *components, rng)?.into(),
            Step::Ordinal { .. } | Step::GroupRare { .. } | Step::MissingLevel => {
                unreachable!("fitted on codes")
            }
        })
    }
}
