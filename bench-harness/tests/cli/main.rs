//! The real program on temporary folders, command by command.

mod bench;
mod checkpoints;
mod commands;
mod datasets;
mod evaluate;
mod fit;
mod folders;
mod models;
mod place;

fn people(rows: usize) -> String {
    let mut text = String::from("age,sex,town,ill\n");
    for row in 0..rows {
        let age = 18 + (row * 37) % 70;
        let sex = ["F", "M"][row % 2];
        let town = ["Aa", "Bb", "Cc"][(row / 3) % 3];
        let ill = ["no", "yes"][usize::from(age > 55)];
        text.push_str(&format!("{age},{sex},{town},{ill}\n"));
    }
    text
}

const SCHEMA: &str = r#"
[[columns]]
name = "age"
kind = "number"
decimals = 0

[[columns]]
name = "sex"
kind = "category"
levels = ["F", "M"]
"#;

/// A network of a few seconds.
const TINY_FIT: &str = "--set min_updates=20 --set epochs=1 --set batch_size=100 \
    --set generator_dim=[32,32] --set discriminator_dim=[32,32] --set embedding_dim=16";

const BENCH: &str = "bench --datasets clinic --models copy,independent --rows 200 --offline";
