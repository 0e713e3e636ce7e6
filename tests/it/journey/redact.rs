//! Takes out of a frame what depends on the machine: sizes on disk, bars, free space, durations.

/// Signs that only draw a size.
const BARS: &[char] = &['█', '▉', '▊', '▋', '▌', '▍', '▎', '▏'];
const UNITS: &[&str] = &["B", "KiB", "MiB", "GiB", "TiB"];

/// A frame without what depends on the machine. Columns no longer stand below each other.
pub(super) fn frame(text: &str) -> String {
    let mut redacted = String::new();
    let empty = |line: &str| line.trim_matches([' ', '│']).is_empty();
    for line in text.lines().filter(|line| !empty(line)) {
        redacted.push_str(&words(line));
        redacted.push('\n');
    }
    redacted
}

fn words(line: &str) -> String {
    let line = line.replace(BARS, " ").replace("at least ", "").replace('≥', "");
    let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    let mut kept: Vec<String> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let number = words[at].parse::<f64>().is_ok();
        let unit = words.get(at + 1).copied().unwrap_or_default();
        let bare = unit.trim_end_matches([',', ':', ';', '.']);
        if number && UNITS.contains(&bare) {
            kept.push(format!("<size>{}", &unit[bare.len()..]));
            at += 2;
        } else if number && matches!(bare, "ms" | "s") {
            kept.push("<time>".to_owned());
            at += 2;
        } else {
            kept.push(words[at].to_owned());
            at += 1;
        }
    }
    // What is left of a border says nothing.
    let rule =
        |word: &String| word.chars().count() > 3 && word.trim_matches(['─', '╭', '╮', '╰', '╯']).is_empty();
    kept.retain(|word| !rule(word));
    kept.join(" ")
}
