//! Published values beside ours, where the run has the same score of the same model and table.

use super::{NONE, grid, line, number, sd};
use crate::published::{Entry, Published};
use crate::registry;
use crate::report::summary::{Report, TableReport, distinct};

/// One score of one model that both have.
struct Pair<'a> {
    dataset: &'a str,
    learned: String,
    score: &'a str,
    model: String,
    ours: String,
    /// Source and value.
    theirs: Vec<(&'a str, &'a str)>,
}

pub(super) fn write(text: &mut String, report: &Report<'_>, published: &[Published]) {
    for one in published {
        let (mut pairs, mut changed) = (Vec::new(), Vec::new());
        for table in &report.tables {
            add(report, table, one, &mut pairs, &mut changed);
        }
        if !pairs.is_empty() || !changed.is_empty() {
            show(text, one, &pairs, &changed);
        }
    }
}

fn show(text: &mut String, published: &Published, pairs: &[Pair<'_>], changed: &[&str]) {
    line(text, &format!("\n## Beside {}\n", published.title));
    if !pairs.is_empty() {
        line(
            text,
            &format!(
                "Means over seeds, ± their standard deviation; published values have no spread. Rows are those that were learned from, in brackets those of the paper. {}\n",
                published.note
            ),
        );
        let all = pairs.iter().flat_map(|pair| pair.theirs.iter().map(|(source, _)| *source));
        let sources = distinct(all);
        let mut head = vec!["dataset", "rows", "score", "model", "ours"];
        head.extend(&sources);
        let row = |pair: &Pair<'_>| -> Vec<String> {
            let value = |source: &&str| {
                let found = pair.theirs.iter().find(|(own, _)| own == source);
                found.map_or(NONE, |(_, value)| value).to_owned()
            };
            let own = [pair.dataset, &pair.learned, pair.score, &pair.model, &pair.ours];
            own.map(str::to_owned).into_iter().chain(sources.iter().map(value)).collect()
        };
        grid(text, &head, &pairs.iter().map(row).collect::<Vec<_>>());
    }
    if !changed.is_empty() {
        let names = changed.join(", ");
        line(text, &format!("\n- Not compared, as settings were changed: {names}."));
    }
}

/// The pairs of one table; models whose settings are not those that their name stands for.
fn add<'a>(
    report: &'a Report<'_>,
    table: &'a TableReport,
    published: &'a Published,
    pairs: &mut Vec<Pair<'a>>,
    changed: &mut Vec<&'a str>,
) {
    let dataset = table.dataset.as_str();
    let of_table = |entry: &&Entry| entry.values.contains_key(dataset);
    let here: Vec<&Entry> = published.entries.iter().filter(of_table).collect();
    for score in distinct(here.iter().map(|entry| entry.score.as_str())) {
        for model in &table.models {
            let of_model = |entry: &&Entry| entry.model == model.model && entry.score == score;
            let theirs: Vec<&Entry> = here.iter().copied().filter(of_model).collect();
            let (Some(first), Some(ours)) = (theirs.first(), model.metrics.get(score)) else {
                continue;
            };
            if !as_named(report, dataset, &model.model) {
                if !changed.contains(&model.model.as_str()) {
                    changed.push(&model.model);
                }
                continue;
            }
            let learned = table.rows.map_or(NONE.into(), |rows| rows.train.to_string());
            pairs.push(Pair {
                dataset,
                learned: format!("{learned} ({})", published.training_rows[dataset]),
                score,
                model: format!("{} ({})", model.model, first.published_as),
                ours: number(ours.mean) + &sd(ours),
                theirs: theirs
                    .iter()
                    .map(|entry| (entry.source.as_str(), entry.values[dataset].as_str()))
                    .collect(),
            });
        }
    }
}

/// Whether all cells of a model have the settings that its name stands for.
fn as_named(report: &Report<'_>, dataset: &str, model: &str) -> bool {
    let Ok(choice) = registry::choose(model, &toml::Table::new()) else { return false };
    let own = |cell: &&&crate::record::Record| cell.dataset == dataset && cell.model == model;
    report.cells.iter().filter(own).all(|cell| cell.recipe == choice.recipe.settings)
}
