//! A screen without a terminal: events go in, frames come out as text.

use std::sync::Arc;
use std::time::Duration;

use cachetui::snapshot::Snapshot;
use cachetui::tui::{
    Code, Effect, Event, Glyphs, Key, Keymap, Model, Moment, Mouse, MouseKind, Settings, Theme, update, view,
};
use cachetui::worker::ScanEvent;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use crate::support::sample;
use crate::support::told::told;

/// A screen without a terminal.
pub(crate) struct Screen {
    pub(super) model: Model,
    pub(super) terminal: Terminal<TestBackend>,
    pub(super) moment: Moment,
    pub(super) effects: Vec<Effect>,
}

impl Screen {
    pub(super) fn bare(width: u16, height: u16, glyphs: Glyphs) -> Self {
        Self::opened(width, height, glyphs, false)
    }

    /// The interface on the sample that the program brings.
    pub(super) fn demo(width: u16, height: u16, glyphs: Glyphs) -> Self {
        Self::opened(width, height, glyphs, true)
    }

    fn opened(width: u16, height: u16, glyphs: Glyphs, demo: bool) -> Self {
        let moment = Moment { elapsed: Duration::from_millis(10), now: sample::now() };
        let settings = Settings {
            keymap: Keymap::default(),
            theme: Theme::dark(),
            glyphs,
            home: Some("/home/ada".into()),
            cache: "/home/ada/.cache/uv".into(),
            grace: cachetui::plan::GRACE,
            demo,
        };
        Self {
            model: Model::new(settings, width, height, moment),
            terminal: Terminal::new(TestBackend::new(width, height)).unwrap(),
            moment,
            effects: Vec::new(),
        }
    }

    pub(crate) fn showing(snapshot: Snapshot, width: u16, height: u16) -> Self {
        let mut screen = Self::bare(width, height, Glyphs::Unicode);
        screen.event(Event::ScanStarted);
        screen.event(Event::Scan(ScanEvent::Finished(Arc::new(snapshot))));
        screen.event(super::locks::around(super::locks::free()));
        screen
    }

    pub(super) fn new(width: u16, height: u16) -> Self {
        Self::showing(sample::realistic(), width, height)
    }

    pub(super) fn event(&mut self, event: Event) -> &mut Self {
        self.moment.elapsed += Duration::from_millis(10);
        if let Event::Resize { width, height } = event {
            self.terminal.backend_mut().resize(width, height);
        }
        let effects = update(&mut self.model, event, self.moment);
        self.effects.extend(effects);
        self
    }

    /// Presses keys, written as in `"jj<space>/nv<enter>"`.
    pub(crate) fn press(&mut self, keys: &str) -> &mut Self {
        for key in script(keys) {
            self.event(Event::Key(key));
            self.model.drawn();
        }
        self
    }

    /// Presses keys faster than anything is drawn.
    pub(super) fn press_at_once(&mut self, keys: &str) -> &mut Self {
        for key in script(keys) {
            self.event(Event::Key(key));
        }
        self
    }

    pub(super) fn click(&mut self, column: u16, row: u16) -> &mut Self {
        self.event(Event::Mouse(Mouse { kind: MouseKind::Click, column, row }))
    }

    pub(super) fn buffer(&mut self) -> Buffer {
        // A whole frame: other than a terminal, the backend keeps what lay under the second half of a wide character.
        self.terminal.clear().unwrap();
        self.terminal.draw(|frame| view(&self.model, frame)).unwrap();
        self.terminal.backend().buffer().clone()
    }

    pub(crate) fn text(&mut self) -> String {
        let buffer = self.buffer();
        let area = buffer.area;
        let mut text = String::new();
        for y in area.top()..area.bottom() {
            let mut line = String::new();
            let mut skip = 0;
            for x in area.left()..area.right() {
                let symbol = buffer[(x, y)].symbol();
                if skip == 0 {
                    line.push_str(symbol);
                    skip = unicode_width::UnicodeWidthStr::width(symbol).max(1);
                }
                skip -= 1;
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        told(&text)
    }

    pub(super) fn line(&mut self, containing: &str) -> String {
        let text = self.text();
        let found = text.lines().find(|line| line.contains(containing));
        found.unwrap_or_else(|| panic!("no line contains {containing:?} in\n{text}")).to_owned()
    }
}

pub(super) fn script(keys: &str) -> Vec<Key> {
    let mut read = Vec::new();
    let mut rest = keys;
    while let Some(character) = rest.chars().next() {
        // What is no key's name between brackets is typed, as in `numpy<2`.
        let named = rest.strip_prefix('<').and_then(|after| after.split_once('>'));
        let named = named.and_then(|(name, after)| Some((name.parse::<Key>().ok()?, after)));
        if let Some((key, after)) = named {
            read.push(key);
            rest = after;
        } else {
            read.push(Key::plain(Code::Char(character)));
            rest = &rest[character.len_utf8()..];
        }
    }
    read
}
