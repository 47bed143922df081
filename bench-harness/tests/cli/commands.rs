//! What all commands have in common: mistakes, outputs, silence.

use crate::people;
use crate::place::Place;

#[test]
fn outputs_that_cannot_be_written_are_named_before_the_work() {
    let place = Place::new();
    place.file("people.csv", people(60));
    let fit = "fit --data people.csv --model independent --out";
    place.refuses(&format!("{fit} no/such/m"), 3, &["no/such/m", "help:"]);
    place.refuses(&format!("{fit} people.csv/m"), 3, &["people.csv/m"]);
    place.refuses("bench --datasets clinic --out people.csv/run", 3, &["people.csv/run"]);
    place.refuses("schema infer people.csv --out no/schema.toml", 3, &["no/schema.toml"]);
}

#[test]
fn mistakes_of_the_command_line_are_answered_with_the_nearest_word() {
    let place = Place::new();
    place.file("people.csv", people(60));
    let fit = "fit --data people.csv --out m --model";
    place.refuses(&format!("{fit} independant"), 2, &["\"independent\""]);
    place.refuses(&format!("{fit} independent --set x=1"), 2, &["`x`"]);
    place.refuses(&format!("{fit} independent --device gpu"), 2, &["cuda:0"]);
    place.refuses("bench --datasets clinci --models copy", 2, &["clinci", "clinic"]);
    place.refuses("bench --datasets clinic --models cpy", 2, &["cpy", "\"copy\""]);
    place.refuses("bench --datasets clinic --models copy --set ctgan.x=1", 2, &["ctgan.x", "copy"]);
    place.refuses("bench --datasets clinic --models copy,copy", 2, &["twice"]);
    place.refuses("bench --datasets clinic --models copy --timeout soon", 2, &["30m"]);
    place.refuses("bench --datasets clinic --models copy --metrics shap", 2, &["shap", "shape"]);
    let (_, told) = place.ends("evaluate --train a --synthetic b --metrics tstr_bost_auc", 2);
    assert!(told.contains("\"tstr_boost_auc\"") && told.contains("meg metrics list"), "{told}");
    assert!(told.len() < 800, "not all names: {told}");
    place.file("plan.toml", "dataset = [\"clinic\"]");
    place.refuses("bench plan.toml", 2, &["plan.toml", "dataset"]);
    place.refuses("nonsense", 2, &["nonsense"]);
}

#[test]
fn quiet_commands_say_nothing() {
    let place = Place::new();
    place.file("people.csv", people(60));
    place.file("rules.toml", "[[rules]]\ncolumns = [\"town\"]\nmethod = \"drop\"\n");
    for line in [
        "fit --data people.csv --model independent --out m -q",
        "sample --model m --rows 5 --out s.csv -q",
        "mask people.csv --rules rules.toml --out masked.csv -q",
        "datasets export clinic --out clinic --offline -q",
        "datasets split people.csv --out people -q",
    ] {
        assert_eq!(place.ends(line, 0), (String::new(), String::new()), "{line}");
    }
    assert!(!place.ok("schema check people.csv --schema people/schema.toml -q").is_empty());
}
