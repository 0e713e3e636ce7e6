//! The README says what the program does.

use std::fmt::Write as _;
use std::path::Path;

use cachetui::tui::Keymap;

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

fn keys() -> String {
    let mut table = String::from("| keys | |\n| --- | --- |\n");
    let keymap = Keymap::default();
    for binding in keymap.bindings() {
        let keys = binding.shown().replace('|', "\\|");
        if !keys.is_empty() {
            writeln!(table, "| `{keys}` | {} |", binding.about).unwrap();
        }
    }
    table
}

/// `UPDATE_README=1 cargo test readme` writes the table instead of comparing it.
#[test]
fn the_table_of_keys_is_made_from_the_keymap() {
    let text = readme();
    let (before, rest) = text.split_once("a test compares them -->\n").unwrap();
    let (table, after) = rest.split_once("<!-- /keys -->").unwrap();
    if std::env::var_os("UPDATE_README").is_some() {
        let new = format!("{before}a test compares them -->\n{}<!-- /keys -->{after}", keys());
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"), new).unwrap();
    } else {
        assert_eq!(table, keys(), "run `UPDATE_README=1 cargo test readme`");
    }
}

#[test]
fn it_names_two_commands_for_a_fresh_machine() {
    let text = readme();
    assert!(text.contains("$ cargo run --release -- demo\n"));
    assert!(text.contains("$ cargo test\n"));
}
