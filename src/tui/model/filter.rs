//! What a filter asks for: words and fields, all of which a row has to meet.
//!
//! A word matches within one field of a row, never across the border between two columns. What cannot be read matches
//! no row and says why: a filter that was mistyped must not show, and so let be marked, what it was meant to leave out.

pub(super) mod rows;

use crate::human::read;
use crate::snapshot::Mode;
use crate::uv::requirement::Requirement;

/// A filter as it was read.
#[derive(Debug, Default)]
pub(in crate::tui) struct Filter {
    terms: Vec<Term>,
    /// Why it matches nothing, where a part of it could not be read. Not escaped.
    pub trouble: Option<String>,
}

/// One condition.
#[derive(Debug)]
struct Term {
    /// Whether it must not hold.
    not: bool,
    ask: Ask,
}

/// What a condition asks.
#[derive(Debug)]
enum Ask {
    /// A word in any field.
    Word(Word),
    /// A word in the state.
    State(Word),
    /// A package by its name.
    Name(Word),
    /// An environment: the row itself, or one that uses it.
    Environment(Word),
    /// An entry's bucket and id.
    Id(Word),
    /// A link mode.
    Mode(Mode),
    /// Bytes on disk.
    Size(Compare, u64),
    /// Seconds since the last use.
    Age(Compare, u64),
    /// A package in some versions.
    Requirement(Requirement),
}

/// A word, in lower case, and how much of a field it has to be.
#[derive(Debug)]
struct Word {
    text: String,
    /// The field begins with it.
    start: bool,
    /// The field ends with it.
    end: bool,
    /// It stands in names as it is, not spread over them.
    exact: bool,
}

/// How a number has to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Above,
    AtLeast,
    Below,
    AtMost,
    Equal,
}

/// Words that stand in the column of states. A beginning of one is not looked for spread over names: `unused` must not
/// show a used entry whose name happens to have these letters.
const STATES: [&str; 22] = [
    "used",
    "unused",
    "protected",
    "held-elsewhere",
    "unreferenced",
    "ok",
    "broken",
    "no interpreter",
    "live",
    "dangling",
    "foreign",
    "malformed",
    "free",
    "shared",
    "exclusive",
    "remove",
    "relink",
    "repair",
    "leave",
    "kept",
    "stays",
    "trash",
];

impl Filter {
    /// Reads a filter as it was typed.
    pub(in crate::tui) fn read(text: &str) -> Self {
        let mut filter = Self::default();
        for token in tokens(text) {
            match Term::read(&token) {
                Ok(Some(term)) => filter.terms.push(term),
                Ok(None) => {}
                Err(trouble) => filter.trouble = Some(trouble),
            }
        }
        filter
    }

    /// Whether it lets every row through.
    pub(in crate::tui) fn is_empty(&self) -> bool {
        self.terms.is_empty() && self.trouble.is_none()
    }
}

/// The parts of a filter. Spaces around comparisons belong to them, as in `numpy >= 1, < 2`.
fn tokens(text: &str) -> Vec<String> {
    let operator = |character: char| matches!(character, '<' | '>' | '=' | '~');
    let mut tokens: Vec<String> = Vec::new();
    for part in text.split_whitespace() {
        let begins = part.starts_with(operator) || part.starts_with("!=");
        match tokens.last_mut() {
            Some(last) if begins || last.ends_with(operator) || last.ends_with(',') => last.push_str(part),
            _ => tokens.push(part.to_owned()),
        }
    }
    tokens
}

impl Term {
    /// Reads one part; nothing where it asks for nothing yet, as a `!` alone.
    fn read(token: &str) -> Result<Option<Self>, String> {
        let (not, rest) = match token.strip_prefix('!') {
            Some(rest) if !rest.starts_with('=') => (true, rest),
            _ => (false, token),
        };
        Ok(Ask::read(rest)?.map(|ask| Self { not, ask }))
    }
}

impl Ask {
    fn read(text: &str) -> Result<Option<Self>, String> {
        if let Some((field, value)) = text.split_once(':')
            && let Some(ask) = Self::field(&field.to_ascii_lowercase(), value)
        {
            return ask.map(Some);
        }
        if let Some(at) = text.find(['<', '>', '=', '~'])
            && at > 0
        {
            return Self::compared(text, at).map(Some);
        }
        Ok(Word::read(text).map(Self::Word))
    }

    /// Reads `field:value`; nothing where there is no such field.
    fn field(field: &str, value: &str) -> Option<Result<Self, String>> {
        let word = |ask: fn(Word) -> Self| match Word::read(value) {
            Some(word) => Ok(ask(word)),
            None => Err(format!("`{field}:` needs a word behind it")),
        };
        Some(match field {
            "state" => word(Self::State),
            "name" => word(Self::Name),
            "env" => word(Self::Environment),
            "id" => word(Self::Id),
            "mode" => {
                let wanted = value.to_lowercase();
                let mode =
                    Mode::ALL.into_iter().find(|mode| !wanted.is_empty() && mode.word().starts_with(&wanted));
                mode.map(Self::Mode).ok_or_else(|| {
                    format!("`{value}` is no link mode; write clone, hardlink, symlink or copy")
                })
            }
            _ => return None,
        })
    }

    /// Reads `size>50M`, `age>30d`, or a requirement.
    fn compared(text: &str, at: usize) -> Result<Self, String> {
        // `!=` begins before its `=`.
        let at = if text[..at].ends_with('!') { at - 1 } else { at };
        let (name, rest) = text.split_at(at);
        let lower = name.to_ascii_lowercase();
        if matches!(lower.as_str(), "size" | "age") {
            let (compare, value) = Compare::read(rest).ok_or_else(|| format!("`{rest}` is no comparison"))?;
            return Ok(if lower == "size" {
                Self::Size(compare, read::bytes(value).map_err(|why| format!("`{text}`: {why}"))?)
            } else {
                Self::Age(compare, read::seconds(value).map_err(|why| format!("`{text}`: {why}"))?)
            });
        }
        Requirement::read(text).map(Self::Requirement)
    }
}

impl Word {
    /// Reads a word, with `^` before it for a beginning, `$` behind it for an end, `'` before it for as it is.
    fn read(text: &str) -> Option<Self> {
        let (exact, text) = text.strip_prefix('\'').map_or((false, text), |rest| (true, rest));
        let (start, text) = text.strip_prefix('^').map_or((false, text), |rest| (true, rest));
        let (end, text) = text.strip_suffix('$').map_or((false, text), |rest| (true, rest));
        (!text.is_empty()).then(|| Self { text: text.to_lowercase(), start, end, exact })
    }

    /// Whether it stands in a field, which is in lower case.
    fn within(&self, field: &str) -> bool {
        match (self.start, self.end) {
            (true, true) => field == self.text,
            (true, false) => field.starts_with(&self.text),
            (false, true) => field.ends_with(&self.text),
            (false, false) => field.contains(&self.text),
        }
    }

    /// Whether it stands in a state. A whole state means that one alone: `used` is not in `unused`.
    fn within_state(&self, state: &str) -> bool {
        if STATES.contains(&self.text.as_str()) { state == self.text } else { self.within(state) }
    }

    /// Whether its letters may be spread over a name.
    fn is_fuzzy(&self) -> bool {
        let state = self.text.len() > 2 && STATES.iter().any(|state| state.contains(&self.text));
        !(self.exact || self.start || self.end || state)
    }
}

impl Compare {
    /// Reads a comparison from the beginning of a text, and what stands behind it.
    fn read(text: &str) -> Option<(Self, &str)> {
        let signs = [
            (">=", Self::AtLeast),
            ("<=", Self::AtMost),
            ("==", Self::Equal),
            (">", Self::Above),
            ("<", Self::Below),
            ("=", Self::Equal),
        ];
        signs.into_iter().find_map(|(sign, compare)| Some((compare, text.strip_prefix(sign)?)))
    }

    fn holds(self, value: u64, limit: u64) -> bool {
        match self {
            Self::Above => value > limit,
            Self::AtLeast => value >= limit,
            Self::Below => value < limit,
            Self::AtMost => value <= limit,
            Self::Equal => value == limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(text: &str) -> String {
        Filter::read(text).trouble.unwrap_or_default()
    }

    #[test]
    fn a_part_that_cannot_be_read_is_named() {
        assert!(trouble("size>5x").contains("`size>5x`: `x` is no unit"));
        assert!(trouble("size>").contains("a size is a number"));
        assert!(trouble("age>6m").contains("minutes or months"));
        assert!(trouble("mode:hard").is_empty());
        assert!(trouble("mode:x").contains("no link mode"));
        assert!(trouble("state:").contains("needs a word"));
        assert!(trouble("numpy<<2").contains("no requirement"));
        assert!(trouble("numpy<").contains("no requirement"));
    }

    #[test]
    fn spaces_around_comparisons_belong_to_them() {
        assert_eq!(tokens("numpy >= 1, < 2 unused"), ["numpy>=1,<2", "unused"]);
        assert_eq!(tokens("size > 50M !torch"), ["size>50M", "!torch"]);
        assert_eq!(tokens("numpy != 2"), ["numpy!=2"]);
        assert!(Filter::read("  ").is_empty() && Filter::read("!").is_empty());
    }

    #[test]
    fn a_drive_or_another_colon_is_an_ordinary_word() {
        let filter = Filter::read(r"C:\work");
        assert!(filter.trouble.is_none() && matches!(filter.terms[0].ask, Ask::Word(_)));
    }

    #[test]
    fn a_whole_state_means_that_state_alone_and_its_letters_are_not_spread_over_names() {
        let word = Word::read("used").unwrap();
        assert!(word.within_state("used") && !word.within_state("unused") && !word.is_fuzzy());
        let word = Word::read("unus").unwrap();
        assert!(word.within_state("unused") && !word.is_fuzzy());
        assert!(Word::read("nmpy").unwrap().is_fuzzy());
    }
}
