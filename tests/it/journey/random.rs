//! Keys, mouse, pasted text and sizes at random: the interface never fails, and nothing on disk changes unless somebody was
//! asked.

use rustix::process::Signal;

use super::{Home, SCANNED};
use crate::support::pty::Session;
use crate::support::swap::seen;

/// Every action's keys but those that leave, suspend, or answer a question.
const KEYS: [&str; 53] = [
    "j", "k", "h", "l", "g", "G", "1", "2", "3", "4", "5", "\t", " ", "v", "a", "*", "u", "/", "s", "b", "m",
    "w", "!", "p", "L", "R", "V", "D", "z", "X", "r", "S", "?", "\x04", "\x15", "\x06", "\x02", "\x0c",
    "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[5~", "\x1b[6~", "\x1b[H", "\x1b[F", "\x1b[Z", "\x7f",
    "\x1bOP", "x", "0", "é", "\x1b[3~",
];
/// What answers, and what leads to questions.
const ANSWERS: [&str; 5] = ["\r", "y", "Y", "n", "\x1b"];
/// What every question says, and what one says that has to be typed.
const QUESTIONS: [&str; 2] = ["cancel: nothing is changed", "To do it all the same"];

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 20).unwrap() % limit
    }

    fn size(&mut self) -> (u16, u16) {
        let (columns, rows) = if self.below(8) == 0 { (500, 200) } else { (140, 50) };
        let cells = |limit: usize, random: &mut Self| u16::try_from(1 + random.below(limit)).unwrap();
        (cells(columns, self), cells(rows, self))
    }

    /// A size that is not the terminal's: the kernel tells nobody of one that it has already, and nothing is drawn.
    fn other_size(&mut self, session: &Session) -> (u16, u16) {
        loop {
            let size = self.size();
            if size != session.size() {
                return size;
            }
        }
    }

    /// One event. Whoever does not answer presses no key and clicks on nothing that would.
    fn event(&mut self, session: &mut Session, answers: bool) {
        match self.below(20) {
            0 => {
                let (columns, rows) = self.size();
                session.resize(columns, rows);
            }
            1 => {
                let text = ["y\n", "prune\r", "yes", "q", "\x1b[A", "ein Stück", "\0\x07"][self.below(7)];
                // Behind an Esc that was not read yet, crossterm 0.29 takes the two for one, and what is pasted for keys: a
                // key in between keeps them apart, as the time between two presses does.
                session.send(&format!("\x0c\x1b[200~{text}\x1b[201~"));
            }
            2 | 3 => {
                // Wheel and movement; pressed and let go.
                let (button, clicks) = ([64, 65, 35][self.below(3)], answers && self.below(2) == 0);
                let button = if clicks { 0 } else { button };
                let (column, row) = (1 + self.below(150), 1 + self.below(50));
                session.send(&format!("\x1b[<{button};{column};{row}M\x1b[<{button};{column};{row}m"));
            }
            4..=6 if answers => session.send(ANSWERS[self.below(ANSWERS.len())]),
            4 => session.send("\x1b"),
            _ => session.send(KEYS[self.below(KEYS.len())]),
        }
    }
}

/// Answers how many events there were before it ended.
fn journey(seed: u64, events: usize, answers: bool) -> usize {
    let home = Home::new();
    let looked = || [seen(&home.path().join("cache")), seen(&home.path().join("app"))];
    let before = looked();
    let mut session = home.open((120, 40), &[]);
    session.wait_for(SCANNED);
    let mut random = Random(seed | 1);
    let mut left = None;
    for number in 0..events {
        random.event(&mut session, answers);
        if number % 8 == 7 {
            // Another size is always drawn: what came before it has been answered by then.
            let (columns, rows) = random.other_size(&session);
            session.resize(columns, rows);
            if !session.wait_for_frame() {
                left = Some(number);
                break;
            }
        }
    }
    if left.is_none() {
        session.signal(Signal::TERM);
    }
    let end = session.end();
    let changed = looked() != before;
    let said = String::from_utf8_lossy(&end.raw).into_owned();
    // Whoever clicks may hit the words that leave.
    assert!(left.is_none() || answers, "seed {seed}: it ended by itself at {left:?}: {}", tail(&said));
    let code = if left.is_some() { 0 } else { 128 + 15 };
    assert_eq!((end.code, end.signal.as_deref()), (code, None), "seed {seed}: {}", tail(&said));
    assert!(!said.contains("panicked at"), "seed {seed}: {}", tail(&said));
    assert!(end.cooked && !end.screen.alternate_screen(), "seed {seed}: the terminal is as it was");
    let drawn = letters(&said);
    let asked = answers && QUESTIONS.iter().any(|title| drawn.contains(&letters(title)));
    assert!(!changed || asked, "seed {seed}: something has changed, and nobody was asked");
    left.unwrap_or(events)
}

/// Journeys of somebody who answers, until there were so many events.
fn answering(seed: u64, events: usize) {
    let mut done = 0;
    while done < events {
        done += 1 + journey(seed.wrapping_add(done as u64), events - done, true);
    }
}

/// What was written, without what moves the cursor and changes colours, and without spaces, over which the cursor is moved where they
/// are there already.
fn letters(raw: &str) -> String {
    let mut letters = String::new();
    let mut rest = raw.chars();
    while let Some(character) = rest.next() {
        if character != '\x1b' {
            letters.extend(Some(character).filter(|it| !it.is_whitespace() && !it.is_control()));
        } else if rest.next() == Some('[') {
            // Up to the letter that ends it.
            rest.by_ref().find(|it| ('@'..='~').contains(it));
        }
    }
    letters
}

fn tail(text: &str) -> String {
    let start = text.chars().count().saturating_sub(3_000);
    text.chars().skip(start).collect()
}

#[test]
fn whatever_is_pressed_nothing_changes_without_an_answer() {
    journey(0x5eed_0001, 400, false);
}

#[test]
fn whatever_is_pressed_and_answered_what_changes_was_asked_for() {
    answering(0x5eed_0002, 400);
}

#[test]
#[ignore = "some minutes: several thousand events"]
fn whatever_is_pressed_at_length() {
    for seed in 1..=5 {
        journey(seed * 0x9e37_79b9, 2_000, false);
        answering(seed * 0x85eb_ca6b, 2_000);
    }
}
