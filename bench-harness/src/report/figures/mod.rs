//! What a table of a report has to show beside its numbers.

mod columns;
mod components;
mod curves;
mod dial;
mod masks;

use super::summary::{Report, TableReport};
use crate::details::Details;

/// Pictures of one kind.
#[derive(Debug)]
pub(super) struct Group {
    pub heading: &'static str,
    /// How to read them, as Markdown of one line.
    pub words: String,
    pub figures: Vec<Figure>,
}

/// A picture and the line under it, plain text.
#[derive(Debug)]
pub(super) struct Figure {
    pub svg: String,
    pub caption: String,
}

/// All pictures of a table; kinds without any are left out.
pub(super) fn of_table(report: &Report<'_>, table: &TableReport) -> Vec<Group> {
    let shown = shown(report, table);
    let groups = [
        dial::group(report, table),
        components::group(&shown),
        columns::group(&shown),
        masks::group(&shown),
        curves::group(&shown),
    ];
    groups.into_iter().filter(|group| !group.figures.is_empty()).collect()
}

/// A cell that stands for its model in pictures: that of the first seed which ended well.
#[derive(Debug, Clone, Copy)]
struct Shown<'a> {
    model: &'a str,
    seed: u64,
    details: &'a Details,
}

fn shown<'a>(report: &'a Report<'_>, table: &'a TableReport) -> Vec<Shown<'a>> {
    let of = |model: &'a str| {
        let own = report.cells.iter().filter(|record| {
            record.is_ok() && record.dataset == table.dataset && record.model == model
        });
        own.filter_map(|record| Some((record.seed, report.details.get(&record.key)?)))
            .map(|(seed, details)| Shown { model, seed, details })
            .next()
    };
    table.models.iter().filter_map(|model| of(&model.model)).collect()
}
