//! What fills the cache: bytes by package and by who holds them.

use std::collections::BTreeMap;

use crate::human;
use crate::snapshot::EntryState;
use crate::tui::glyphs::Glyphs;
use crate::tui::model::Model;
use crate::tui::model::facts::{Facts, entry_name};
use crate::tui::model::page::{Document, PageLine, Target, Tile};
use crate::tui::text::{self, Line, piece};
use crate::tui::theme::Role;

/// Who holds bytes, in the order of [`Tile::bytes`].
pub(in crate::tui) const HOLDERS: [Shade; 6] = [
    Shade { word: "one environment", short: "one", unicode: "▒", ascii: "1", role: Role::Used },
    Shade { word: "several", short: "several", unicode: "▓", ascii: "2", role: Role::Bar },
    Shade { word: "none found", short: "none", unicode: "░", ascii: "0", role: Role::Unused },
    Shade { word: "elsewhere", short: "elsewhere", unicode: "╱", ascii: "?", role: Role::Held },
    Shade { word: "uv's own files", short: "uv", unicode: "·", ascii: ".", role: Role::Dim },
    Shade { word: "users not known", short: "not known", unicode: "┄", ascii: "-", role: Role::Unknown },
];

/// How one kind of holder is drawn.
#[derive(Clone, Copy, Debug)]
pub(in crate::tui) struct Shade {
    /// Who it is.
    pub word: &'static str,
    /// The same in a word, where room is short.
    pub short: &'static str,
    unicode: &'static str,
    ascii: &'static str,
    /// Its colour.
    pub role: Role,
}

impl Shade {
    /// What its areas are filled with.
    pub(in crate::tui) fn fill(self, glyphs: Glyphs) -> &'static str {
        match glyphs {
            Glyphs::Unicode => self.unicode,
            Glyphs::Ascii => self.ascii,
        }
    }
}

/// The page of the picture: its lines are the bars, its tiles the map.
pub(super) fn document(model: &Model, width: usize) -> Document {
    let glyphs = model.settings.glyphs;
    let tiles = tiles(&model.facts);
    let total: u64 = tiles.iter().map(Tile::total).sum();
    let largest = tiles.first().map_or(0, Tile::total);
    let lines = tiles.iter().map(|tile| {
        let name_width = (width / 3).clamp(8, 32);
        let mut line: Line = vec![
            piece(
                format!(
                    " {} ",
                    text::pad(&text::clip(&tile.name, name_width, glyphs.ellipsis()), name_width)
                ),
                Role::Text,
            ),
            piece(format!("{} ", text::pad_left(&human::bytes(tile.total()), 10)), Role::Dim),
        ];
        let room = width.saturating_sub(name_width + 14);
        line.extend(shaded(tile, largest, room, glyphs));
        PageLine {
            line,
            target: (tile.bytes[4] == 0).then(|| Target::Package(tile.name.clone())),
            copy: Some(human::shell_os(tile.name.as_ref())),
        }
    });
    let title = format!("what fills the cache{}{}", glyphs.dot(), human::bytes(total));
    let mut sums = [0; 6];
    for tile in &tiles {
        sums.iter_mut().zip(tile.bytes).for_each(|(sum, bytes)| *sum += bytes);
    }
    Document { title, lines: lines.collect(), tiles, sums, ..Document::default() }
}

/// A bar in which each holder has its share.
fn shaded(tile: &Tile, largest: u64, room: usize, glyphs: Glyphs) -> Line {
    let cells = |bytes: u64| {
        let cells = u128::from(bytes) * room as u128 / u128::from(largest.max(1));
        usize::try_from(cells).unwrap_or(room)
    };
    let mut line = Line::new();
    let (mut bytes, mut used) = (0, 0);
    for (shade, part) in HOLDERS.iter().zip(tile.bytes) {
        bytes += part;
        let end = cells(bytes).max(used).max(usize::from(part > 0 && used == 0)).min(room);
        if end > used {
            line.push(piece(shade.fill(glyphs).repeat(end - used), shade.role));
        }
        used = end;
    }
    line
}

/// Bytes by package, the most first; then what uv keeps beside its archives.
fn tiles(facts: &Facts) -> Vec<Tile> {
    let snapshot = &facts.snapshot;
    let mut packages: BTreeMap<String, Tile> = BTreeMap::new();
    for (index, entry) in snapshot.entries() {
        let name = if entry.name.is_some() { entry_name(entry) } else { "(no name)".to_owned() };
        let tile = packages.entry(name.clone()).or_insert_with(|| Tile { name, bytes: [0; 6] });
        let holder = match facts.state(index.position()) {
            Some(EntryState::Protected | EntryState::Used) if snapshot.user_count(index) > 1 => 1,
            Some(EntryState::Protected | EntryState::Used) => 0,
            Some(EntryState::Unused | EntryState::Unreferenced) => 2,
            Some(EntryState::HeldElsewhere) => 3,
            None => 5,
        };
        tile.bytes[holder] += entry.disk;
    }
    let mut tiles: Vec<Tile> = packages.into_values().collect();
    for bucket in snapshot.cache.buckets.iter().filter(|bucket| !bucket.name.starts_with("archive-v")) {
        tiles.push(Tile {
            name: human::escape(&bucket.name).into_owned(),
            bytes: [0, 0, 0, 0, bucket.disk, 0],
        });
    }
    tiles.retain(|tile| tile.total() > 0);
    tiles.sort_by(|left, right| right.total().cmp(&left.total()).then_with(|| left.name.cmp(&right.name)));
    tiles
}
