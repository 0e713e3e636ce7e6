//! `config`: the settings as they hold, whether they can be understood, and where they are.

use std::io::Write;

use serde::Serialize;

use crate::cli::args::config::{ConfigArguments, ConfigCommand};
use crate::cli::args::{Look, Places};
use crate::cli::failure::{FAILED, Failure, USAGE};
use crate::cli::keep::Keep;
use crate::cli::print::json;
use crate::cli::print::{Column, Fit, Paint, Table, View};
use crate::cli::settings::key::{KEYS, Key};
use crate::cli::settings::{self, Origin, Written};
use crate::cli::surroundings::Surroundings;
use crate::human;
use crate::tui::{Keymap, Theme};

/// Does what the arguments ask for.
pub fn run(
    places: &Places,
    look: &Look,
    arguments: &ConfigArguments,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    match &arguments.command {
        ConfigCommand::Path => path(surroundings, writer),
        ConfigCommand::Check => check(surroundings, view, writer),
        ConfigCommand::Show(arguments) => {
            let written = settings::written(surroundings)?;
            let rows: Vec<Row> = KEYS.iter().map(|key| row(key, &written, places, look)).collect();
            show(&rows, arguments.json, surroundings, view, writer)
        }
    }
}

fn file(surroundings: &Surroundings) -> Result<std::path::PathBuf, Failure> {
    settings::path(surroundings).ok_or_else(|| {
        Failure::message(FAILED, "There is no place for settings: the home directory is not known.")
    })
}

fn path(surroundings: &Surroundings, writer: &mut dyn Write) -> Result<(), Failure> {
    writeln!(writer, "{}", human::escape_os(file(surroundings)?.as_os_str()))?;
    Ok(())
}

/// One setting as it holds.
#[derive(Serialize)]
struct Row {
    key: &'static str,
    value: String,
    /// What it comes from: `option`, `variable`, `settings`, `default`.
    from: Vec<&'static str>,
    variable: Option<&'static str>,
    option: Option<&'static str>,
}

fn row(key: &Key, written: &Written, places: &Places, look: &Look) -> Row {
    let mut values: Vec<String> = key.of(&written.table).map(text).into_iter().flatten().collect();
    let mut from: Vec<&'static str> = Vec::new();
    for origin in written.origins.get(key.name).into_iter().flatten() {
        from.push(match origin {
            Origin::File => "settings",
            Origin::Variable => "variable",
        });
    }
    let is_list = matches!(key.of(&written.table), Some(toml::Value::Array(_)));
    if !is_list && from.len() > 1 {
        // Of one value the last word holds.
        from.remove(0);
    }
    let paths =
        |paths: &[std::path::PathBuf]| paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let (mine, adds): (Vec<String>, bool) = match key.name {
        "roots" => (paths(&places.roots), true),
        "targets" => (paths(&places.targets), true),
        "cross-mounts" => (places.cross_mounts.then(|| "true".to_owned()).into_iter().collect(), false),
        "no-remember" => (places.no_remember.then(|| "true".to_owned()).into_iter().collect(), false),
        "color" => (look.color.map(|color| format!("{color:?}").to_lowercase()).into_iter().collect(), false),
        _ => (Vec::new(), false),
    };
    if !mine.is_empty() {
        if !adds {
            values.clear();
            from.clear();
        }
        values.extend(mine);
        from.push("option");
    }
    if from.is_empty() {
        from.push("default");
        values = vec![key.default.to_owned()];
    }
    Row { key: key.name, value: values.join(", "), from, variable: key.variable, option: key.option }
}

/// A value as words.
fn text(value: &toml::Value) -> Vec<String> {
    match value {
        toml::Value::String(text) => vec![text.clone()],
        toml::Value::Array(values) => values.iter().flat_map(text).collect(),
        toml::Value::Table(table) => table.keys().cloned().collect(),
        other => vec![other.to_string()],
    }
}

fn show(
    rows: &[Row],
    as_json: bool,
    surroundings: &Surroundings,
    view: &View,
    writer: &mut dyn Write,
) -> Result<(), Failure> {
    let path = settings::path(surroundings);
    if as_json {
        #[derive(Serialize)]
        struct Document<'a> {
            schema_version: u32,
            path: Option<String>,
            settings: &'a [Row],
        }
        let path = path.map(|path| path.to_string_lossy().into_owned());
        let document = Document { schema_version: json::SCHEMA_VERSION, path, settings: rows };
        json::write_document(&document, view, writer)?;
        return Ok(());
    }
    let mut table = Table::new(&[
        Column::text("KEY"),
        Column::text("VALUE").fit(Fit::End(20)),
        Column::text("FROM"),
        Column::text("VARIABLE").spare(2),
        Column::text("OPTION").spare(1),
    ]);
    for row in rows {
        let is_default = row.from == ["default"];
        let paint = if is_default { Paint::Faint } else { Paint::Plain };
        table.push([
            row.key.into(),
            crate::cli::print::Cell::painted(paint, human::escape(&row.value).as_ref()),
            row.from.join(", ").into(),
            row.variable.unwrap_or("-").into(),
            row.option.unwrap_or("-").into(),
        ]);
    }
    table.print(view, writer)?;
    if let Some(path) = path.filter(|_| !view.quiet) {
        let is_there = if path.exists() { "" } else { ", which is not there" };
        let text = format!("The settings are in `{}`{is_there}.", view.path(&path));
        writeln!(writer, "{}", view.wrapped(&text))?;
    }
    Ok(())
}

/// Says whether everything can be understood, and what is not there that it names.
fn check(surroundings: &Surroundings, view: &View, writer: &mut dyn Write) -> Result<(), Failure> {
    let Written { settings, .. } = settings::written(surroundings)?;
    let usage = |error: anyhow::Error| Failure::new(USAGE, error);
    let part = |table: &toml::Table| toml::to_string(table).map_err(|error| Failure::new(USAGE, error));
    let (_, conflicts) =
        Keymap::with_overrides(&part(&settings.keys)?).map_err(|error| usage(error.into()))?;
    Theme::dark().with_overrides(&part(&settings.colours)?).map_err(|error| usage(error.into()))?;
    Keep::of_words(&settings.policy.keep, surroundings)?;
    let mut notes = conflicts;
    for root in settings.roots.iter().chain(&settings.targets) {
        let path = surroundings.at_home(root);
        if !path.is_dir() {
            notes.push(format!("There is no directory at `{}`.", path.display()));
        }
    }
    let known =
        |name: &str| KEYS.iter().any(|key| key.variable == Some(name)) || !name.starts_with("CACHETUI_");
    let names = surroundings.variables.keys().filter_map(|name| name.to_str());
    notes.extend(
        names.filter(|name| !known(name)).map(|name| format!("`{name}` is no variable of cachetui.")),
    );
    for note in &notes {
        writeln!(writer, "{}", view.painted(Paint::Notice, &view.wrapped(&human::escape(note))))?;
    }
    if !view.quiet {
        let text = match settings::path(surroundings).filter(|path| path.exists()) {
            Some(path) => format!("The settings in `{}` and the variables are understood.", view.path(&path)),
            None => "There is no file of settings; the variables are understood.".to_owned(),
        };
        writeln!(writer, "{}", view.wrapped(&text))?;
    }
    if notes.is_empty() { Ok(()) } else { Err(Failure::quiet(FAILED)) }
}
