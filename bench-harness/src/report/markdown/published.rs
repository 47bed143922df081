//! Published values beside ours, where the run has the same score of the same model and table.

use super::{NONE, grid, line, number, sd};
use crate::published::{Entry, Published};
use crate::registry;
use crate::report::summary::{Report, TableReport, distinct};
use datasets::FOLDER_SPLIT;

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
    if is_own(report, dataset) {
        return;
    }
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

/// Whether a table is the user's own, which may have the name of a published one.
fn is_own(report: &Report<'_>, dataset: &str) -> bool {
    report.cells.iter().any(|cell| cell.dataset == dataset && cell.split_hash == FOLDER_SPLIT)
}

/// Whether all cells of a model have the settings that its name stands for.
fn as_named(report: &Report<'_>, dataset: &str, model: &str) -> bool {
    let Ok(choice) = registry::choose(model, &toml::Table::new()) else { return false };
    let own = |cell: &&&crate::record::Record| cell.dataset == dataset && cell.model == model;
    report.cells.iter().filter(own).all(|cell| cell.recipe == choice.recipe.settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Record, Status};
    use crate::report::samples::{record, score};
    use crate::store::{Manifest, Planned};

    #[test]
    fn a_folder_of_the_users_own_stands_beside_nothing() {
        let written = |split: &str| {
            let metrics = vec![score("ctgan_adult_f1", 0.5, None)];
            let (status, split_hash) = (Status::Ok, split.to_owned());
            let copy = Record { metrics, status, split_hash, ..record("adult", "copy", 1) };
            let cell = Planned {
                key: copy.key.clone(),
                dataset: copy.dataset.clone(),
                model: copy.model.clone(),
                seed: copy.seed,
            };
            let manifest = Manifest::here(1, 1, vec![cell]);
            let mut text = String::new();
            write(&mut text, &Report::new(&manifest, &[copy]), &crate::published::all());
            text
        };
        assert!(written("published").contains("0.669"));
        assert_eq!(written(FOLDER_SPLIT), "");
    }
}
