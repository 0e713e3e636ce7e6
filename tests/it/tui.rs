//! The screen: frames as text, journeys as key strings, and what must hold whatever is pressed.

use std::sync::Arc;
use std::time::Duration;

use cachetui::snapshot::{Completeness, EntryState, FileFate, FileRow, FilesRequest, Mode, Snapshot};
use cachetui::tui::{Code, Effect, Event, Glyphs, Key, Keymap, Mouse, MouseKind, Theme};
use cachetui::worker::ScanEvent;
use proptest::prelude::*;

use crate::support::sample;

mod answers;
mod environment;
mod filter;
mod locks;
mod plan;
pub(crate) mod screen;

use screen::Screen;

/// Checks one frame per size of what some keys lead to.
fn frames(name: &str, keys: &str) {
    for (width, height) in [(80, 24), (120, 40), (200, 60), (40, 10), (20, 5), (1, 1)] {
        let text = Screen::new(width, height).press(keys).text();
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), text);
    }
}

#[test]
fn entries_look_as_they_should_at_every_size() {
    frames("entries", "");
}

#[test]
fn environments_look_as_they_should_at_every_size() {
    frames("environments", "2");
}

#[test]
fn links_look_as_they_should_at_every_size() {
    frames("links", "3");
}

#[test]
fn the_pages_look_as_they_should() {
    let pages = [
        ("map", "m"),
        ("bars", "mm"),
        ("why", "w"),
        ("help", "?"),
        ("sort", "s"),
        ("problems", "!"),
        ("detail", "2G<enter>"),
    ];
    for (name, keys) in pages {
        insta::assert_snapshot!(format!("page_{name}"), Screen::new(80, 24).press(keys).text());
    }
}

#[test]
fn a_bucket_that_is_not_understood_is_named_with_its_file_and_the_numbers_that_are_known() {
    let mut snapshot = sample::presentable();
    let odd = cachetui::snapshot::Odd {
        path: "wheels-v9/pypi/demo/1.0.zst".into(),
        what: "has an unknown form".to_owned(),
    };
    let newest = cachetui::snapshot::Bucket {
        name: "wheels-v9".to_owned(),
        known: false,
        odd: Some(odd),
        ..snapshot.cache.buckets[0].clone()
    };
    snapshot.cache.buckets.push(newest);
    let words = "`wheels-v9` is not understood: `wheels-v9/pypi/demo/1.0.zst` has an unknown form (known: `wheels-v3` to \
                 `wheels-v8`)";
    // Why an entry stays, and why what was asked for does.
    for keys in ["/jaxlib<enter>w", "/jaxlib<enter><space>p", "5"] {
        let text = Screen::showing(snapshot.clone(), 160, 50).press(keys).text();
        let text: String = text.replace(['│', '┃'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
        let known = if keys == "5" { "for a bucket that is not understood" } else { words };
        assert!(text.contains(known), "{keys}: {text}");
    }
}

#[test]
fn ascii_glyphs_leave_nothing_but_ascii_around_the_names() {
    let mut screen = Screen::bare(120, 40, Glyphs::Ascii);
    let mut snapshot = sample::realistic();
    snapshot.entries.iter_mut().for_each(|entry| entry.name = Some("plain".to_owned()));
    snapshot.environments.iter_mut().for_each(|environment| environment.path = "/home/ada/x".into());
    screen.event(Event::ScanStarted);
    screen.event(Event::Scan(ScanEvent::Finished(Arc::new(snapshot))));
    for keys in ["", "m", "m", "m", "?", "<esc>", "2", "<enter>", "s", "<esc>", "1", "w", "<esc>", "/"] {
        let text = screen.press(keys).text();
        assert!(text.is_ascii(), "after {keys}: {text}");
    }
}

#[test]
fn the_first_frame_needs_no_scan() {
    let mut screen = Screen::bare(80, 24, Glyphs::Unicode);
    screen.event(Event::ScanStarted);
    insta::assert_snapshot!(screen.text());
}

#[test]
fn numbers_grow_while_the_scan_runs() {
    use cachetui::control::{Counts, Phase};
    let mut screen = Screen::bare(120, 20, Glyphs::Unicode);
    screen.event(Event::ScanStarted);
    let mut partial = sample::realistic();
    partial.scope.completeness = Completeness::Running;
    screen.event(Event::Scan(ScanEvent::Partial(Arc::new(partial))));
    screen.moment.elapsed += Duration::from_secs(2);
    screen.event(Event::Progress(Counts { phase: Phase::Environments, files: 412_000, ..Counts::default() }));
    assert!(screen.line("1 Entries").contains("environments · 412,000 files · 20"), "{}", screen.text());
    assert!(screen.text().contains("28 entries"));
}

#[test]
fn nothing_is_said_of_users_before_the_scan_has_ended() {
    let mut partial = sample::realistic();
    partial.scope.completeness = Completeness::Running;
    partial.environments.clear();
    partial.references.clear();
    partial.pointers.clear();
    partial.groups.clear();
    partial.cache.disk = 0;
    for entry in &mut partial.entries {
        (entry.state, entry.pointers, entry.last_use) = (EntryState::default(), Vec::new(), None);
    }
    let disk = cachetui::human::bytes(partial.entries.iter().map(|entry| entry.disk).sum());
    let mut screen = Screen::bare(160, 40, Glyphs::Unicode);
    screen.event(Event::ScanStarted);
    screen.event(Event::Scan(ScanEvent::Partial(Arc::new(partial))));
    assert!(screen.line("cachetui").contains(&format!("{disk} so far in 28 entries")));
    let (row, sentence) = ("1.2 GiB", "not known yet");
    assert!(screen.line(row).contains("…"), "{}", screen.line(row));
    for keys in ["", "<enter>", "w", "<esc>", "hm", "m", "m", "<space>", "bbb", "2", "3"] {
        let text = screen.press(keys).text();
        for claim in
            ["unused", "unref", "nobody found", "will never", "0 counted", "none:", "0 environments", "0 B"]
        {
            assert!(!text.contains(claim), "after {keys}: {claim} in\n{text}");
        }
        assert!(
            text.to_lowercase().contains(sentence) || text.contains("not known"),
            "after {keys}:\n{text}"
        );
    }
    assert!(screen.press("2").text().contains("environments are read at the end of the scan"));
    assert!(screen.press("1/unused").text().contains("No row matches"), "states cannot be asked for");
}

#[test]
fn a_cancelled_scan_says_so_and_calls_nothing_unused() {
    let mut screen = Screen::bare(160, 50, Glyphs::Unicode);
    screen.event(Event::ScanStarted);
    assert_eq!(screen.press("S").effects, [Effect::StopScan]);
    let mut cancelled = sample::realistic();
    cancelled.scope.completeness = Completeness::Cancelled;
    screen.event(Event::Scan(ScanEvent::Finished(Arc::new(cancelled.clone()))));
    assert!(screen.line("1 Entries").contains("scan cancelled: nothing counts as unused"));
    assert!(!screen.line("cachetui").contains("unused"));
    assert!(screen.line("2.7.1 ").contains("not known"), "{}", screen.line("2.7.1 "));
    assert!(screen.line("2.9.0 ").contains("used"), "who was found is sure");
    screen.press("/2.7.1<enter>");
    assert!(screen.text().contains("was found before the"), "{}", screen.text());
    let mut second = Screen::new(160, 50);
    second.press("r").event(Event::ScanStarted);
    second.event(Event::Scan(ScanEvent::Finished(Arc::new(cancelled))));
    assert!(second.line("2.7.1 ").contains("unused"), "the complete scan before it is the better answer");
    assert!(second.text().contains("The scan was cancelled"));
}

#[test]
fn the_cursor_stays_on_the_first_row_until_somebody_moves_it() {
    let partial = |known: usize| {
        let mut partial = sample::vast(20);
        partial.scope.completeness = Completeness::Running;
        partial.entries[known..].iter_mut().for_each(|entry| entry.disk = 0);
        Event::Scan(ScanEvent::Partial(Arc::new(partial)))
    };
    let mut screen = Screen::bare(80, 12, Glyphs::Unicode);
    screen.event(Event::ScanStarted);
    for known in [0, 3, 9, 14, 20] {
        screen.event(partial(known));
        assert!(screen.line(" of 20 entries").contains("1 of 20"));
    }
    let first = screen.line("NAME");
    assert!(first.contains("SIZE ▼"));
    screen.event(partial(0)).press("j<enter>");
    let id = screen.line(" id ");
    screen.event(partial(20));
    assert_eq!(screen.line(" id "), id, "once moved it stays on its item");
}

#[test]
fn tags_are_broken_between_them_and_counted_beyond_three_lines() {
    let mut snapshot = sample::realistic();
    let tags = (0..40).map(|number| format!("cp3{number}-abi3-manylinux_2_28_x86_64"));
    snapshot.entries.iter_mut().for_each(|entry| entry.tags = tags.clone().collect());
    let mut screen = Screen::showing(snapshot, 120, 40);
    let line = screen.line("tags  ");
    assert!(line.contains("tags       cp30-abi3-m…ylinux_2_28_x86_64 "), "{line}");
    assert!(screen.text().contains("+37"), "{}", screen.text());
    assert!(screen.text().contains("kind       wheel  "));
}

#[test]
fn an_environment_that_could_share_says_how_much() {
    let mut screen = Screen::new(120, 40);
    assert!(screen.press("2").line("-reports").contains("ok · could share 298.0 MiB"));
}

#[test]
fn a_second_scan_keeps_the_first_ones_rows_until_it_has_ended() {
    let mut screen = Screen::new(120, 30);
    screen.press("r");
    assert_eq!(screen.effects, [Effect::Rescan]);
    screen.event(Event::ScanStarted);
    screen.event(Event::Scan(ScanEvent::Partial(Arc::new(Snapshot::default()))));
    assert!(screen.text().contains("28 entries"));
    screen.event(Event::Scan(ScanEvent::Finished(Arc::new(sample::vast(3)))));
    assert!(screen.text().contains("3 entries"));
}

#[test]
fn sorting_shows_its_arrow_reverses_on_a_second_press_and_keeps_the_cursor_on_its_item() {
    let mut screen = Screen::new(120, 40);
    screen.press("jjjj");
    assert!(screen.line("╭").contains("╭ triton 3.5.0"), "{}", screen.text());
    assert!(screen.text().contains("by size ▼"));
    screen.press("ss");
    assert!(screen.text().contains("by size ▲"));
    assert!(screen.line("╭").contains("╭ triton 3.5.0"));
    screen.press("skk<enter>");
    assert!(screen.text().contains("by name ▲"), "{}", screen.text());
    assert!(screen.line("╭").contains("╭ triton 3.5.0"));
}

#[test]
fn a_filter_stays_visible_and_escape_clears_it() {
    let mut screen = Screen::new(80, 24);
    screen.press("/nvidia<enter>");
    assert!(screen.text().contains("entries 3 of 28 · by size ▼ · /nvidia"), "{}", screen.text());
    assert!(!screen.text().contains("torch"));
    screen.press("<esc>");
    assert!(screen.text().contains("torch"));
    assert!(screen.effects.is_empty(), "escape never quits");
}

#[test]
fn marks_survive_filters_orders_and_scans_and_are_summed_up_jointly() {
    let mut screen = Screen::new(120, 40);
    screen.press("<space>j<space>");
    let sums =
        "2.0 GiB · frees 799.0 MiB now, 1.2 GiB more with ~/code/ml-env/.venv and ~/work/notebook/.venv";
    let status = &*format!(" ● 2 marked · {sums}");
    assert_eq!(screen.line("2 marked"), status);
    screen.press("/numpy<enter>ss");
    let hidden = format!(" ● 2 marked, 2 hidden by the filter · {sums}");
    let cut: String = hidden.chars().take(119).collect();
    assert_eq!(screen.line("2 marked"), format!("{cut}…"));
    screen.event(Event::ScanStarted);
    screen.event(Event::Scan(ScanEvent::Finished(Arc::new(sample::realistic()))));
    screen.press("<esc>");
    assert_eq!(screen.line("2 marked"), status);
    assert_eq!(screen.text().matches("│● ").count(), 2);
    screen.event(Event::ScanStarted);
    screen.event(Event::Scan(ScanEvent::Finished(Arc::new(sample::vast(5)))));
    assert!(!screen.text().contains("marked"), "what is gone is no longer marked");
}

#[test]
fn marks_can_be_set_by_range_by_filter_and_inverted() {
    let mut screen = Screen::new(120, 40);
    assert!(screen.press("vjjv").line("marked").contains("3 marked"));
    assert!(screen.press("u").line("of 28").contains("1 of 28") || !screen.text().contains("marked"));
    screen.press("/numpy<enter>a");
    assert!(
        screen.line("Marked ").contains("Marked 2 entries (1 unused, 1 used), 119.0 MiB."),
        "{}",
        screen.text()
    );
    screen.moment.elapsed += Duration::from_secs(10);
    assert!(screen.press("*").line("of 28").contains("2 of 28"));
    assert!(!screen.text().contains("marked"));
    screen.press("<esc>*").event(Event::Tick);
    assert!(screen.line("marked").contains("28 marked"));
}

#[test]
fn held_bytes_are_told_apart_from_those_an_environment_would_free() {
    let mut screen = Screen::new(120, 40);
    screen.press("/private<enter><space>");
    assert!(
        screen.line("marked").contains("frees 0 B now, 90.0 MiB held elsewhere"),
        "{}",
        screen.line("marked")
    );
}

#[test]
fn opening_goes_down_to_files_and_back() {
    let mut screen = Screen::new(80, 24);
    screen.press("<enter>");
    assert!(screen.line("files").contains("41 ›"));
    screen.press("<enter>");
    let Some(Effect::ListFiles(request)) = screen.effects.pop() else { panic!("files are asked for") };
    assert!(screen.text().contains("Listing the files"));
    let row = |path: &str, size, what| FileRow { path: path.into(), size, what };
    let rows = vec![
        row("lib/small.py", 10, FileFate::Private),
        row("lib/large\x1b.so", 1 << 30, FileFate::Linked(Mode::Hardlink)),
        row("lib/gone.py", 0, FileFate::Missing),
    ];
    screen.event(Event::Files(request, Ok(rows)));
    insta::assert_snapshot!(screen.text());
    screen.press("hh");
    assert!(screen.text().contains("entries 28"));
}

#[test]
fn a_distributions_files_are_asked_for_by_its_dist_info() {
    let mut screen = Screen::new(120, 40);
    screen.press("2/ml-env<enter><enter>j<enter>");
    let expected = FilesRequest::Distribution {
        environment: "/home/ada/code/ml-env/.venv".into(),
        dist_info: "lib/python3.12/site-packages/nvidia-cudnn-cu12-9.10.2.21.dist-info".into(),
        entry: Some(sample::key(&sample::id("nvidia-cudnn-cu12", "9.10.2.21"))),
    };
    assert_eq!(screen.effects, [Effect::ListFiles(expected.clone())]);
    screen.event(Event::Files(expected, Err("Failed to read `x`: gone\x1b[2J".to_owned())));
    assert!(screen.text().contains("gone\\x1b[2J"));
}

#[test]
fn links_lead_to_their_entries() {
    let mut screen = Screen::new(120, 40);
    screen.press("3/triton<enter><enter><enter>");
    assert!(screen.line("╭").contains("╭ triton 3.5.0"), "{}", screen.text());
    assert!(screen.text().contains("entries 28"));
}

#[test]
fn help_lists_every_binding_and_runs_the_line_it_is_opened_on() {
    let mut screen = Screen::new(120, 100);
    let text = screen.press("?").text();
    for binding in Keymap::default().bindings() {
        assert!(text.contains(&binding.about), "{} is missing", binding.name);
    }
    screen.press("/show the environments<enter><enter>");
    assert!(screen.text().contains("environments 7"), "{}", screen.text());
}

#[test]
fn the_map_leads_to_a_packages_entries() {
    let mut screen = Screen::new(120, 40);
    screen.press("m<enter>");
    assert!(screen.text().contains("entries 2 of 28 · by size ▼ · /name:^torch$"), "{}", screen.text());
}

#[test]
fn copying_gives_the_path_as_a_word_of_a_shell_and_says_so() {
    let mut screen = Screen::new(120, 40);
    screen.press("2/owned<enter>y");
    let path = if cfg!(windows) {
        "\"/home/ada/code/日本/\\x1b]0;owned\\x07/.venv\"".to_owned()
    } else {
        r"$'/home/ada/code/日本/\033]0;owned\007/.venv'".to_owned()
    };
    assert_eq!(screen.effects, [Effect::Copy(path.clone())]);
    assert!(screen.text().contains(&format!("Copied {path}")), "{}", screen.text());
}

#[test]
fn quitting_suspending_and_redrawing_are_effects() {
    let mut screen = Screen::new(80, 24);
    screen.press("<ctrl-z><ctrl-l>q");
    assert_eq!(screen.effects, [Effect::Suspend, Effect::Redraw, Effect::Quit]);
    let mut typing = Screen::new(80, 24);
    typing.press("/q");
    assert!(typing.effects.is_empty(), "q is a letter while a filter is written");
    typing.press("<ctrl-c>");
    assert_eq!(typing.effects, [Effect::Quit]);
}

#[test]
fn the_mouse_selects_opens_scrolls_and_sorts() {
    let mut screen = Screen::new(120, 20);
    screen.click(10, 6);
    assert!(screen.line("╭").contains("╭ torch 2.7.1"), "{}", screen.text());
    screen.event(Event::Mouse(Mouse { kind: MouseKind::ScrollDown, column: 10, row: 6 }));
    assert!(screen.line("│  nvidia").contains("12.8.4.1"), "the first rows are gone");
    screen.click(4, 3);
    assert!(screen.text().contains("by name ▲"));
    screen.click(5, 3);
    assert!(screen.text().contains("by name ▼"));
    screen.click(22, 1);
    assert!(screen.text().contains("environments 7"), "{}", screen.text());
    screen.click(10, 4);
    screen.click(10, 4);
    screen.press("<enter>");
    assert!(
        matches!(screen.effects.as_slice(), [Effect::ListFiles(_)]),
        "the second click opened the detail"
    );
}

#[test]
fn pasted_text_is_never_taken_for_keys() {
    let mut screen = Screen::new(80, 24);
    screen.event(Event::Paste("qqq".to_owned()));
    assert!(screen.effects.is_empty());
    screen.press("/").event(Event::Paste("tor\x1b\nch".to_owned()));
    assert!(screen.text().contains("/torch"));
}

#[test]
fn no_state_is_told_by_colour_alone() {
    let text = Screen::new(200, 60).text();
    for word in ["used", "unused", "protected", "held-elsewhere", "unreferenced"] {
        assert!(text.contains(word), "{word}");
    }
    let mono = Theme::mono();
    for role in Theme::dark().roles() {
        let style = mono.style(role);
        assert!(style.fg.is_none_or(|color| color == ratatui::style::Color::Reset) && style.bg.is_none());
        assert!(mono.roles().any(|other| other == role), "{role:?} is in every theme");
        assert!(Theme::light().roles().any(|other| other == role), "{role:?} is in every theme");
    }
}

#[test]
fn a_theme_can_be_changed_role_by_role_and_says_what_is_wrong() {
    let theme = Theme::dark().with_overrides("mark = \"light-red on black bold\"").unwrap();
    assert_eq!(theme.style(cachetui::tui::Role::Mark).fg, Some(ratatui::style::Color::LightRed));
    let wrong = Theme::dark().with_overrides("mark = \"puce\"").unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "Failed to read the theme: `puce` in the style of `mark` is neither a colour nor an attribute"
    );
    assert!(Theme::dark().with_overrides("nothing = \"red\"").is_err());
}

#[test]
fn the_built_in_keymap_has_every_action_and_no_conflict() {
    let (keymap, conflicts) = Keymap::with_overrides("").unwrap();
    assert!(conflicts.is_empty(), "{conflicts:?}");
    assert!(keymap.bindings().iter().all(|binding| !binding.keys.is_empty()));
    let mut names: Vec<&str> = keymap.bindings().iter().map(|binding| binding.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 44);
    for binding in keymap.bindings() {
        for key in binding.keys.iter().flatten() {
            assert_eq!(key.name().parse::<Key>().as_ref(), Ok(key));
        }
    }
}

#[test]
fn a_changed_keymap_reports_conflicts_as_sentences() {
    let (keymap, conflicts) = Keymap::with_overrides("mark = [\"e\"]\nwhy = [\"g\", \"j\"]").unwrap();
    assert_eq!(
        conflicts,
        [
            "`j` is bound to `why` and to `down`; `why` has it.",
            "`gg` for `top` cannot be told from `g` for `why`; `why` has it.",
        ]
    );
    assert_eq!(keymap.shown(cachetui::tui::Action::Mark).as_deref(), Some("e"));
    assert!(Keymap::with_overrides("fly = [\"x\"]").unwrap_err().to_string().contains("`fly`"));
    assert!(Keymap::with_overrides("mark = [\"ctrl-\\u0007x\"]").is_err());
}

#[test]
fn a_long_scan_that_ends_out_of_sight_calls_the_user() {
    let mut screen = Screen::bare(80, 24, Glyphs::Unicode);
    screen.event(Event::ScanStarted).event(Event::Focus(cachetui::tui::Focus::Lost));
    screen.moment.elapsed += Duration::from_secs(30);
    screen.event(Event::Scan(ScanEvent::Finished(Arc::new(sample::realistic()))));
    assert_eq!(screen.effects, [Effect::Alert]);
}

#[test]
fn a_failed_scan_is_said_and_stays_readable() {
    let mut screen = Screen::bare(80, 24, Glyphs::Unicode);
    screen.event(Event::ScanStarted);
    screen.event(Event::Scan(ScanEvent::Failed("Failed to read `/x\x1b`: gone".to_owned())));
    assert!(screen.text().contains("Failed to read `/x\\x1b`: gone"));
    assert!(screen.press("!").text().contains("the scan failed"));
}

/// What a person, or a cat, may do.
#[derive(Clone, Debug)]
enum Deed {
    Key(Key),
    Mouse(MouseKind, u16, u16),
    Resize(u16, u16),
    Paste(String),
    Scan(usize),
    Tick,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let keys = "jkhlgGsSbmwvau*/yrqnt123!? '^$é日".chars().map(|character| Key::plain(Code::Char(character)));
    let named = [
        "enter",
        "esc",
        "tab",
        "backtab",
        "backspace",
        "up",
        "down",
        "left",
        "right",
        "pagedown",
        "pageup",
        "home",
        "end",
        "ctrl-d",
        "ctrl-u",
        "ctrl-w",
        "f1",
    ];
    let keys: Vec<Key> =
        keys.chain(named.iter().map(|name| name.parse().expect("the name of a key"))).collect();
    let kinds = prop::sample::select(vec![MouseKind::Click, MouseKind::ScrollDown, MouseKind::ScrollUp]);
    let deed = prop_oneof![
        20 => prop::sample::select(keys).prop_map(Deed::Key),
        4 => (kinds, 0..210_u16, 0..70_u16).prop_map(|(kind, x, y)| Deed::Mouse(kind, x, y)),
        2 => (1..=210_u16, 1..=70_u16).prop_map(|(width, height)| Deed::Resize(width, height)),
        1 => "\\PC{0,8}|[\\x00-\\x1f]{0,4}".prop_map(Deed::Paste),
        1 => (0..3_usize).prop_map(Deed::Scan),
        1 => Just(Deed::Tick),
    ];
    prop::collection::vec(deed, 1..60)
}

fn hostile(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_pressed_clicked_or_resized_panics_or_lets_a_control_character_through(deeds in deeds()) {
        let mut screen = Screen::new(100, 30);
        for deed in deeds {
            match deed {
                Deed::Key(key) => screen.event(Event::Key(key)),
                Deed::Mouse(kind, column, row) => screen.event(Event::Mouse(Mouse { kind, column, row })),
                Deed::Resize(width, height) => screen.event(Event::Resize { width, height }),
                Deed::Paste(text) => screen.event(Event::Paste(text)),
                Deed::Scan(0) => screen.event(Event::Scan(ScanEvent::Partial(Arc::default()))),
                Deed::Scan(1) => screen.event(Event::Scan(ScanEvent::Finished(Arc::new(sample::vast(7))))),
                Deed::Scan(_) => screen.event(Event::Scan(ScanEvent::Finished(Arc::new(sample::realistic())))),
                Deed::Tick => screen.event(Event::Tick),
            };
            let buffer = screen.buffer();
            let odd = buffer.content().iter().find(|cell| cell.symbol().chars().any(hostile));
            prop_assert!(odd.is_none(), "{:?}", odd);
        }
    }
}
