//! Keys as they are written in the keymap, pressed, and shown in the help.
//!
//! Shift is no modifier here: a shifted letter arrives as another character, and shifted Tab as a key of its own, in
//! every terminal alike.

use std::fmt;
use std::str::FromStr;

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The key itself.
    pub code: Code,
    /// Whether Ctrl is held.
    pub ctrl: bool,
    /// Whether Alt is held.
    pub alt: bool,
}

/// A key without its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A key that writes a character.
    Char(char),
    /// Enter.
    Enter,
    /// Escape.
    Esc,
    /// Backspace.
    Backspace,
    /// Tab.
    Tab,
    /// Tab with Shift.
    BackTab,
    /// Up.
    Up,
    /// Down.
    Down,
    /// Left.
    Left,
    /// Right.
    Right,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Insert.
    Insert,
    /// Delete.
    Delete,
    /// A function key.
    F(u8),
}

/// The names of the keys that write no character of their own, in the keymap and in the help.
const NAMES: [(&str, &str, Code); 16] = [
    ("enter", "Enter", Code::Enter),
    ("esc", "Esc", Code::Esc),
    ("backspace", "Backspace", Code::Backspace),
    ("tab", "Tab", Code::Tab),
    ("backtab", "Shift-Tab", Code::BackTab),
    ("up", "↑", Code::Up),
    ("down", "↓", Code::Down),
    ("left", "←", Code::Left),
    ("right", "→", Code::Right),
    ("home", "Home", Code::Home),
    ("end", "End", Code::End),
    ("pageup", "PgUp", Code::PageUp),
    ("pagedown", "PgDn", Code::PageDown),
    ("insert", "Ins", Code::Insert),
    ("delete", "Del", Code::Delete),
    ("space", "Space", Code::Char(' ')),
];

/// A key's name that means no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a key; write a character, or a name as `ctrl-u`, `space` or `f5`")]
pub struct UnknownKey {
    name: String,
}

impl Key {
    /// A key without modifiers.
    pub fn plain(code: Code) -> Self {
        Self { code, ctrl: false, alt: false }
    }

    /// A character with Ctrl held.
    pub fn ctrl(character: char) -> Self {
        Self { code: Code::Char(character), ctrl: true, alt: false }
    }

    /// The character it writes, when it writes one.
    pub(super) fn character(self) -> Option<char> {
        match self.code {
            Code::Char(character) if !self.ctrl && !self.alt => Some(character),
            _ => None,
        }
    }

    /// Its name in the keymap: what [`FromStr`] reads.
    pub fn name(self) -> String {
        let key = match self.code {
            Code::F(number) => format!("f{number}"),
            code => match (NAMES.iter().find(|(_, _, named)| *named == code), code) {
                (Some((name, _, _)), _) => (*name).to_owned(),
                (None, Code::Char(character)) => character.to_string(),
                (None, _) => unreachable!("every key without a character has a name"),
            },
        };
        format!("{}{}{key}", if self.ctrl { "ctrl-" } else { "" }, if self.alt { "alt-" } else { "" })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            formatter.write_str("Ctrl-")?;
        }
        if self.alt {
            formatter.write_str("Alt-")?;
        }
        match self.code {
            Code::F(number) => write!(formatter, "F{number}"),
            code => match (NAMES.iter().find(|(_, _, named)| *named == code), code) {
                (Some((_, shown, _)), _) => formatter.write_str(shown),
                (None, Code::Char(character)) => {
                    formatter.write_str(&crate::human::escape(&character.to_string()))
                }
                (None, _) => Ok(()),
            },
        }
    }
}

impl FromStr for Key {
    type Err = UnknownKey;

    fn from_str(name: &str) -> Result<Self, UnknownKey> {
        let mut key = Self::plain(Code::Esc);
        let mut rest = name;
        loop {
            if let Some(after) = rest.strip_prefix("ctrl-").filter(|after| !after.is_empty()) {
                (key.ctrl, rest) = (true, after);
            } else if let Some(after) = rest.strip_prefix("alt-").filter(|after| !after.is_empty()) {
                (key.alt, rest) = (true, after);
            } else {
                break;
            }
        }
        let mut characters = rest.chars();
        key.code = match (characters.next(), characters.next()) {
            (Some(character), None) if character != ' ' => Code::Char(character),
            _ => NAMES
                .iter()
                .find(|(known, _, _)| *known == rest)
                .map(|(_, _, code)| *code)
                .or_else(|| {
                    rest.strip_prefix('f')?
                        .parse()
                        .ok()
                        .filter(|number| (1..=24).contains(number))
                        .map(Code::F)
                })
                .ok_or_else(|| UnknownKey { name: name.to_owned() })?,
        };
        Ok(key)
    }
}

/// Reads keys that are pressed one after the other, with spaces between them, as `g g`.
pub(super) fn sequence(text: &str) -> Result<Vec<Key>, UnknownKey> {
    let keys: Vec<Key> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    if keys.is_empty() { Err(UnknownKey { name: text.to_owned() }) } else { Ok(keys) }
}

/// Writes keys that are pressed one after the other, as people do: `gg`, `Ctrl-x s`.
pub(super) fn show_sequence(keys: &[Key]) -> String {
    let short = keys.iter().all(|key| key.character().is_some_and(|character| character != ' '));
    let shown: Vec<String> = keys.iter().map(ToString::to_string).collect();
    shown.join(if short { "" } else { " " })
}
