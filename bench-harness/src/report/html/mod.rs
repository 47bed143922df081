//! The report as one page: the words and tables of the Markdown report, and pictures between them.
//! Nothing is fetched and nothing runs: no script, no style sheet, no picture from elsewhere.

mod blocks;

use super::figures::{self, Group};
use super::markdown;
use super::summary::Report;
use super::svg::escape;
use blocks::Block;

const STYLE: &str = "body{margin:0;background:#fff;color:#22262a;font:15px/1.5 system-ui,sans-serif}\
main{max-width:1180px;margin:0 auto;padding:1.5rem}\
h1{font-size:1.6rem}h2{font-size:1.25rem;margin-top:2.2rem;border-bottom:1px solid #d7d9dc}\
h3{font-size:1.05rem;margin-bottom:.2rem}\
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:13px}\
th,td{padding:.25rem .6rem;text-align:left;border-bottom:1px solid #e6e8ea;vertical-align:top}\
th{background:#f4f5f6}td{white-space:nowrap}td.long{white-space:normal;min-width:24rem}\
code{background:#f4f5f6;padding:0 .2em}\
.figures{display:flex;flex-wrap:wrap;gap:.6rem 1.2rem}\
figure{margin:0}figcaption{font-size:12px;color:#5b6168;max-width:640px}\
p.hint{font-size:13px;color:#5b6168;margin:.2rem 0 .6rem;max-width:60rem}";

/// Cells longer than this may break.
const LONG: usize = 60;

/// Writes the page.
pub(super) fn render(report: &Report<'_>) -> Vec<u8> {
    let text = String::from_utf8_lossy(&markdown::render(report)).into_owned();
    page(report, &text)
}

/// A page of this Markdown, with the pictures of each table behind its section.
pub(super) fn page(report: &Report<'_>, markdown: &str) -> Vec<u8> {
    let mut body = String::new();
    let mut section: Option<String> = None;
    let blocks = blocks::parse(markdown);
    for block in &blocks {
        if let Block::Heading(level, words) = block
            && *level <= 2
        {
            body.push_str(&pictures(report, section.as_deref()));
            section = Some(words.clone());
        }
        body.push_str(&show(block));
    }
    body.push_str(&pictures(report, section.as_deref()));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/><meta name=\"viewport\" content=\"width=device-width\"/><title>{}</title><style>{STYLE}</style></head><body><main>\n{body}</main></body></html>\n",
        escape(blocks::title(&blocks).unwrap_or("Benchmark"))
    )
    .into_bytes()
}

/// The pictures of the table that a section is about.
fn pictures(report: &Report<'_>, section: Option<&str>) -> String {
    let table = report.tables.iter().find(|table| Some(table.dataset.as_str()) == section);
    let groups = table.map_or(Vec::new(), |table| figures::of_table(report, table));
    groups.iter().map(group).collect()
}

fn group(group: &Group) -> String {
    let figures: String = group
        .figures
        .iter()
        .map(|figure| {
            let caption = escape(&figure.caption);
            format!("<figure>{}<figcaption>{caption}</figcaption></figure>\n", figure.svg)
        })
        .collect();
    format!(
        "<h3>{}</h3>\n<p class=\"hint\">{}</p>\n<div class=\"figures\">\n{figures}</div>\n",
        escape(group.heading),
        blocks::inline(&group.words)
    )
}

fn show(block: &Block) -> String {
    match block {
        Block::Heading(level, words) => {
            format!("<h{level}>{}</h{level}>\n", blocks::inline(words))
        }
        Block::Paragraph(words) => format!("<p>{}</p>\n", blocks::inline(words)),
        Block::List(items) => {
            let items: String =
                items.iter().map(|item| format!("<li>{}</li>\n", blocks::inline(item))).collect();
            format!("<ul>\n{items}</ul>\n")
        }
        Block::Table(head, rows) => {
            let head: String =
                head.iter().map(|cell| format!("<th>{}</th>", blocks::inline(cell))).collect();
            let rows: String = rows
                .iter()
                .map(|row| {
                    format!(
                        "<tr>{}</tr>\n",
                        row.iter().map(|words| cell(words)).collect::<String>()
                    )
                })
                .collect();
            format!(
                "<div class=\"wide\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
            )
        }
    }
}

fn cell(words: &str) -> String {
    let class = if words.chars().count() > LONG { " class=\"long\"" } else { "" };
    format!("<td{class}>{}</td>", blocks::inline(words))
}
