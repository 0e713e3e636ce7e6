//! The colours: a style for every role, read from `assets/theme.toml` and changed by the user's configuration.
//!
//! Only the 16 named colours of the terminal's own palette are used, and `reset` for text, so that the interface looks
//! at home on any background. Nothing is told by colour alone.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;
use serde::de::value::{Error, StrDeserializer};

use crate::say::Tone;

/// The themes that the program brings.
const BUILT_IN: &str = include_str!("../../assets/theme.toml");

/// What a piece of the screen is, so that a theme can say how it looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "the names say what they are for, and the theme file shows each in its place"
)]
pub enum Role {
    #[default]
    Text,
    Dim,
    Strong,
    Title,
    Border,
    BorderFocused,
    Tab,
    TabActive,
    Column,
    ColumnSorted,
    Cursor,
    CursorUnfocused,
    Mark,
    Match,
    Bar,
    Clone,
    Hardlink,
    Symlink,
    Copy,
    Unknown,
    Used,
    Protected,
    Held,
    Unused,
    Unreferenced,
    Good,
    Warning,
    Error,
    Key,
    KeyDisabled,
    Progress,
}

impl From<Tone> for Role {
    fn from(tone: Tone) -> Self {
        match tone {
            Tone::Good => Self::Good,
            Tone::Notice => Self::Warning,
            Tone::Bad => Self::Error,
        }
    }
}

/// A style for every role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    styles: BTreeMap<Role, Style>,
}

/// Why a theme cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// The text is not a theme.
    #[error("Failed to read the theme")]
    Syntax(#[from] toml::de::Error),
    /// A role is not one.
    #[error("Failed to read the theme: there is no role `{0}`")]
    Role(String),
    /// A style is not one.
    #[error(
        "Failed to read the theme: `{word}` in the style of `{role}` is neither a colour nor an attribute"
    )]
    Style {
        /// The role whose style is wrong.
        role: String,
        /// The word that means nothing.
        word: String,
    },
}

impl Theme {
    /// The theme for dark backgrounds.
    pub fn dark() -> Self {
        Self::built_in("dark")
    }

    /// The theme for light backgrounds.
    pub fn light() -> Self {
        Self::built_in("light")
    }

    /// The theme without any colour, for `NO_COLOR` and its kin.
    pub fn mono() -> Self {
        Self::built_in("mono")
    }

    fn built_in(name: &str) -> Self {
        let themes: BTreeMap<String, BTreeMap<String, String>> =
            toml::from_str(BUILT_IN).expect("the built-in themes are valid, which a test checks");
        let mut theme = Self { styles: BTreeMap::new() };
        theme.change(&themes[name]).expect("the built-in themes are valid, which a test checks");
        theme
    }

    /// This theme with the user's changes: TOML with one line per role, as `mark = "yellow bold"`.
    pub fn with_overrides(mut self, text: &str) -> Result<Self, ThemeError> {
        self.change(&toml::from_str(text)?)?;
        Ok(self)
    }

    fn change(&mut self, roles: &BTreeMap<String, String>) -> Result<(), ThemeError> {
        for (role, style) in roles {
            let known = Role::deserialize(StrDeserializer::<Error>::new(role))
                .map_err(|_| ThemeError::Role(role.clone()))?;
            let style = parse(style)
                .map_err(|word| ThemeError::Style { role: role.clone(), word: word.to_owned() })?;
            self.styles.insert(known, style);
        }
        Ok(())
    }

    /// The style of a role; a role that the theme does not name looks like the terminal's own text.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(&role).copied().unwrap_or_default()
    }

    /// The roles that have a style.
    pub fn roles(&self) -> impl Iterator<Item = Role> {
        self.styles.keys().copied()
    }
}

/// Reads a style, or gives back the word that means nothing.
fn parse(text: &str) -> Result<Style, &str> {
    let mut style = Style::default();
    let mut background = false;
    for word in text.split_whitespace() {
        if let Some(color) = color(word) {
            style = if background { style.bg(color) } else { style.fg(color) };
            background = false;
            continue;
        }
        style = match word {
            "on" => {
                background = true;
                continue;
            }
            "bold" => style.add_modifier(Modifier::BOLD),
            "dim" => style.add_modifier(Modifier::DIM),
            "italic" => style.add_modifier(Modifier::ITALIC),
            "underlined" => style.add_modifier(Modifier::UNDERLINED),
            "reversed" => style.add_modifier(Modifier::REVERSED),
            _ => return Err(word),
        };
    }
    Ok(style)
}

fn color(word: &str) -> Option<Color> {
    Some(match word {
        "reset" => Color::Reset,
        "black" => Color::Black,
        "red" => Color::Red,
        "green" => Color::Green,
        "yellow" => Color::Yellow,
        "blue" => Color::Blue,
        "magenta" => Color::Magenta,
        "cyan" => Color::Cyan,
        "gray" => Color::Gray,
        "dark-gray" => Color::DarkGray,
        "light-red" => Color::LightRed,
        "light-green" => Color::LightGreen,
        "light-yellow" => Color::LightYellow,
        "light-blue" => Color::LightBlue,
        "light-magenta" => Color::LightMagenta,
        "light-cyan" => Color::LightCyan,
        "white" => Color::White,
        _ => return None,
    })
}
