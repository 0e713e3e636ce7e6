//! The pictures of the README, made from real frames: `cargo test --test it -- --ignored pictures`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cachetui::tui::{Code, Event, Glyphs, Key, Keymap, Model, Moment, Settings, Theme, update, view};
use cachetui::worker::ScanEvent;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::support::{sample, svg};

/// The frame after some keys, as a picture.
fn picture(keys: &[Code], height: u16, title: &str) -> String {
    let width = 120;
    let at = Moment { elapsed: Duration::from_secs(20), now: sample::now() };
    let settings = Settings {
        keymap: Keymap::default(),
        theme: Theme::dark(),
        glyphs: Glyphs::Unicode,
        home: Some("/home/ada".into()),
        cache: "/home/ada/.cache/uv".into(),
        grace: cachetui::plan::GRACE,
        demo: false,
    };
    let mut model = Model::new(settings, width, height, at);
    update(&mut model, Event::ScanStarted, at);
    update(&mut model, Event::Scan(ScanEvent::Finished(Arc::new(sample::presentable()))), at);
    for key in keys {
        update(&mut model, Event::Key(Key::plain(*key)), at);
    }
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view(&model, frame)).unwrap();
    svg::picture(terminal.backend().buffer(), title)
}

#[test]
#[ignore = "it writes the pictures of the README"]
fn pictures() {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let space = Code::Char(' ');
    let entries = picture(
        &[space, Code::Down, space, Code::Up],
        34,
        "The entries of a uv cache, two of them marked, with the detail of one",
    );
    std::fs::write(assets.join("entries.svg"), entries).unwrap();
    let map = picture(&[Code::Char('m')], 32, "What fills a uv cache, by package and by who holds it");
    std::fs::write(assets.join("map.svg"), map).unwrap();
}
