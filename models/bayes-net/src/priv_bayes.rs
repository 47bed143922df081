use crate::chow_liu::check_bins;
use crate::coding::{self, Within};
use crate::fitted::{self, FittedNetwork, State, check_nodes};
use crate::private::{self, Budget, Limits};
use meg_core::{
    Artifact, DataError, Error, Event, FitContext, Fitted, ModelEntry, Phase, Result, Schema,
    Synthesizer, Table, Variant, out_of_range,
};
use std::collections::BTreeMap;

/// PrivBayes in the list of models.
pub const PRIV_BAYES: ModelEntry = ModelEntry::new::<PrivBayes>(
    "priv-bayes",
    "Zhang et al. 2017, PrivBayes, ACM Trans. Database Syst. 42(4)",
    load,
)
.variants(&[
    Variant { name: "priv-bayes", about: "epsilon 1", settings: "" },
    Variant {
        name: "privbn",
        about: "as in the CTGAN paper's benchmark: epsilon 10, theta 10",
        settings: "epsilon = 10\ntheta = 10",
    },
]);

meg_core::recipe! {
    /// A Bayesian network under differential privacy. Defaults are those of the paper; it leaves
    /// epsilon and the bins open.
    pub struct PrivBayes {
        /// Privacy budget of the whole model, 0.0001 to 10000: one replaced row changes the probability of any result by a factor of at most exp(epsilon).
        pub epsilon: f64 = 1.0,
        /// Share of epsilon for choosing parents, in (0, 1); what is left goes to the counts.
        pub structure_share: f64 = 0.3,
        /// Share of epsilon for learning the ranges of number columns that `ranges` leaves out, in (0, 1); nothing is spent where there are none.
        pub range_share: f64 = 0.1,
        /// Ranges known beforehand, as `{ age = [0, 120] }`; numbers outside count as their end.
        pub ranges: BTreeMap<String, [f64; 2]> = BTreeMap::new(),
        /// Least mean count of a cell over the scale of its noise; bounds the cells of a table, above 0.
        pub theta: f64 = 4.0,
        /// Parents of a column, 0 to 10.
        pub max_parents: usize = 4,
        /// Sets of parents weighed in one choice, 1 to 1000000; more are sampled.
        pub candidates: usize = 4000,
        /// Bins of equal width of a number column, 1 to 10000.
        pub bins: usize = 16,
        /// Which number a bin stands for: "centre", or "uniform" for one drawn within it.
        pub within: Within = Within::Uniform,
    }
}

impl Synthesizer for PrivBayes {
    fn check(&self) -> Result<()> {
        // Finite, and far from where the scale of the noise leaves the integers.
        if !(1e-4..=1e4).contains(&self.epsilon) {
            return Err(out_of_range("epsilon", self.epsilon, "in 0.0001..=10000"));
        }
        for (key, share) in
            [("structure_share", self.structure_share), ("range_share", self.range_share)]
        {
            if !(share > 0.0 && share < 1.0) {
                return Err(out_of_range(key, share, "in (0, 1)"));
            }
        }
        for (name, [least, most]) in &self.ranges {
            // Beyond 1e300 the width of a range is no number any more.
            if !(least < most && least.abs() <= 1e300 && most.abs() <= 1e300) {
                let range = format!("{name} = [{least}, {most}]");
                return Err(out_of_range("ranges", range, "a smaller and a larger number"));
            }
        }
        if !(self.theta > 0.0 && self.theta.is_finite()) {
            return Err(out_of_range("theta", self.theta, "above 0"));
        }
        if self.max_parents > 10 {
            return Err(out_of_range("max_parents", self.max_parents, "in 0..=10"));
        }
        if !(1..=1_000_000).contains(&self.candidates) {
            return Err(out_of_range("candidates", self.candidates, "in 1..=1000000"));
        }
        check_bins(self.bins)
    }

    fn named_columns(&self) -> Vec<(&'static str, &str)> {
        self.ranges.keys().map(|name| ("ranges", name.as_str())).collect()
    }

    fn is_private(&self) -> bool {
        true
    }

    fn fit(&self, train: &Table, ctx: &mut FitContext<'_>) -> Result<Box<dyn Fitted>> {
        self.check()?;
        coding::check(train)?;
        check_ranges(&self.ranges, train.schema())?;
        check_levels(train.schema())?;
        ctx.observer.event(&Event::Start { phase: Phase::Encode, total: None });
        let nodes = train.schema().columns.iter();
        let nodes = nodes.filter(|spec| spec.is_numeric() || spec.is_category()).count();
        let learned = private::undeclared(train, &self.ranges).count();
        let split = |chooses| {
            let (ranges, structure) = (self.range_share, self.structure_share);
            Budget::split(self.epsilon, ranges, structure, learned > 0, chooses)
        };
        let budget = split(true);
        let mut rng = ctx.seed.stream("ranges");
        let coders = private::coders(train, &self.ranges, self.bins, budget.ranges, &mut rng);
        check_nodes(&coders)?;
        let coded = coding::encode(&coders, train, ctx.threads);
        let limits = self.limits(&coded.sizes, coded.rows, budget.counts);
        let chooses = limits.parents > 0;
        let budget = split(chooses);
        ctx.observer.note(&format!(
            "epsilon {}: {} for the ranges of {learned} number columns, {} for the structure, {} for the counts; it holds only while nobody else knows the seed",
            self.epsilon, budget.ranges, budget.structure, budget.counts
        ));
        if learned > 0 {
            ctx.observer.note(
                "a learned range cuts values off at both ends, many where epsilon or the table is small: declare the ranges you know with the setting `ranges`",
            );
        }
        ctx.observer.event(&Event::Start { phase: Phase::Train, total: Some(nodes as u64) });
        let parents = if chooses {
            let mut rng = ctx.seed.stream("structure");
            let threads = ctx.threads;
            private::greedy(&coded, limits, budget.structure, &mut rng, threads, ctx.observer)?
        } else {
            vec![Vec::new(); nodes]
        };
        let mut rng = ctx.seed.stream("counts");
        let network = private::noisy(&coded, &parents, budget.counts, &mut rng);
        let guarantee = Some(budget.guarantee(self.epsilon));
        let state = State { coders, within: self.within, network, guarantee };
        Ok(Box::new(FittedNetwork::new(PRIV_BAYES.name, train.schema().clone(), state)?))
    }
}

impl PrivBayes {
    /// The paper's theta-usefulness: a table of so many rows may have `rows epsilon / (2 nodes
    /// theta)` cells, as its cells then hold `theta` times the scale of their noise on average.
    /// No parents where no pair of columns fits.
    fn limits(&self, sizes: &[usize], rows: usize, epsilon: f64) -> Limits {
        let cells = rows as f64 * epsilon / (2.0 * sizes.len() as f64 * self.theta);
        // A table's cells are numbered in 32 bits and held at once.
        let cells = (cells as u64).min(1 << 26);
        let mut sorted: Vec<u64> = sizes.iter().map(|&size| size as u64).collect();
        sorted.sort_unstable();
        let pair_fits = sorted.len() > 1 && sorted[0].saturating_mul(sorted[1]) <= cells;
        let parents = if pair_fits { self.max_parents } else { 0 };
        Limits { cells, parents, candidates: self.candidates }
    }
}

fn check_ranges(ranges: &BTreeMap<String, [f64; 2]>, schema: &Schema) -> Result<()> {
    for name in ranges.keys() {
        let fail = |problem: String| Err(Error::Recipe { key: "ranges".into(), problem });
        match schema.position(name) {
            None => return fail(format!("there is no column {name:?}")),
            Some(at) if !schema.columns[at].is_numeric() => {
                return fail(format!("the column {name:?} holds no numbers"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// A category without levels has no state even where every cell is missing by error.
fn check_levels(schema: &Schema) -> Result<()> {
    let empty = |spec: &&meg_core::ColumnSpec| {
        spec.is_category() && spec.levels().is_empty() && !spec.nullable
    };
    match schema.columns.iter().find(empty) {
        None => Ok(()),
        Some(spec) => Err(DataError::new("the category has no levels")
            .column(&spec.name)
            .advice("list its levels in schema.toml")
            .into()),
    }
}

fn load(artifact: &Artifact) -> Result<Box<dyn Fitted>> {
    fitted::load(PRIV_BAYES.name, artifact)
}
