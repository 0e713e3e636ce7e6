//! `tui`: the interface, which needs a terminal at both ends.

use std::ffi::OsStr;
use std::path::Path;

use crate::cli::args::{Look, Places};
use crate::cli::failure::{FAILED, Failure, USAGE};
use crate::cli::print::view::wants_colour;
use crate::cli::settings::{self, GlyphsName, Settings, ThemeName};
use crate::cli::surroundings::{self, Surroundings};
use crate::cli::{act, request};
use crate::lock::SurveyRequest;
use crate::scan::Absent;
use crate::tui::{Glyphs, Keymap, Options, Theme};
use crate::worker;
use crate::worker::rescan::Rescan;
use crate::worker::task::{Ground, start_task};

/// Opens the interface, on a sample where `demo` says so; answers with the program's exit code.
pub fn run(places: &Places, look: &Look, demo: bool, surroundings: &Surroundings) -> Result<u8, Failure> {
    check(surroundings)?;
    let settings = settings::read(surroundings)?;
    let prepared = request::prepare(places, Absent::Refused, surroundings)?;
    let usage = |error: anyhow::Error| Failure::new(USAGE, error);
    let (keymap, conflicts) = keymap(&settings).map_err(usage)?;
    let theme = theme(&settings, look, surroundings).map_err(usage)?;
    let cache = prepared.cache().to_owned();
    let root = cache.clone();
    let locks = prepared.survey(places, surroundings)?;
    let state = surroundings.state_dir.clone();
    let (means, notice) = act::means(places, surroundings)?;
    let ground = Ground {
        cache: cache.clone(),
        means,
        uv: surroundings.uv(),
        temporary: surroundings.temporary.clone(),
        rescan: Rescan::new({
            let prepared = prepared.clone();
            move || prepared.start(surroundings::now())
        }),
        registry: prepared.registry().map(Path::to_owned),
        program: surroundings.program.clone(),
    };
    let code = crate::tui::run(Options {
        start_scan: Box::new(move || prepared.start(surroundings::now())),
        list_files: Box::new(move |request| worker::list_files(root.clone(), request)),
        start_task: Box::new(move |task, snapshot| start_task(task, snapshot, ground.clone())),
        look_around: Box::new(move |snapshot| {
            let environments = snapshot.environments.iter().map(|environment| environment.path.clone());
            let request = SurveyRequest { environments: environments.collect(), ..locks.clone() };
            worker::look_around(request, state.clone())
        }),
        weigh_plan: Box::new(|plan, snapshot| {
            worker::weigh_plan(plan, snapshot.cache.path.clone(), snapshot.cache.reflinks)
        }),
        cache,
        demo,
        grace: surroundings.grace,
        keymap,
        notices: conflicts.into_iter().chain(notice).collect(),
        theme,
        glyphs: glyphs(&settings, surroundings),
        home: surroundings.home.clone(),
        mouse: settings.mouse.unwrap_or(true),
        taskbar: settings.taskbar.unwrap_or(true),
        notify: settings.bell.unwrap_or(true),
        started: surroundings.started,
        now: surroundings::now,
    })
    .map_err(|error| Failure::new(FAILED, error))?;
    Ok(u8::try_from(code).unwrap_or(FAILED))
}

fn keymap(settings: &Settings) -> anyhow::Result<(Keymap, Vec<String>)> {
    Ok(Keymap::with_overrides(&toml::to_string(&settings.keys)?)?)
}

fn theme(settings: &Settings, look: &Look, surroundings: &Surroundings) -> anyhow::Result<Theme> {
    let theme = match settings.theme {
        _ if !wants_colour(look.color.unwrap_or_default(), surroundings, true) => Theme::mono(),
        ThemeName::Dark => Theme::dark(),
        ThemeName::Light => Theme::light(),
        ThemeName::Mono => Theme::mono(),
    };
    Ok(theme.with_overrides(&toml::to_string(&settings.colours)?)?)
}

/// Unicode where the locale says UTF-8, or says nothing: then the terminal is more likely new than old.
fn glyphs(settings: &Settings, surroundings: &Surroundings) -> Glyphs {
    match settings.glyphs {
        Some(GlyphsName::Unicode) => return Glyphs::Unicode,
        Some(GlyphsName::Ascii) => return Glyphs::Ascii,
        None => {}
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| surroundings.variable(name));
    let plain = |locale: &OsStr| locale == "C" || locale == "POSIX";
    if locale.is_some_and(plain) || surroundings.variable("TERM").is_some_and(|term| term == "linux") {
        Glyphs::Ascii
    } else {
        Glyphs::Unicode
    }
}

/// Refuses to open the interface where nobody could see or use it, and names the command that says the same.
pub fn check(surroundings: &Surroundings) -> Result<(), Failure> {
    let missing = match (surroundings.stdin_is_terminal, surroundings.stdout_is_terminal) {
        (true, true) => return Ok(()),
        (_, false) => "its output does not go to one",
        (false, true) => "its input does not come from one",
    };
    Err(Failure::message(USAGE, format!("The interface needs a terminal, and {missing}."))
        .hint("`cachetui list` prints the entries, `cachetui envs` the environments; both know `--json`."))
}
