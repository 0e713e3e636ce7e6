//! Text that knows its roles, and text that fits: widths are in cells, never in bytes or characters.
//!
//! Whatever comes from outside has passed `human::escape` before it is put into a [`Piece`].

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::theme::Role;

/// A run of text in one role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    /// The text, escaped.
    pub text: String,
    /// What it is.
    pub role: Role,
}

/// One line of a screen, as pieces from left to right.
pub(super) type Line = Vec<Piece>;

/// Makes a piece.
pub(super) fn piece(text: impl Into<String>, role: Role) -> Piece {
    Piece { text: text.into(), role }
}

/// The width of text, in cells.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The width of a line, in cells.
pub(super) fn line_width(line: &[Piece]) -> usize {
    line.iter().map(|piece| width(&piece.text)).sum()
}

/// The longest beginning of `text` that fits into `cells`.
fn beginning(text: &str, cells: usize) -> &str {
    let mut used = 0;
    for (start, character) in text.char_indices() {
        used += character.width().unwrap_or(0);
        if used > cells {
            return &text[..start];
        }
    }
    text
}

/// The longest end of `text` that fits into `cells`.
fn ending(text: &str, cells: usize) -> &str {
    let mut used = 0;
    for (start, character) in text.char_indices().rev() {
        used += character.width().unwrap_or(0);
        if used > cells {
            return &text[start + character.len_utf8()..];
        }
    }
    text
}

/// Shortens text at its end to at most `cells`.
pub(super) fn clip(text: &str, cells: usize, ellipsis: &str) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let room = cells.saturating_sub(width(ellipsis));
    format!("{}{}", beginning(text, room), beginning(ellipsis, cells))
}

/// Shortens text in its middle to at most `cells`, keeping more of the end, which tells paths apart.
pub(super) fn clip_middle(text: &str, cells: usize, ellipsis: &str) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let room = cells.saturating_sub(width(ellipsis));
    if room < 2 {
        return clip(text, cells, ellipsis);
    }
    let head = beginning(text, room * 2 / 5);
    format!("{head}{ellipsis}{}", ending(text, room - width(head)))
}

/// Shortens a line to at most `cells`.
pub(super) fn clip_line(line: Line, cells: usize, ellipsis: &str) -> Line {
    if line_width(&line) <= cells {
        return line;
    }
    let mut clipped = Line::new();
    let mut left = cells;
    for piece in line {
        let wide = width(&piece.text);
        if wide >= left {
            let text = clip(&format!("{} ", piece.text), left, ellipsis);
            clipped.push(Piece { text, role: piece.role });
            break;
        }
        left -= wide;
        clipped.push(piece);
    }
    clipped
}

/// Where a word that is too long is broken: behind the last separator of a path in the half that fits, else at its end.
fn breaking(head: &str) -> &str {
    match head.rfind(['/', '\\']) {
        Some(at) if at + 1 >= head.len() / 2 => &head[..=at],
        _ => head,
    }
}

/// Breaks text at spaces into lines of at most `cells`; a longer word is broken where it must be.
pub(super) fn wrap(text: &str, cells: usize) -> Vec<String> {
    let cells = cells.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && width(&line) + 1 + width(word) > cells {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        let mut rest = word;
        while width(rest) > cells - width(&line).min(cells) {
            let head = breaking(beginning(rest, cells - width(&line)));
            if head.is_empty() && line.is_empty() {
                break;
            }
            line.push_str(head);
            rest = &rest[head.len()..];
            lines.push(std::mem::take(&mut line));
        }
        line.push_str(rest);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Fills text up to `cells` with spaces behind it.
pub(super) fn pad(text: &str, cells: usize) -> String {
    format!("{text}{}", " ".repeat(cells.saturating_sub(width(text))))
}

/// Fills text up to `cells` with spaces before it.
pub(super) fn pad_left(text: &str, cells: usize) -> String {
    format!("{}{text}", " ".repeat(cells.saturating_sub(width(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shortened_in_their_middle_and_keep_their_end() {
        assert_eq!(clip_middle("~/work/clients/reports/.venv", 16, "…"), "~/work…rts/.venv");
        assert_eq!(clip_middle("short", 16, "…"), "short");
        assert_eq!(clip_middle("anything", 0, "…"), "");
    }

    #[test]
    fn shortened_text_never_splits_a_wide_character() {
        assert_eq!(clip("日本語テキスト", 6, "…"), "日本…");
        assert_eq!(width(&clip_middle("日本語テキスト", 6, "…")), 5);
    }

    #[test]
    fn words_are_wrapped_and_long_words_broken() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij xy", 4), ["abcd", "efgh", "ij", "xy"]);
        assert_eq!(wrap("日本", 1), ["日本"]);
        assert_eq!(wrap("wheels/pypi/numpy/1.0-py3", 18), ["wheels/pypi/numpy/", "1.0-py3"]);
        assert_eq!(wrap("", 5), [""]);
    }
}
