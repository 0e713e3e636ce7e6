//! Commands that a person can run.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::human;

/// A command: a beginning, and what it is about. Two with the same beginning are one command about both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    start: Vec<String>,
    about: Vec<String>,
}

impl Command {
    /// A command.
    pub(in crate::plan) fn new<'a>(start: impl IntoIterator<Item = &'a str>, about: Vec<String>) -> Self {
        Self { start: start.into_iter().map(str::to_owned).collect(), about }
    }

    /// Takes another command over, if it begins alike; gives it back if not. What came from somewhere of its own has a
    /// command of its own: that place may be gone, and uv installs all or nothing. So has what came from a place that has to be
    /// filled in, which may be another one each time.
    pub fn join(&mut self, other: Self) -> Option<Self> {
        let of_its_own = |it: &Self| it.about.iter().any(|word| word == "--editable" || word.contains(" @ "));
        let has_blank = self.start.iter().any(|word| word.contains('<'));
        if self.start != other.start
            || has_blank
            || self.about.is_empty()
            || of_its_own(self)
            || of_its_own(&other)
        {
            return (*self != other).then_some(other);
        }
        for word in other.about {
            if !self.about.contains(&word) {
                self.about.push(word);
            }
        }
        None
    }

    /// Its words.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.start.iter().chain(&self.about).map(String::as_str)
    }

    /// The command for a shell of this system. Not escaped.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for word in self.words() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&human::shell_word(word));
        }
        text
    }
}

impl Serialize for Command {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.words())
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { start: Vec::deserialize(deserializer)?, about: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_with_the_same_beginning_are_one_about_both_and_words_are_quoted_for_a_shell() {
        let clean = |name: &str| Command::new(["uv", "cache", "clean"], vec![name.to_owned()]);
        let mut command = clean("a");
        assert_eq!(command.join(clean("b")), None);
        assert_eq!(command.join(clean("a")), None);
        assert_eq!(command.text(), "uv cache clean a b");
        let other = Command::new(["uv", "sync"], Vec::new());
        assert_eq!(command.join(other.clone()), Some(other));
        let quoted = Command::new(["x"], vec!["a @ b".to_owned(), "it's".to_owned(), String::new()]);
        let expected = if cfg!(windows) { r#"x "a @ b" "it's" """# } else { r"x 'a @ b' 'it'\''s' ''" };
        assert_eq!(quoted.text(), expected);
    }
}
