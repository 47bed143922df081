use super::layout::{Facts, Rewriting, joint_role};
use meg_core::{ColumnKind, ColumnSpec, Constraint, Role, Schema};

/// One column of a rewritten table, and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// The column itself.
    Plain(usize),
    /// The logarithm of a positive column.
    Logarithm(usize),
    /// How far the high column of an order lies above the largest of its low ones.
    Difference(usize),
    /// A derived column itself, for rows in which it cannot be derived.
    Apart(usize),
    /// Whether a total is missing beside all of its parts.
    Silent(usize),
    /// The combination of the cells of a group of category columns.
    Combination(usize),
}

impl Piece {
    /// The pieces of a schema, in its order.
    pub(super) fn all(schema: &Schema, facts: &Facts, groups: &[Vec<usize>]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for at in 0..schema.columns.len() {
            if let Some(group) = groups.iter().position(|group| group.contains(&at)) {
                let first = groups[group].iter().min() == Some(&at);
                pieces.extend(first.then_some(Piece::Combination(group)));
                continue;
            }
            let derived = schema.parts(at).is_some();
            if !schema.lows(at).is_empty() {
                pieces.push(Piece::Difference(at));
            } else if is_positive(schema, at) && !derived {
                pieces.push(Piece::Logarithm(at));
            } else if !derived {
                pieces.push(Piece::Plain(at));
            }
            pieces.extend(facts.apart.contains(&at).then_some(Piece::Apart(at)));
            pieces.extend(facts.silent.contains(&at).then_some(Piece::Silent(at)));
        }
        pieces
    }

    /// What the column is. Pieces that take the place of one column keep its name, so that what a
    /// model says of it is understood.
    pub(super) fn spec(self, schema: &Schema, facts: &Facts, groups: &[Vec<usize>]) -> ColumnSpec {
        match self {
            Piece::Plain(at) => schema.columns[at].clone(),
            Piece::Logarithm(at) => {
                let kind = ColumnKind::Number { decimals: None };
                ColumnSpec { kind, ..schema.columns[at].clone() }
            }
            Piece::Difference(at) => {
                let spec = schema.columns[at].clone();
                let kind = ColumnKind::Number { decimals: difference_decimals(schema, at) };
                ColumnSpec { kind, nullable: spec.nullable || facts.apart.contains(&at), ..spec }
            }
            Piece::Apart(at) => {
                let spec = schema.columns[at].clone();
                ColumnSpec { name: format!("{} alone", spec.name), role: Role::Feature, ..spec }
            }
            Piece::Silent(at) => {
                let name = format!("{} missing", schema.columns[at].name);
                ColumnSpec::category(name, ["no", "yes"])
            }
            Piece::Combination(group) => {
                let specs = || groups[group].iter().map(|&at| &schema.columns[at]);
                let names: Vec<&str> = specs().map(|spec| spec.name.as_str()).collect();
                let levels = facts.combinations[group].iter().map(|combination| {
                    let texts: Vec<Option<&String>> = combination
                        .iter()
                        .zip(specs())
                        .map(|(code, spec)| code.map(|code| &spec.levels()[code as usize]))
                        .collect();
                    // As JSON, different combinations have different names whatever the levels.
                    serde_json::json!(texts).to_string()
                });
                ColumnSpec::category(names.join(" + "), levels).role(joint_role(specs()))
            }
        }
    }
}

impl Rewriting {
    /// Whether the piece holds what the model learns of this column where it has a place of its own.
    pub(super) fn stands_for(&self, piece: Piece, column: usize) -> bool {
        match piece {
            Piece::Plain(at) | Piece::Logarithm(at) | Piece::Difference(at) => at == column,
            Piece::Combination(group) => self.groups[group].contains(&column),
            Piece::Apart(_) | Piece::Silent(_) => false,
        }
    }

    /// What a piece is, in the names of the columns that were declared.
    pub(super) fn describe(&self, piece: Piece) -> String {
        let name = |at: usize| format!("{:?}", self.schema.columns[at].name);
        let names = |columns: &[usize]| columns.iter().map(|&at| name(at)).collect::<Vec<_>>();
        match piece {
            Piece::Plain(at) => name(at),
            Piece::Logarithm(at) => format!("the natural logarithm of {}", name(at)),
            Piece::Difference(at) => {
                let lows = names(&self.schema.lows(at)).join(" and ");
                format!("how far {} lies above {lows}", name(at))
            }
            Piece::Apart(at) => format!("{} where it cannot be derived", name(at)),
            Piece::Silent(at) => format!("whether {} is missing", name(at)),
            Piece::Combination(group) => {
                format!("the combinations of {}", names(&self.groups[group]).join(", "))
            }
        }
    }
}

fn is_positive(schema: &Schema, at: usize) -> bool {
    let name = &schema.columns[at].name;
    let mut constraints = schema.constraints.iter();
    constraints.any(|one| matches!(one, Constraint::Positive { column } if column == name))
}

/// Whole units for moments; for numbers, the decimals that hold every difference.
fn difference_decimals(schema: &Schema, high: usize) -> Option<u8> {
    let specs = std::iter::once(high).chain(schema.lows(high)).map(|at| &schema.columns[at]);
    let decimals = specs.map(|spec| match spec.kind {
        ColumnKind::Number { decimals } => decimals,
        _ => Some(0),
    });
    decimals.collect::<Option<Vec<u8>>>()?.into_iter().max()
}
