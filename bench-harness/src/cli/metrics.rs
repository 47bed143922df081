use super::options::Common;
use super::output;
use clap::Subcommand;
use eval::{Group, METRICS, Metric};
use meg_core::Result;
use serde_json::{Value, json};

/// Look at the scores that `--metrics` can choose.
#[derive(Debug, Subcommand)]
pub(crate) enum Metrics {
    /// List all scores by group, with what they measure; docs/metrics.md defines them.
    List,
}

impl Metrics {
    pub(crate) fn run(&self, common: &Common) -> Result<()> {
        match self {
            Metrics::List if common.json => {
                let metrics: Vec<Value> = METRICS.iter().map(|metric| describe(*metric)).collect();
                output::print_json(&Value::Array(metrics))
            }
            Metrics::List => output::print(list().as_bytes()),
        }
    }
}

fn list() -> String {
    let mut text = String::from(
        "Words of --metrics: default, all, a group, a set, or a score, which brings those of its paragraph along.\n",
    );
    text.push_str(&output::wrapped("Sets: ", &eval::words().join(", ")));
    for group in Group::ALL {
        text.push_str(&format!("\n{}\n", group.name()));
        for metric in METRICS.iter().filter(|metric| metric.group() == group) {
            let asked = if metric.is_default() { "" } else { " Not in the default set." };
            text.push_str(&output::wrapped("  ", &format!("{}{asked}", metric.about())));
            text.push_str(&output::wrapped("    ", &metric.names().join(", ")));
        }
    }
    text
}

fn describe(metric: &dyn Metric) -> Value {
    json!({
        "group": metric.group().name(),
        "default": metric.is_default(),
        "about": metric.about(),
        "words": metric.words(),
        "scores": metric.names(),
    })
}
