//! `meg mask` on files: the shipped rules on the real table, and invented people.

mod place;

use place::Place;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn place() -> Place {
    Place::with(&[("key", "a secret of twenty bytes\n")])
}

/// The columns of a table file as texts.
fn texts(path: &Path) -> Vec<(String, Vec<Option<String>>)> {
    let table = datasets::read_texts(path).unwrap();
    let cells = |at| (0..table.rows()).map(|row| table.text(row, at)).collect();
    let names = table.schema().columns.iter().map(|spec| spec.name.clone());
    names.enumerate().map(|(at, name)| (name, cells(at))).collect()
}

fn column(table: &[(String, Vec<Option<String>>)], name: &str) -> Vec<Option<String>> {
    table.iter().find(|(other, _)| other == name).map(|(_, cells)| cells.clone()).unwrap()
}

/// No value of these columns is a cell of the masked table or a part of one.
fn nothing_shows(
    real: &[(String, Vec<Option<String>>)],
    masked: &[(String, Vec<Option<String>>)],
    columns: &[&str],
) {
    let output: String = masked
        .iter()
        .flat_map(|(_, cells)| cells.iter().flatten())
        .flat_map(|cell| [cell.as_str(), "\n"])
        .collect();
    for name in columns {
        let values: BTreeSet<String> = column(real, name).into_iter().flatten().collect();
        assert!(!values.is_empty(), "{name}");
        for value in values {
            assert!(!output.contains(&value), "{name}: a value of the input is in the output");
        }
    }
}

/// The file of the patients, in one of the folders of `MEG_DATA`.
fn patients() -> Option<PathBuf> {
    let folders = std::env::var_os("MEG_DATA")?;
    let find = |folder: PathBuf| {
        let names = ["patients/patients.csv", "patients.csv"];
        names.into_iter().map(|name| folder.join(name)).find(|path| path.is_file())
    };
    std::env::split_paths(&folders).find_map(find)
}

#[test]
fn the_shipped_rules_leave_no_identifier_name_or_address_of_the_patients() {
    let Some(patients) = patients() else {
        eprintln!("skipped: MEG_DATA names no folder with patients.csv");
        return;
    };
    let report = masked_by_the_shipped_rules(&place(), &patients);
    assert_eq!(report["rows"], 1_171);
    assert!(report["groups_before"]["share_below"].as_f64().unwrap() > 0.95, "{report}");
    assert!(report["groups_after"]["share_below"].as_f64().unwrap() < 0.15, "{report}");
}

/// Invented patients in the layout of the real ones, so that the shipped rules are always tried.
#[test]
fn the_shipped_rules_leave_nothing_of_invented_patients() {
    let place = place();
    let mut text = String::from(
        "Id,BIRTHDATE,DEATHDATE,SSN,DRIVERS,PASSPORT,PREFIX,FIRST,LAST,SUFFIX,MAIDEN,MARITAL,RACE,ETHNICITY,GENDER,BIRTHPLACE,ADDRESS,CITY,STATE,COUNTY,ZIP,LAT,LON,HEALTHCARE_EXPENSES,HEALTHCARE_COVERAGE\n",
    );
    let of = |row: usize, values: &[&str]| values[row % values.len()].to_owned();
    for row in 0..150 {
        let cells = [
            format!("1d604da9-9a81-4ba9-80c2-de3375d5{row:04x}"),
            format!("19{:02}-05-{:02}", 40 + row % 60, 1 + row % 28),
            if row % 9 == 0 { format!("2011-03-{:02}", 1 + row % 28) } else { String::new() },
            format!("999-{:02}-{:04}", 10 + row % 80, 5_000 + row),
            format!("S999{:05}", 20_000 + 17 * row),
            format!("X{}X", 10_000_000 + 37 * row),
            of(row, &["Mr.", "Ms.", "Mrs.", ""]),
            format!("Milo{row:03}"),
            format!("Feil{:03}", row % 70),
            of(row, &["", "", "PhD"]),
            if row % 3 == 0 { format!("Feil{:03}", (row + 7) % 70) } else { String::new() },
            of(row, &["M", "S", ""]),
            of(row, &["white", "white", "black", "asian", "native", "other"]),
            of(row, &["nonhispanic", "hispanic"]),
            of(row, &["F", "M"]),
            of(row, &["Danvers  Massachusetts  US", "Patras  Achaea  GR"]),
            format!("{} Balistreri Way Unit {row}", 400 + row),
            of(row, &["Chicopee", "Somerville", "Malden"]),
            "Massachusetts".into(),
            of(row, &["Hampden County", "Middlesex County"]),
            of(row, &["02472", "02151", "", "02155"]),
            format!("42.{}", 228_353_823 + 1_009 * row),
            format!("-72.{}", 562_950_562 + 1_013 * row),
            format!("{}.08", 270_000 + 1_237 * row),
            format!("{}.5", 3 + 211 * row),
        ];
        text.push_str(&(cells.join(",") + "\n"));
    }
    place.file("patients.csv", &text);
    masked_by_the_shipped_rules(&place, &place.path("patients.csv"));
}

/// Masks a table of patients by the shipped rules; nothing that these hide is in what comes out.
/// Gives the report.
fn masked_by_the_shipped_rules(place: &Place, patients: &Path) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules = root.join("examples/mask-patients-full/rules.toml");
    let schema = root.join("../datasets/schemas/patients-full.toml");
    let line = format!(
        "mask {} --rules {} --schema {} --key key --out masked.csv --json",
        patients.display(),
        rules.display(),
        schema.display()
    );
    let mut told: Value = serde_json::from_str(&place.ok(&line)).unwrap();
    let (real, masked) = (texts(patients), texts(&place.path("masked.csv")));
    let secret =
        ["Id", "SSN", "DRIVERS", "PASSPORT", "FIRST", "LAST", "MAIDEN", "ADDRESS", "LAT", "LON"];
    nothing_shows(&real, &masked, &secret);
    // Cell by cell as well: no cell of the output is a value of a column that was to be hidden.
    let hidden: BTreeSet<String> = secret
        .iter()
        .chain(&["CITY", "BIRTHPLACE", "BIRTHDATE", "DEATHDATE", "COUNTY", "ZIP"])
        .flat_map(|name| column(&real, name))
        .flatten()
        .collect();
    for (name, cells) in &masked {
        let shown = cells.iter().flatten().position(|cell| hidden.contains(cell));
        assert_eq!(shown, None, "{name}");
    }
    // Not a part of a driver's licence either: few digits of it are free.
    for gone in ["DRIVERS", "PREFIX", "DEATHDATE", "ETHNICITY", "ZIP"] {
        assert!(masked.iter().all(|(name, _)| name != gone), "{gone}");
    }
    // Missing stays missing, and what no rule names stays as it is.
    for name in ["MAIDEN", "MARITAL"] {
        let missing = |table| column(table, name).iter().map(Option::is_none).collect::<Vec<_>>();
        assert_eq!(missing(&real), missing(&masked), "{name}");
    }
    for name in ["MARITAL", "GENDER", "STATE"] {
        assert_eq!(column(&real, name), column(&masked, name), "{name}");
    }
    // Every column that says what a person is like, and is in the output, counts.
    let report = told["report"].take();
    let counted = report["groups_after"]["columns"].as_array().unwrap();
    let apart = ["Id", "SSN", "FIRST", "LAST", "MAIDEN", "PASSPORT"];
    for (name, _) in masked.iter().filter(|(name, _)| !name.starts_with("HEALTHCARE")) {
        let counts = counted.iter().any(|column| column == name.as_str());
        assert!(counts != apart.contains(&name.as_str()), "{name}");
    }
    let notes = report["notes"].to_string();
    assert!(notes.contains("pseudonymisation, not anonymity"), "{notes}");
    place.ok("schema check masked.csv --schema masked.schema.toml");
    report
}

const RULES: &str = r#"
quasi_identifiers = ["age", "town"]
k = 4

[[rules]]
columns = ["ssn"]
method = "hash"
digits = 20

[[rules]]
columns = ["name", "maiden"]
method = "fake"
shared = true

[[rules]]
columns = ["phone"]
method = "keep_last"
characters = 2

[[rules]]
columns = ["street"]
method = "drop"

[[rules]]
columns = ["age"]
method = "generalise"
width = 30

[[rules]]
columns = ["town"]
method = "generalise"
hierarchy = "towns.csv"
"#;

fn people() -> String {
    let mut text = String::from("ssn,name,maiden,phone,street,age,town,ill\n");
    for row in 0..240 {
        let name = |row: usize| format!("Name {:03}", (row * 17) % 120);
        let maiden = if row % 3 == 0 { name(row + 5) } else { String::new() };
        let town = ["Aa", "Bb", "Cc", "Dd"][row % 4];
        text.push_str(&format!(
            "999-{:02}-{:04},{},{maiden},0{}555{:03},{row} Long Street,{},{town},{}\n",
            row % 90,
            2_000 + row,
            name(row),
            row % 7 + 1,
            row,
            18 + (row * 37) % 70,
            ["no", "yes"][row % 2],
        ));
    }
    text
}

fn with_people() -> Place {
    let place = place();
    place.file("people.csv", &people());
    place.file("rules.toml", RULES);
    place.file("towns.csv", "town,side\nAa,north\nBb,north\nCc,south\nDd,south\n");
    place.ok("schema infer people.csv --out schema.toml");
    place
}

const MASK: &str = "mask people.csv --rules rules.toml --key key --schema schema.toml";

#[test]
fn invented_people_are_masked_in_csv_and_parquet() {
    let place = with_people();
    let told = place.ok(&format!("{MASK} --out masked.csv"));
    for part in
        ["pseudonymisation, not anonymity", "keep_last", "in groups below 4", "masked.schema.toml"]
    {
        assert!(told.contains(part), "{told}\nshould contain {part:?}");
    }
    let (real, masked) = (texts(&place.path("people.csv")), texts(&place.path("masked.csv")));
    nothing_shows(&real, &masked, &["ssn", "name", "maiden", "phone", "street"]);
    assert_eq!(column(&real, "ill"), column(&masked, "ill"));
    // The same name has the same fake in both columns.
    let fakes = |table| column(table, "name").into_iter().zip(column(table, "maiden"));
    let known: std::collections::HashMap<_, _> =
        column(&real, "name").into_iter().zip(column(&masked, "name")).collect();
    for ((_, real), (_, fake)) in fakes(&real).zip(fakes(&masked)) {
        assert!(real.is_none() == fake.is_none() && (real.is_none() || known[&real] == fake));
    }
    place.ok("schema check masked.csv --schema masked.schema.toml");
    // A Parquet file in, a Parquet file out, the same cells.
    place.ok(&format!("{MASK} --out again.parquet"));
    assert_eq!(texts(&place.path("again.parquet")), masked);
    place.ok(&format!("{MASK} --seed 2 --out other.csv"));
    assert_ne!(column(&texts(&place.path("other.csv")), "name"), column(&masked, "name"));
    assert_eq!(column(&texts(&place.path("other.csv")), "ssn"), column(&masked, "ssn"));
    // What comes out is a table like others.
    place.ok("fit --data masked.csv --schema masked.schema.toml --model independent --out m");
}

#[test]
fn mistakes_are_refused_before_anything_is_written() {
    let place = with_people();
    place.ok(&format!("{MASK} --out masked.csv"));
    place.refuses(&format!("{MASK} --out masked.csv"), 2, &["masked.csv", "--force"]);
    place.ok(&format!("{MASK} --out masked.csv --force"));
    place.refuses(&format!("{MASK} --out masked.txt"), 2, &[".csv or .parquet"]);
    let before = fs::read(place.path("people.csv")).unwrap();
    place.refuses(&format!("{MASK} --out ./people.csv --force"), 2, &["people.csv", "read too"]);
    place.refuses(&format!("{MASK} --out towns.csv --force"), 2, &["towns.csv", "read too"]);
    fs::copy(place.path("schema.toml"), place.path("m.schema.toml")).unwrap();
    let own = MASK.replace("schema.toml", "m.schema.toml");
    place.refuses(&format!("{own} --out m.csv --force"), 2, &["m.schema.toml", "read too"]);
    assert_eq!(fs::read(place.path("people.csv")).unwrap(), before);
    let mask = "mask people.csv --rules rules.toml --out m.csv";
    place.refuses(mask, 2, &["--key", "openssl"]);
    place.refuses(&format!("{mask} --key none"), 3, &["none", "cannot be read"]);
    place.file("short", "short\n");
    place.refuses(&format!("{mask} --key short"), 2, &["short", "5 bytes", "at least 16"]);
    place.file("rules.toml", &RULES.replace("digits", "digts"));
    place.refuses(&format!("{mask} --key key"), 2, &["rules.toml", "rule 1: digts", "`digits`"]);
    place.file("rules.toml", &RULES.replace("\"ssn\"", "\"sn\""));
    place.refuses(&format!("{mask} --key key"), 2, &["rules.toml", "rule 1", "did you mean `ssn`"]);
    place.file("rules.toml", RULES);
    place.file("towns.csv", "town,side\nAa,north\nBb,north\n");
    let parts = ["people.csv", "row 3", "\"town\"", "towns.csv", "help:"];
    place.refuses(&format!("{mask} --key key"), 3, &parts);
    place.file("towns.csv", "town,side\nAa,north\nAa,south\n");
    place.refuses(&format!("{mask} --key key"), 3, &["towns.csv", "\"Aa\"", "twice"]);
    fs::remove_file(place.path("towns.csv")).unwrap();
    place.refuses(&format!("{mask} --key key"), 3, &["towns.csv"]);
}

#[test]
fn what_a_kept_constraint_tells_is_told_and_rules_find_their_files() {
    let place = place();
    let rows: String = (0..90)
        .map(|n| format!("{},{},{},{}\n", n % 50, n % 7, n % 50 + n % 7, ["F", "M"][n % 2]))
        .collect();
    place.file("bills.csv", &format!("lab,drugs,total,sex\n{rows}"));
    place.ok("schema infer bills.csv --out schema.toml");
    let sum =
        "\n[[constraints]]\nrule = \"sum\"\ntotal = \"total\"\nparts = [\"lab\", \"drugs\"]\n";
    place.file("schema.toml", &(fs::read_to_string(place.path("schema.toml")).unwrap() + sum));
    let rules = "[[rules]]\ncolumns = [\"lab\"]\nmethod = \"noise\"\nsd = 5\n";
    place.file("rules.toml", rules);
    let mask = "mask bills.csv --rules rules.toml --schema schema.toml --key key --out";
    let told = place.ok(&format!("{mask} a.csv"));
    assert!(told.contains("Column \"lab\" is masked in vain"), "{told}");
    place.file("rules.toml", &rules.replace("[\"lab\"]", "[\"lab\", \"total\"]"));
    assert!(!place.ok(&format!("{mask} b.csv")).contains("in vain"));
    // Without a quasi-identifier that is left there is nothing to count, and that is said.
    place.file(
        "rules.toml",
        "quasi_identifiers = [\"sex\"]\n[[rules]]\ncolumns = [\"sex\"]\nmethod = \"drop\"\n",
    );
    let told = place.ok(&format!("{mask} c.csv"));
    assert!(told.contains("before: ") && told.contains("after: no quasi-identifier"), "{told}");
    fs::create_dir(place.path("deep")).unwrap();
    let rules =
        "[[rules]]\ncolumns = [\"sex\"]\nmethod = \"generalise\"\nhierarchy = \"sexes.csv\"\n";
    place.file("deep/rules.toml", rules);
    let line = "mask bills.csv --rules deep/rules.toml --out d.csv";
    place.refuses(line, 3, &["deep/rules.toml", "deep/sexes.csv", "the folder of the rules"]);
}
