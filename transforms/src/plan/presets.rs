use super::TablePlan;
use crate::column::Step;
use crate::{BinInverse, BinRule, LevelOrder, Lowest, Powers};

/// A plan with a name and a source.
#[derive(Debug, Clone, Copy)]
pub struct TablePreset {
    /// Name.
    pub name: &'static str,
    /// What it is for and where it is from, a sentence each.
    pub about: &'static str,
    /// The plan.
    pub plan: fn() -> TablePlan,
}

impl TablePreset {
    /// All presets.
    pub const ALL: &[TablePreset] = &[
        TablePreset {
            name: "patients-gan",
            about: "The preprocessing of the vanilla GAN on Synthea's patients table: 14 columns \
                    dropped, levels as codes, numbers in 20 bins, everything by Yeo and Johnson to \
                    mean 0 and deviation 1. The smallest number of a column belongs to its first \
                    bin, and powers from which no number comes back are left out.",
            plan: || patients(Lowest::Included, Powers::Reversible),
        },
        TablePreset {
            name: "patients-gan-as-printed",
            about: "The same to the digit of the source's first printed rows: the smallest number \
                    of a binned column becomes missing, as pandas has it, and any power is taken.",
            plan: || patients(Lowest::Missing, Powers::All),
        },
    ];

    /// The preset of this name.
    pub fn find(name: &str) -> Option<&'static TablePreset> {
        Self::ALL.iter().find(|preset| preset.name == name)
    }
}

/// Columns of Synthea's patients table that name a person, a day or a place.
const PERSONAL: [&str; 14] = [
    "Id",
    "BIRTHDATE",
    "DEATHDATE",
    "SSN",
    "DRIVERS",
    "PASSPORT",
    "PREFIX",
    "FIRST",
    "LAST",
    "SUFFIX",
    "MAIDEN",
    "ADDRESS",
    "LAT",
    "LON",
];

fn patients(lowest: Lowest, powers: Powers) -> TablePlan {
    let ranks = |order, missing| Step::Ordinal { order, missing };
    let bins =
        Step::Bins { rule: BinRule::EqualWidth { bins: 20 }, inverse: BinInverse::Centre, lowest };
    let to_normal = [Step::YeoJohnson { powers }, Step::Standard];
    let mut numbers = vec![bins, ranks(LevelOrder::Code, None)];
    numbers.extend(to_normal.clone());
    let mut categories = vec![ranks(LevelOrder::Text, Some(-1.0))];
    categories.extend(to_normal);
    let drop = PERSONAL.map(str::to_owned).to_vec();
    let dates = numbers.clone();
    TablePlan { drop, numbers, dates, categories, ..TablePlan::default() }
}
