//! How long a key and its frame take over lists of very different lengths: `cargo bench --bench frame`.
//!
//! Only the visible rows are built, so the time must not grow with the list. The figures are printed, not judged.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints its figures, and fails loudly"
)]
#![expect(clippy::disallowed_methods, reason = "a benchmark has to look at the clock")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use cachetui::tui::{Event, Glyphs, Keymap, Model, Moment, Settings, Theme, update, view};
use cachetui::worker::ScanEvent;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

#[path = "../tests/it/support/sample.rs"]
#[expect(dead_code, reason = "the benchmark needs only the vast sample")]
mod sample;

const ROUNDS: u32 = 200;

fn main() {
    println!("{:>10} {:>8} {:>14} {:>14}", "rows", "screen", "key and frame", "slowest");
    for rows in [100, 10_000, 1_000_000] {
        for (width, height) in [(80, 24), (200, 60)] {
            let (mean, slowest) = measure(rows, width, height);
            println!("{rows:>10} {:>8} {mean:>14.1?} {slowest:>14.1?}", format!("{width}x{height}"));
        }
    }
}

/// The mean and the longest time from a key to the frame that shows it.
fn measure(rows: usize, width: u16, height: u16) -> (Duration, Duration) {
    let moment = Moment { elapsed: Duration::from_millis(10), now: sample::now() };
    let settings = Settings {
        keymap: Keymap::default(),
        theme: Theme::dark(),
        glyphs: Glyphs::Unicode,
        home: None,
        cache: "/home/ada/.cache/uv".into(),
        grace: cachetui::plan::GRACE,
        demo: false,
    };
    let mut model = Model::new(settings, width, height, moment);
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    update(&mut model, Event::ScanStarted, moment);
    update(&mut model, Event::Scan(ScanEvent::Finished(Arc::new(sample::vast(rows)))), moment);
    let (mut sum, mut slowest) = (Duration::ZERO, Duration::ZERO);
    for round in 0..ROUNDS {
        let key = if round % 10 == 9 { "k" } else { "j" }.parse().unwrap();
        let before = Instant::now();
        update(&mut model, Event::Key(key), moment);
        terminal.draw(|frame| view(&model, frame)).unwrap();
        let taken = before.elapsed();
        sum += taken;
        slowest = slowest.max(taken);
    }
    (sum / ROUNDS, slowest)
}
