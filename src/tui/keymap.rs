//! Which keys mean which action: read from `assets/keymap.toml`, changed by the user's configuration.
//!
//! The help, the footer and the README's table are made from the same value, so that none of them can be wrong.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::action::Action;
use super::key::{self, Key, UnknownKey};

/// The keymap that the program brings.
const BUILT_IN: &str = include_str!("../../assets/keymap.toml");

/// Which keys mean which action.
#[derive(Clone, Debug)]
pub struct Keymap {
    bindings: Vec<Binding>,
}

/// One action with its keys and its description.
#[derive(Clone, Debug)]
pub struct Binding {
    /// What the keys ask for.
    pub action: Action,
    /// The action's name in the keymap.
    pub name: String,
    /// Its keys: each a sequence of keys pressed one after the other.
    pub keys: Vec<Vec<Key>>,
    /// The heading under which the help lists it.
    pub group: String,
    /// What it does, as a sentence without a full stop.
    pub about: String,
    /// A word or two for the footer, for actions that are shown there.
    pub footer: Option<String>,
}

/// What a sequence of keys means so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// An action.
    Action(Action),
    /// The beginning of a longer sequence.
    Prefix,
    /// Nothing.
    Nothing,
}

/// Why a keymap cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeymapError {
    /// The text is not a keymap.
    #[error("Failed to read the keymap")]
    Syntax(#[from] toml::de::Error),
    /// A key is not one.
    #[error("Failed to read the keys of `{action}`")]
    Key {
        /// The action whose keys are wrong.
        action: String,
        /// Which key, and why.
        source: UnknownKey,
    },
    /// An action is not one.
    #[error("Failed to bind keys: there is no action `{0}`")]
    Action(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    action: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    keys: Vec<String>,
    group: String,
    about: String,
    footer: Option<String>,
}

impl Default for Keymap {
    fn default() -> Self {
        let file: File = toml::from_str(BUILT_IN).expect("the built-in keymap is valid, which a test checks");
        let bindings = file
            .action
            .into_iter()
            .map(|row| Binding {
                action: action(&row.name)
                    .expect("the built-in keymap names only actions, which a test checks"),
                keys: sequences(&row.name, &row.keys)
                    .expect("the built-in keymap names only keys, which a test checks"),
                name: row.name,
                group: row.group,
                about: row.about,
                footer: row.footer,
            })
            .collect();
        Self { bindings }
    }
}

impl Keymap {
    /// The built-in keymap with the user's changes, and a sentence for each conflict among the result.
    ///
    /// `text` is TOML with one line per action, as `down = ["j", "ctrl-n"]`; an action that is named gets exactly these
    /// keys, and an empty list leaves it without any. A key that a changed action takes is taken away from actions that
    /// the text does not name, which is reported as a conflict too.
    ///
    /// # Errors
    /// When the text is not TOML of that shape, or names an action or a key that there is not.
    ///
    /// # Panics
    /// Never: the built-in keymap has every action.
    pub fn with_overrides(text: &str) -> Result<(Self, Vec<String>), KeymapError> {
        let changes: BTreeMap<String, Vec<String>> = toml::from_str(text)?;
        let mut keymap = Self::default();
        for (name, keys) in &changes {
            let action = action(name).ok_or_else(|| KeymapError::Action(name.clone()))?;
            let keys = sequences(name, keys)?;
            let binding = keymap.bindings.iter_mut().find(|binding| binding.action == action);
            binding.expect("the built-in keymap has every action, which a test checks").keys = keys;
        }
        let conflicts = keymap.resolve(|name| changes.contains_key(name));
        Ok((keymap, conflicts))
    }

    /// Takes keys away from all but one of the actions that have them, and says so. Actions that the user has bound win
    /// over those that only have their built-in keys, and earlier ones over later ones.
    fn resolve(&mut self, changed: impl Fn(&str) -> bool) -> Vec<String> {
        let mut order: Vec<usize> = (0..self.bindings.len()).collect();
        order.sort_by_key(|&position| !changed(&self.bindings[position].name));
        let mut conflicts = Vec::new();
        let mut taken: Vec<(Vec<Key>, String)> = Vec::new();
        for position in order {
            let binding = &mut self.bindings[position];
            let name = binding.name.clone();
            binding.keys.retain(|keys| {
                let rival = taken.iter().find(|(other, owner)| {
                    *owner != name && (other.starts_with(keys) || keys.starts_with(other))
                });
                if let Some((other, owner)) = rival {
                    let (other, keys) = (key::show_sequence(other), key::show_sequence(keys));
                    conflicts.push(if other == keys {
                        format!("`{keys}` is bound to `{owner}` and to `{name}`; `{owner}` has it.")
                    } else {
                        format!("`{keys}` for `{name}` cannot be told from `{other}` for `{owner}`; `{owner}` has it.")
                    });
                    return false;
                }
                true
            });
            taken.extend(binding.keys.iter().map(|keys| (keys.clone(), name.clone())));
        }
        conflicts
    }

    /// All actions, in the order of the help.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// What keys pressed one after the other mean.
    pub fn meaning(&self, keys: &[Key]) -> Meaning {
        let mut meaning = Meaning::Nothing;
        for binding in &self.bindings {
            for bound in &binding.keys {
                if bound == keys {
                    return Meaning::Action(binding.action);
                }
                if bound.starts_with(keys) {
                    meaning = Meaning::Prefix;
                }
            }
        }
        meaning
    }

    /// The first keys of an action, as people write them; none when the user took all of them away.
    pub fn shown(&self, action: Action) -> Option<String> {
        let binding = self.bindings.iter().find(|binding| binding.action == action)?;
        binding.keys.first().map(|keys| key::show_sequence(keys))
    }
}

impl Binding {
    /// All its keys, as people write them, as `j ↓`.
    pub fn shown(&self) -> String {
        let keys: Vec<String> = self.keys.iter().map(|keys| key::show_sequence(keys)).collect();
        keys.join(" ")
    }
}

fn action(name: &str) -> Option<Action> {
    use serde::de::value::{Error, StrDeserializer};
    Action::deserialize(StrDeserializer::<Error>::new(name)).ok()
}

fn sequences(action: &str, keys: &[String]) -> Result<Vec<Vec<Key>>, KeymapError> {
    let read = keys.iter().map(|keys| key::sequence(keys)).collect::<Result<_, _>>();
    read.map_err(|source| KeymapError::Key { action: action.to_owned(), source })
}
