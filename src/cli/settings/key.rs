//! What can be set, and where: one row for each key of the file.

/// How a variable is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Kind {
    /// As it is.
    Text,
    /// As `1` or `0`.
    Flag,
    /// As words with commas between them.
    Words,
    /// As lines: names and paths that may have commas in them.
    Lines,
    /// As `PATH` is.
    Paths,
}

/// Something that can be set.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Key {
    /// Its path in the file.
    pub(in crate::cli) name: &'static str,
    /// The variable that sets it too.
    pub(in crate::cli) variable: Option<&'static str>,
    /// The option of the command line that goes before both.
    pub(in crate::cli) option: Option<&'static str>,
    pub(in crate::cli) kind: Kind,
    /// What holds where nothing is said, in words.
    pub(in crate::cli) default: &'static str,
}

const fn key(
    name: &'static str,
    variable: &'static str,
    option: Option<&'static str>,
    kind: Kind,
    default: &'static str,
) -> Key {
    Key { name, variable: Some(variable), option, kind, default }
}

/// All of them.
pub(in crate::cli) const KEYS: [Key; 22] = [
    key("roots", "CACHETUI_ROOTS", Some("--root"), Kind::Paths, "none"),
    key("targets", "CACHETUI_TARGETS", Some("--target"), Kind::Paths, "none"),
    key("cross-mounts", "CACHETUI_CROSS_MOUNTS", Some("--cross-mounts"), Kind::Flag, "false"),
    key("no-remember", "CACHETUI_NO_REMEMBER", Some("--no-remember"), Kind::Flag, "false"),
    key("color", "CACHETUI_COLOR", Some("--color"), Kind::Text, "auto"),
    key("theme", "CACHETUI_THEME", None, Kind::Text, "dark"),
    key("glyphs", "CACHETUI_GLYPHS", None, Kind::Text, "what the locale can show"),
    key("mouse", "CACHETUI_MOUSE", None, Kind::Flag, "true"),
    key("taskbar", "CACHETUI_TASKBAR", None, Kind::Flag, "true"),
    key("bell", "CACHETUI_BELL", None, Kind::Flag, "true"),
    Key { name: "keys", variable: None, option: None, kind: Kind::Text, default: "those of the help" },
    Key { name: "colours", variable: None, option: None, kind: Kind::Text, default: "those of the theme" },
    key("policy.max-size", "CACHETUI_MAX_SIZE", Some("--max-size"), Kind::Text, "off"),
    key("policy.keep-free", "CACHETUI_KEEP_FREE", Some("--keep-free"), Kind::Text, "off"),
    key("policy.older-than", "CACHETUI_OLDER_THAN", Some("--older-than"), Kind::Text, "off"),
    key(
        "policy.idle-environments",
        "CACHETUI_IDLE_ENVIRONMENTS",
        Some("--idle-environments"),
        Kind::Text,
        "off",
    ),
    key("policy.keep-newest", "CACHETUI_KEEP_NEWEST", Some("--keep-newest"), Kind::Text, "off"),
    key("policy.keep", "CACHETUI_KEEP", Some("--keep"), Kind::Lines, "none"),
    key("policy.grace", "CACHETUI_GRACE", Some("--grace"), Kind::Text, "24h"),
    key("policy.trash-for", "CACHETUI_TRASH_FOR", Some("--trash-for"), Kind::Text, "7d"),
    key("policy.allow", "CACHETUI_ALLOW", Some("--allow"), Kind::Words, "none"),
    key("policy.fail-over", "CACHETUI_FAIL_OVER", Some("--fail-over"), Kind::Text, "off"),
];

impl Key {
    /// Its value in a table.
    pub(in crate::cli) fn of<'a>(&self, table: &'a toml::Table) -> Option<&'a toml::Value> {
        match self.name.split_once('.') {
            Some((above, name)) => table.get(above)?.as_table()?.get(name),
            None => table.get(self.name),
        }
    }

    /// Sets its value in a table. What is a list is extended.
    pub(in crate::cli) fn set(&self, table: &mut toml::Table, value: toml::Value) {
        let (table, name) = match self.name.split_once('.') {
            Some((above, name)) => {
                let above = table.entry(above).or_insert_with(|| toml::Value::Table(toml::Table::new()));
                let toml::Value::Table(above) = above else { return };
                (above, name)
            }
            None => (table, self.name),
        };
        match (table.get_mut(name), value) {
            (Some(toml::Value::Array(there)), toml::Value::Array(more)) => there.extend(more),
            (_, value) => {
                table.insert(name.to_owned(), value);
            }
        }
    }
}
