//! Networks from the text of a `.bif` file.

use super::network::{Network, Node};
use meg_core::{DataError, Error, Result};
use std::collections::HashMap;

impl Network {
    /// Reads the text of a `.bif` file; `file` is its name, for messages.
    ///
    /// Rows of a table are found by the parent states they name, never by their position: copies
    /// of one network differ in the order of their rows.
    ///
    /// # Errors
    /// A data error that names file, line and variable.
    pub fn from_bif(file: &str, text: &str) -> Result<Self> {
        let mut reader = Reader { file, tokens: tokens(text), at: 0 };
        let mut nodes = Vec::new();
        let mut tables = Vec::new();
        while let Some(word) = reader.next_word() {
            match word {
                "network" => reader.skip_block()?,
                "variable" => nodes.push(reader.variable()?),
                "probability" => tables.push(reader.table()?),
                other => return Err(reader.error(&format!("{other:?} begins no block"))),
            }
        }
        let named: HashMap<String, usize> =
            nodes.iter().enumerate().map(|(at, node)| (node.name.clone(), at)).collect();
        for table in tables {
            place(file, &mut nodes, &named, table)?;
        }
        Network::new(nodes).map_err(|error| match error {
            Error::Data(error) => error.file(file).into(),
            other => other,
        })
    }
}

/// A `probability` block.
struct TableBlock {
    line: u64,
    child: String,
    parents: Vec<String>,
    rows: Vec<(Vec<String>, Vec<f64>)>,
}

/// Puts a table into its node.
fn place(
    file: &str,
    nodes: &mut [Node],
    named: &HashMap<String, usize>,
    table: TableBlock,
) -> Result<()> {
    let error = |problem: String| -> Error {
        DataError::new(problem).file(file).line(table.line).column(&table.child).into()
    };
    let find = |name: &String| {
        named.get(name).copied().ok_or_else(|| error(format!("there is no variable {name:?}")))
    };
    let child = find(&table.child)?;
    let parents: Vec<usize> = table.parents.iter().map(find).collect::<Result<_>>()?;
    let combinations: usize = parents.iter().map(|&parent| nodes[parent].states.len()).product();
    let mut rows: Vec<Option<Vec<f64>>> = vec![None; combinations];
    for (states, probabilities) in table.rows {
        if states.len() != parents.len() {
            return Err(error(format!(
                "a row names {} of {} parents",
                states.len(),
                parents.len()
            )));
        }
        let mut at = 0;
        for (state, &parent) in states.iter().zip(&parents) {
            let known = &nodes[parent].states;
            let position = known.iter().position(|other| other == state);
            let position = position
                .ok_or_else(|| error(format!("{:?} has no state {state:?}", nodes[parent].name)))?;
            at = at * known.len() + position;
        }
        if rows[at].replace(probabilities).is_some() {
            return Err(error(format!("the row of {states:?} occurs twice")));
        }
    }
    if let Some(at) = rows.iter().position(Option::is_none) {
        return Err(error(format!("combination {} of the parent states has no row", at + 1)));
    }
    nodes[child].parents = parents;
    nodes[child].probabilities = rows.into_iter().flatten().collect();
    Ok(())
}

struct Token<'a> {
    text: &'a str,
    line: u64,
}

/// Words and the marks between them; a name may hold any other character (`12+`, `Asy/Patch`).
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.split("//").next().unwrap_or_default();
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let mark = |c: char| "{}()[],;|".contains(c);
            let end = if mark(first) {
                1
            } else {
                rest.find(|c: char| c.is_whitespace() || mark(c)).unwrap_or(rest.len())
            };
            tokens.push(Token { text: &rest[..end], line: number });
            rest = rest[end..].trim_start();
        }
    }
    tokens
}

struct Reader<'a> {
    file: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
}

impl<'a> Reader<'a> {
    fn line(&self) -> u64 {
        self.tokens.get(self.at.saturating_sub(1)).map_or(1, |token| token.line)
    }

    fn error(&self, problem: &str) -> Error {
        DataError::new(problem).file(self.file).line(self.line()).into()
    }

    fn next_word(&mut self) -> Option<&'a str> {
        let word = self.tokens.get(self.at)?.text;
        self.at += 1;
        Some(word)
    }

    fn word(&mut self) -> Result<&'a str> {
        self.next_word().ok_or_else(|| self.error("the file ends inside a block"))
    }

    fn mark(&mut self, mark: &str) -> Result<()> {
        match self.word()? {
            found if found == mark => Ok(()),
            found => Err(self.error(&format!("{mark:?} is needed, not {found:?}"))),
        }
    }

    fn skip_block(&mut self) -> Result<()> {
        while self.word()? != "}" {}
        Ok(())
    }

    /// Words between commas, up to the closing mark.
    fn list(&mut self, closing: &str) -> Result<Vec<&'a str>> {
        let mut words = Vec::new();
        loop {
            match self.word()? {
                "," => {}
                word if word == closing => return Ok(words),
                word => words.push(word),
            }
        }
    }

    fn variable(&mut self) -> Result<Node> {
        let name = self.word()?.to_owned();
        self.mark("{")?;
        let mut states = Vec::new();
        loop {
            match self.word()? {
                "type" => {
                    self.mark("discrete")?;
                    self.mark("[")?;
                    let count = self.word()?.parse::<usize>().ok();
                    self.mark("]")?;
                    self.mark("{")?;
                    states = self.list("}")?.into_iter().map(str::to_owned).collect();
                    if count != Some(states.len()) {
                        return Err(
                            self.error(&format!("the number of states of {name:?} is not as said"))
                        );
                    }
                    self.mark(";")?;
                }
                "property" => {
                    self.list(";")?;
                }
                "}" => break,
                other => return Err(self.error(&format!("{other:?} is unknown in a variable"))),
            }
        }
        Ok(Node { name, states, parents: Vec::new(), probabilities: Vec::new() })
    }

    fn table(&mut self) -> Result<TableBlock> {
        let line = self.line();
        self.mark("(")?;
        let child = self.word()?.to_owned();
        let parents = match self.word()? {
            ")" => Vec::new(),
            "|" => self.list(")")?.into_iter().map(str::to_owned).collect(),
            other => return Err(self.error(&format!("\"|\" or \")\" is needed, not {other:?}"))),
        };
        self.mark("{")?;
        let mut rows = Vec::new();
        loop {
            match self.word()? {
                "table" if parents.is_empty() => rows.push((Vec::new(), self.numbers()?)),
                "table" => {
                    return Err(self.error("a table without parent states has no safe order"));
                }
                "(" => {
                    let states = self.list(")")?.into_iter().map(str::to_owned).collect();
                    rows.push((states, self.numbers()?));
                }
                "property" => {
                    self.list(";")?;
                }
                "}" => break,
                other => return Err(self.error(&format!("{other:?} begins no row"))),
            }
        }
        Ok(TableBlock { line, child, parents, rows })
    }

    fn numbers(&mut self) -> Result<Vec<f64>> {
        let words = self.list(";")?;
        words
            .into_iter()
            .map(|word| word.parse().map_err(|_| self.error(&format!("{word:?} is no number"))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "network unknown {\n}\n\
        variable wet {\n  type discrete [ 2 ] { yes, no };\n}\n\
        variable sky {\n  type discrete [ 3 ] { clear, <5, Asy/Patch };\n}\n\
        probability ( sky ) {\n  table 0.5, 0.25, 0.25;\n}\n\
        probability ( wet | sky ) {\n  (Asy/Patch) 0.9, 0.1;\n  (clear) 0.0, 1.0;\n  (<5) 0.5, 0.5;\n}\n";

    #[test]
    fn rows_are_found_by_their_parent_states() {
        let network = Network::from_bif("small.bif", SMALL).unwrap();
        let wet = &network.nodes()[0];
        assert_eq!(wet.probabilities, [[0.0, 1.0], [0.5, 0.5], [0.9, 0.1]]);
        assert_eq!((network.arcs(), network.parameters()), (1, 5));
    }

    #[test]
    fn damage_is_named() {
        for (from, to, part) in [
            ("(clear) 0.0, 1.0;", "", "has no row"),
            ("(clear)", "(<5)", "twice"),
            ("(clear)", "(grey)", "no state \"grey\""),
            ("0.9, 0.1", "0.9, 0.2", "sum to 1"),
            ("0.9, 0.1", "0.9, x", "no number"),
            ("[ 3 ]", "[ 2 ]", "as said"),
            ("| sky", "| sun", "no variable \"sun\""),
            ("1.0;\n  (<5) 0.5, 0.5;\n}\n", "1.0;", "ends inside"),
            ("variable sky", "varible sky", "begins no block"),
        ] {
            let text = SMALL.replacen(from, to, 1);
            assert_ne!(text, SMALL, "{from}");
            let message = Network::from_bif("small.bif", &text).unwrap_err().to_string();
            assert!(message.contains(part) && message.contains("small.bif"), "{message}");
        }
    }
}
