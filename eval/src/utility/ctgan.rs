use super::{
    learner::Learner,
    numbers::{NumberTask, Regressor},
    task::{ACCURACY, F1, MACRO_F1, Rules, Task, Value, target},
};
use crate::{
    Comparison, Group, Metric, Score,
    learners::{Perceptron, Vote, logistic::Fit},
    parallel,
    score::{Gap, Kind, Reading, mean},
};
use meg_core::Table;

const RULES: Rules = Rules { as_in_ctgan: true, most_rows: Some(50_000) };

const TREE_15: Model = Model::Class(Learner::Tree(15));
const TREE_30: Model = Model::Class(Learner::Tree(30));
/// The default of scikit-learn when the paper was written.
const ADABOOST: Model = Model::Class(Learner::AdaBoost(Vote::Shares));
const LOGISTIC: Model = Model::Class(Learner::Logistic(Fit { steps: 50, is_balanced: true }));
const MLP_50: Model = Model::Class(Learner::Perceptron(Perceptron { hidden: 50, epochs: 50 }));
const NETWORK: Perceptron = Perceptron { hidden: 100, epochs: 50 };
const MLP_100: Model = Model::Class(Learner::Perceptron(NETWORK));

/// For `adult`.
pub(crate) static CTGAN_ADULT: Ctgan = Ctgan {
    words: &["ctgan-adult"],
    measure: Measure::Classes(F1, Kinds::Two),
    mean: Kind::similarity("ctgan_adult_f1"),
    models: &[
        (Kind::similarity("ctgan_adult_adaboost_f1"), ADABOOST),
        (Kind::similarity("ctgan_adult_tree_f1"), TREE_15),
        (Kind::similarity("ctgan_adult_logistic_f1"), LOGISTIC),
        (Kind::similarity("ctgan_adult_mlp_f1"), MLP_50),
    ],
};

/// For `census` and `credit`.
pub(crate) static CTGAN_CENSUS: Ctgan = Ctgan {
    words: &["ctgan-census", "ctgan-credit"],
    measure: Measure::Classes(F1, Kinds::Two),
    mean: Kind::similarity("ctgan_census_f1"),
    models: &[
        (Kind::similarity("ctgan_census_adaboost_f1"), ADABOOST),
        (Kind::similarity("ctgan_census_tree_f1"), TREE_30),
        (Kind::similarity("ctgan_census_mlp_f1"), MLP_100),
    ],
};

/// For `covertype` and `intrusion`.
pub(crate) static CTGAN_COVERTYPE: Ctgan = Ctgan {
    words: &["ctgan-covertype", "ctgan-intrusion"],
    measure: Measure::Classes(MACRO_F1, Kinds::More),
    mean: Kind::similarity("ctgan_covertype_macro_f1"),
    models: &[
        (Kind::similarity("ctgan_covertype_tree_macro_f1"), TREE_30),
        (Kind::similarity("ctgan_covertype_mlp_macro_f1"), MLP_100),
    ],
};

/// For `mnist12` and `mnist28`.
pub(crate) static CTGAN_MNIST: Ctgan = Ctgan {
    words: &["ctgan-mnist", "ctgan-mnist12", "ctgan-mnist28"],
    measure: Measure::Classes(ACCURACY, Kinds::More),
    mean: Kind::similarity("ctgan_mnist_accuracy"),
    models: &[
        (Kind::similarity("ctgan_mnist_tree_accuracy"), TREE_30),
        (Kind::similarity("ctgan_mnist_logistic_accuracy"), LOGISTIC),
        (Kind::similarity("ctgan_mnist_mlp_accuracy"), MLP_100),
    ],
};

/// For `news`.
pub(crate) static CTGAN_NEWS: Ctgan = Ctgan {
    words: &["ctgan-news"],
    measure: Measure::Explained,
    mean: Kind::explained("ctgan_news_r2"),
    models: &[
        (Kind::explained("ctgan_news_linear_r2"), Model::Number(Regressor::Linear)),
        (Kind::explained("ctgan_news_mlp_r2"), Model::Number(Regressor::Perceptron(NETWORK))),
    ],
};

/// The CTGAN paper's machine-learning efficacy of one of its tables: its learners on its features,
/// trained on synthetic rows and tested on holdout rows, and their plain mean, which is the number in
/// its Table 6. The reference is the same trained on real rows: Table 5, and the row "Identity".
///
/// F1 of the rarer of two classes (`adult`, `census`), macro F1 (`covertype`), accuracy (`mnist`),
/// all in 0..=1, or R² of `ln` of the target cut to 1 and 20 000 (`news`), up to 1; higher is better.
/// At most 50 000 rows to learn from and as many to test on. The mean is undefined when one learner
/// has no value. Skipped without holdout rows and for a target of another kind.
///
/// Source: Xu et al. 2019, section 5 and its supplement; settings from the code of SDGym's branch
/// `research`, which says depth 15 for `adult` where the paper's table says 20. Learners are ours
/// after scikit-learn's (see `learners`).
#[derive(Debug)]
pub(crate) struct Ctgan {
    /// Words that choose it, by the paper's tables.
    words: &'static [&'static str],
    measure: Measure,
    mean: Kind,
    models: &'static [(Kind, Model)],
}

#[derive(Debug, Clone, Copy)]
enum Measure {
    Classes(Value, Kinds),
    Explained,
}

/// How many classes the target has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kinds {
    Two,
    More,
}

#[derive(Debug, Clone, Copy)]
enum Model {
    Class(Learner),
    Number(Regressor),
}

/// A task of either kind of target.
#[derive(Debug)]
enum Either<'a> {
    Classes(Task<'a>, Value),
    Numbers(NumberTask<'a>),
}

impl Metric for Ctgan {
    fn name(&self) -> &'static str {
        self.mean.name
    }

    fn names(&self) -> Vec<&'static str> {
        let own = self.models.iter().map(|(kind, _)| kind.name);
        std::iter::once(self.mean.name).chain(own).collect()
    }

    fn words(&self) -> &'static [&'static str] {
        self.words
    }

    fn about(&self) -> &'static str {
        "How well the CTGAN paper's learners for one of its tables predict the target of holdout rows after training on synthetic rows."
    }

    fn group(&self) -> Group {
        Group::Utility
    }

    fn is_default(&self) -> bool {
        false
    }

    fn score(&self, comparison: &Comparison<'_>) -> Vec<Score> {
        let Comparison { train, synthetic, threads, .. } = *comparison;
        let sources = [synthetic, train];
        let readings: Vec<Reading> = match self.task(comparison) {
            Ok(task) => parallel::map(threads, 2 * self.models.len(), |at| {
                task.run(self.models[at / 2].1, sources[at % 2])
            }),
            Err(gap) => {
                let none = |_| Reading::new(Err(gap.clone()), train.rows(), synthetic.rows());
                (0..2 * self.models.len()).map(none).collect()
            }
        };
        let pairs = || self.models.iter().zip(readings.chunks_exact(2));
        let over = |source: usize| self.over(pairs().map(|((kind, _), own)| (kind, &own[source])));
        let mut scores = vec![Score::new(&self.mean, &[], over(0)).with_reference(over(1).ok())];
        for ((kind, _), own) in pairs() {
            scores.push(Score::new(kind, &[], own[0].clone()).with_reference(own[1].ok()));
        }
        scores
    }
}

impl Ctgan {
    fn task<'a>(&self, comparison: &Comparison<'a>) -> Result<Either<'a>, Gap> {
        if comparison.synthetic.rows() == 0 {
            return Err(Gap::undefined("there is no synthetic row"));
        }
        let target = target(comparison)?;
        match self.measure {
            Measure::Explained => {
                NumberTask::with(comparison, comparison.holdout, target, RULES).map(Either::Numbers)
            }
            Measure::Classes(value, kinds) => {
                let classes = comparison.train.schema().columns[target].levels().len();
                let (fits, wanted) = match kinds {
                    Kinds::Two => (classes == 2, "two"),
                    Kinds::More => (classes > 2, "more than two"),
                };
                let task = Task::with(comparison, comparison.holdout, target, RULES)?;
                match fits {
                    true => Ok(Either::Classes(task, value)),
                    false => Err(Gap::skipped(format!(
                        "the target has {classes} classes; these learners are for {wanted}"
                    ))),
                }
            }
        }
    }

    /// The mean over learners; a mean over fewer would be another quantity.
    fn over<'a>(&self, readings: impl Iterator<Item = (&'a Kind, &'a Reading)>) -> Reading {
        let named: Vec<(String, &Reading)> =
            readings.map(|(kind, own)| (kind.name.to_owned(), own)).collect();
        let rows = named.first().map_or((0, 0), |(_, own)| (own.rows_real, own.rows_synthetic));
        match named.iter().find_map(|(_, own)| own.value.as_ref().err()) {
            Some(gap) => Reading::new(Err(gap.clone()), rows.0, rows.1),
            None => mean("learners", named.into_iter(), rows),
        }
    }
}

impl Either<'_> {
    fn run(&self, model: Model, source: &Table) -> Reading {
        let (reading, tested) = match (self, model) {
            (Self::Classes(task, value), Model::Class(learner)) => {
                (task.run(learner, source).value(task, *value), task.truth.len())
            }
            (Self::Numbers(task), Model::Number(regressor)) => {
                (task.run(regressor, source).value(|error| error.r2), task.tested())
            }
            _ => {
                let gap = Gap::failed("a learner of classes was asked for numbers, or the reverse");
                (Reading::new(Err(gap), 0, 0), 0)
            }
        };
        Reading { rows_synthetic: reading.rows_real, rows_real: tested, ..reading }
    }
}
