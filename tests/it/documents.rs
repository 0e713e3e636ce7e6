//! The README and the pages of `docs/` say what the program does.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cachetui::cli::args::Arguments;
use cachetui::tui::Keymap;
use clap::Parser as _;

/// The page that has the table of keys.
const KEYS: &str = "docs/interface.md";

/// How long the README may be.
const WORDS: usize = 1_200;

/// Words that the pages do not use, because a plainer one says the same.
const UNUSED: [&str; 14] = [
    "somebody",
    "nobody",
    "anybody",
    "whoever",
    "anew",
    "mend",
    "mends",
    "mended",
    "leads nowhere",
    "lead nowhere",
    "gives back",
    "give back",
    "led to by",
    "told of",
];

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(page: &str) -> String {
    std::fs::read_to_string(top().join(page)).unwrap()
}

/// The README and all pages, by their paths.
fn pages() -> Vec<String> {
    let docs = std::fs::read_dir(top().join("docs")).unwrap();
    let names = docs.map(|item| item.unwrap().file_name().into_string().unwrap());
    let markdown = names.filter(|name| Path::new(name).extension().is_some_and(|it| it == "md"));
    let mut pages: Vec<String> = markdown.map(|name| format!("docs/{name}")).collect();
    pages.push("README.md".to_owned());
    pages.sort();
    pages
}

/// The commands that a page shows, without their comments.
fn commands(page: &str) -> Vec<String> {
    let text = read(page);
    let lines = text.lines().filter_map(|line| line.strip_prefix("$ "));
    lines.map(|line| line.split(" # ").next().unwrap_or(line).trim().to_owned()).collect()
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

/// `UPDATE_DOCS=1 cargo test documents` writes the table instead of comparing it.
#[test]
fn the_table_of_keys_is_made_from_the_keymap() {
    let text = read(KEYS);
    let (before, rest) = text.split_once("a test compares them -->\n").unwrap();
    let (table, after) = rest.split_once("<!-- /keys -->").unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let new = format!("{before}a test compares them -->\n{}<!-- /keys -->{after}", keys());
        std::fs::write(top().join(KEYS), new).unwrap();
    } else {
        assert_eq!(table, keys(), "run `UPDATE_DOCS=1 cargo test documents`");
    }
}

#[test]
fn the_readme_names_two_commands_for_a_fresh_machine_and_is_short() {
    let text = read("README.md");
    assert!(text.contains("$ cargo run --release -- demo\n"));
    assert!(text.contains("$ cargo test\n"));
    let words = text.split_whitespace().count();
    assert!(words < WORDS, "{words} words");
}

#[test]
fn every_command_that_a_page_shows_is_one_that_the_program_takes() {
    let mut seen = 0;
    for page in pages() {
        for line in commands(&page) {
            let alone = line.split(" | ").next().unwrap_or(&line);
            // No word of these has a space in it.
            let words: Vec<&str> = alone.split_whitespace().map(|word| word.trim_matches('\'')).collect();
            if words.first() != Some(&"cachetui") {
                continue;
            }
            seen += 1;
            let taken = Arguments::try_parse_from(&words);
            assert!(taken.is_ok(), "{page}: `{line}`: {}", taken.err().unwrap());
        }
    }
    assert!(seen >= 20, "{seen} commands");
}

/// The same for commands within sentences, where all of one is shown.
#[test]
fn every_command_within_a_sentence_is_one_that_the_program_takes() {
    let stands_for = [
        ("ENV", "app"),
        ("FILE", "plan"),
        ("NAME==VERSION", "six==1.16.0"),
        ("NAME", "six"),
        ("DIR", "code"),
        ("RUN", "20260101T000000Z"),
        ("CACHE", "other"),
    ];
    for page in pages() {
        let text = read(&page).replace('\n', " ");
        for quoted in text.split('`').skip(1).step_by(2) {
            let is_pattern =
                quoted.contains(['…', '[', '|']) || quoted.contains("MODE") || quoted.contains("COMMAND");
            if !quoted.starts_with("cachetui ") || is_pattern {
                continue;
            }
            let words = quoted.split_whitespace();
            let filled = words.map(|word| {
                stands_for.iter().find(|(name, _)| *name == word).map_or(word, |(_, value)| *value)
            });
            let taken = Arguments::try_parse_from(filled);
            assert!(taken.is_ok(), "{page}: `{quoted}`: {}", taken.err().unwrap());
        }
    }
}

/// The headings of a page, as links name them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let name = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        name.chars().filter(|it| it.is_alphanumeric() || *it == '-').collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_to_a_page_and_a_heading_that_are_there() {
    for page in pages() {
        let text = read(&page);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("https://") {
                continue;
            }
            let (name, heading) = link.split_once('#').unwrap_or((link, ""));
            let beside = Path::new(&page).parent().unwrap_or(Path::new(""));
            let path: PathBuf = if name.is_empty() { page.clone().into() } else { beside.join(name) };
            assert!(top().join(&path).is_file(), "{page}: {link}");
            let known = heading.is_empty() || anchors(&read(path.to_str().unwrap())).contains(heading);
            assert!(known, "{page}: {link}");
        }
    }
}

#[test]
fn the_pages_use_plain_words() {
    for page in pages() {
        let text = read(&page).to_lowercase().replace('\n', " ");

        for word in UNUSED {
            let found = text.match_indices(word).any(|(at, _)| {
                let before = text[..at].chars().next_back();
                let after = text[at + word.len()..].chars().next();
                !before.is_some_and(char::is_alphabetic) && !after.is_some_and(char::is_alphabetic)
            });
            assert!(!found, "{page}: {word}");
        }
    }
}

/// The text of the string literals of a source, without its tests; and, of the command line's arguments, of the doc comments, which
/// are the help.
fn literals(path: &Path) -> Vec<String> {
    let source = std::fs::read_to_string(path).unwrap();
    let tests = source.find("\nmod tests {").unwrap_or(source.len());
    let source = &source[..tests];
    let mut found = Vec::new();
    if path.to_str().unwrap().contains("cli/args") {
        found.extend(
            source.lines().filter_map(|line| Some(line.trim_start().strip_prefix("///")?.to_owned())),
        );
    }
    let bytes = source.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &source[at..];
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("r\"") || rest.starts_with("r#\"") {
            let open = rest.find('"').unwrap() + 1;
            let end = if open == 2 { "\"" } else { "\"#" };
            let length = rest[open..].find(end).unwrap();
            found.push(rest[open..open + length].to_owned());
            at += open + length + end.len();
        } else if let Some(text) = rest.strip_prefix('"') {
            let mut escaped = false;
            let is_end = |character: char| {
                let ends = character == '"' && !escaped;
                escaped = character == '\\' && !escaped;
                ends
            };
            let length = text.find(is_end).unwrap();
            // Lines that go on in the next one.
            let words: Vec<&str> = text[..length].split_whitespace().filter(|word| *word != "\\").collect();
            found.push(words.join(" "));
            at += length + 2;
        } else if let Some(length) = character(rest) {
            at += length;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    found
}

/// The length of a character literal, which may be a quotation mark.
fn character(rest: &str) -> Option<usize> {
    let mut characters = rest.strip_prefix('\'')?.char_indices();
    let (_, first) = characters.next()?;
    if first == '\\' {
        return Some(rest[3..].find('\'')? + 4);
    }
    characters.next().filter(|(_, next)| *next == '\'').map(|(at, _)| at + 2)
}

/// What the program says keeps to plain words, on the screen, on the command line and in the help.
#[test]
fn the_program_speaks_plainly() {
    let sources = walkdir::WalkDir::new(top().join("src")).into_iter().map(Result::unwrap);
    let sources = sources.filter(|item| item.path().extension().is_some_and(|it| it == "rs"));
    let mut all: Vec<(String, String)> = Vec::new();
    for source in sources {
        let path = source.path().strip_prefix(top()).unwrap().display().to_string();
        all.extend(literals(source.path()).into_iter().map(|text| (path.clone(), text)));
    }
    assert!(all.len() > 3_000, "{}", all.len());
    all.extend(
        read("assets/keymap.toml").lines().map(|line| ("assets/keymap.toml".to_owned(), line.to_owned())),
    );
    let mut odd = Vec::new();
    for (path, text) in all {
        let words: Vec<String> = text
            .to_lowercase()
            .split(|it: char| !it.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        let plain = format!(" {} ", words.join(" "));
        odd.extend(
            UNUSED
                .iter()
                .filter(|word| plain.contains(&format!(" {word} ")))
                .map(|word| format!("{path}: `{word}` in {text:?}")),
        );
    }
    assert!(odd.is_empty(), "{odd:#?}");
}
