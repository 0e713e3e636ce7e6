//! What the program tells on this system, as it is told on Unix: expectations are written once.

/// Text with the separators of Unix.
///
/// A character that is shown escaped (`\x1b`, `\u{202e}`), also where it was cut off, keeps its backslash.
pub(crate) fn told(text: &str) -> String {
    if cfg!(unix) {
        return text.to_owned();
    }
    let mut read = String::new();
    for (at, character) in text.char_indices() {
        let rest = &text[at + character.len_utf8()..];
        let shows = character == '\\' && !is_escape(rest);
        read.push(if shows { '/' } else { character });
    }
    read
}

fn is_escape(rest: &str) -> bool {
    let mut digits = rest.chars().skip(1).map(|it| it.is_ascii_hexdigit() || it == '…');
    match rest.chars().next() {
        Some('x') => digits.next() == Some(true),
        Some('u') => ["u{", "u…"].iter().any(|start| rest.starts_with(start)),
        _ => false,
    }
}
