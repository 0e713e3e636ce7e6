//! Where everything is. `view` draws by it, and `update` finds by it what the mouse is on.
//!
//! ```text
//!  header   what the cache is and holds
//!  tabs     1 Entries  2 Environments  3 Links  4 Locks  5 Plan     the scan
//! ╭ list ───────────────────────────────╮╭ detail ───────────────╮
//! │ column headings                     ││                       │
//! │ rows                                ││                       │
//! ╰─────────────────────────────────────╯╰───────────────────────╯
//!  note     in the view of the plan, where no detail is beside it: the row's reason, whole
//!  sums     where there are some: the running task, what the plan comes to, or the marks
//!  status   the answer to the last key, else the filter and where the cursor is
//!  footer   the keys that are valid now
//! ```
//! Below 100 columns (150 for all but entries) the detail takes the list's place when it is opened; below 60 columns or 14 rows there are no
//! borders; below 20 columns or 5 rows there is only a line that asks for room.

use ratatui::layout::Rect;

use super::model::page::{Page, PageKind};
use super::model::{Model, Pane, View};

/// The least width in which anything is shown, in cells.
pub(super) const LEAST_WIDTH: u16 = 20;
/// The least height in which anything is shown, in cells.
pub(super) const LEAST_HEIGHT: u16 = 5;
/// From this height on, in cells, sums have a line of their own; below it they share the status line, and come first.
pub(super) const WITH_SUMS: u16 = 9;
/// The height of the note below the list, in cells.
const NOTE: u16 = 3;
/// From this width on the detail stands beside the list. Environments have long paths and many columns.
fn wide(view: View) -> u16 {
    match view {
        View::Entries => 100,
        View::Environments | View::Links | View::Locks | View::Plan => 150,
    }
}

/// A pane: its outside, and what is left inside its border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    /// With the border.
    pub outer: Rect,
    /// Without it.
    pub inner: Rect,
}

/// Where everything is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Layout {
    /// The first line.
    pub header: Option<Rect>,
    /// The line of tabs.
    pub tabs: Option<Rect>,
    /// Everything between the tabs and the status line.
    pub body: Rect,
    /// The list, unless the detail has taken its place.
    pub list: Option<Area>,
    /// Below it, what a column of the row under the cursor had no room for.
    pub note: Option<Rect>,
    /// The detail, when it is on the screen.
    pub detail: Option<Area>,
    /// Where the list is when the detail has taken its place.
    behind: Option<Area>,
    /// What the task, the plan or the marks come to, where there are any: no answer lies over it.
    pub sums: Option<Rect>,
    /// The status line.
    pub status: Option<Rect>,
    /// The last line.
    pub footer: Option<Rect>,
    /// Whether panes have borders.
    pub bordered: bool,
}

impl Layout {
    /// The layout of a model's screen.
    pub(super) fn of(model: &Model) -> Self {
        let (width, height) = model.size;
        if width < LEAST_WIDTH || height < LEAST_HEIGHT {
            return Self::default();
        }
        let line = |y: u16| Some(Rect::new(0, y, width, 1));
        let mut layout = Self { bordered: width >= 60 && height >= 14, ..Self::default() };
        let mut top = 0;
        if height >= 8 {
            layout.header = line(0);
            top = 1;
        }
        layout.tabs = line(top);
        top += 1;
        let mut bottom = height;
        if height >= 7 {
            bottom -= 1;
            layout.footer = line(bottom);
        }
        bottom -= 1;
        layout.status = line(bottom);
        if height >= WITH_SUMS && model.has_sums() {
            bottom -= 1;
            layout.sums = line(bottom);
        }
        layout.body = Rect::new(0, top, width, bottom - top);
        if width >= wide(model.view) {
            let beside = (width * 3 / 8).clamp(42, 84);
            let (left, right) = (width - beside, beside);
            layout.list = Some(layout.area(Rect { width: left, ..layout.body }));
            layout.detail = Some(layout.area(Rect { x: left, width: right, ..layout.body }));
        } else {
            // The view of the plan tells why in sentences.
            let note = if model.view == View::Plan && height >= 20 { NOTE } else { 0 };
            let list = Rect { height: layout.body.height - note, ..layout.body };
            if model.pane == Pane::Detail {
                layout.detail = Some(layout.area(layout.body));
                layout.behind = Some(layout.area(list));
            } else {
                layout.list = Some(layout.area(list));
                layout.note = (note > 0).then(|| Rect { y: list.bottom(), height: note, ..list });
            }
        }
        layout
    }

    fn area(&self, outer: Rect) -> Area {
        let inner = if self.bordered {
            Rect {
                x: outer.x + 1,
                y: outer.y + 1,
                width: outer.width.saturating_sub(2),
                height: outer.height.saturating_sub(2),
            }
        } else {
            outer
        };
        Area { outer, inner }
    }

    /// Where the list's rows are, below their headings; of the last list that was on the screen, or would be.
    pub(super) fn rows(&self) -> Option<Rect> {
        let list = self.list.or(self.behind)?.inner;
        Some(Rect { y: list.y + 1, height: list.height.saturating_sub(1), ..list })
    }

    /// Where a page lies that is laid over the lists.
    pub(super) fn layer(&self, page: &Page) -> Area {
        let body = self.body;
        let wide = match page.kind {
            PageKind::Sort => 34,
            PageKind::Menu(_) => 60,
            // Paths are long: they are broken only where there is no room.
            PageKind::Confirm(..) | PageKind::Report(..) => (body.width * 3 / 4).clamp(76, 120),
            _ => return self.area(body),
        };
        if body.width < 30 {
            return self.area(body);
        }
        let lines = u16::try_from(page.document.lines.len()).unwrap_or(u16::MAX);
        let frame = if self.bordered { 2 } else { 0 };
        let height = lines.max(3).saturating_add(frame).min(body.height);
        let width = wide.min(body.width);
        self.area(Rect {
            x: body.x + (body.width - width) / 2,
            y: body.y + (body.height - height) / 3,
            width,
            height,
        })
    }
}
