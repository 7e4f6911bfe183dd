//! The map and the arrangement of everything around it.

use std::time::Duration;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};

use super::app::{App, Mode};
use super::panels;
use super::sight::is_in_sight;
use crate::cli::content::Rgb;
use crate::client::Knowledge;
use crate::model::{Cell, Pos};
use crate::protocol::view::{KIND_PLAYER, state};

/// What of the connection is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Status {
    pub(super) now: Duration,
    pub(super) connected: bool,
    pub(super) round_trip: Option<Duration>,
    pub(super) name: String,
    pub(super) ticks_per_second: u8,
    /// Why the newest attempt to connect failed.
    pub(super) trouble: Option<String>,
}

const SIDEBAR_COLUMNS: u16 = 26;
const LOG_ROWS: u16 = 6;
const NIGHT: Rgb = Rgb(8, 8, 12);

/// Draws everything.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    app: &App,
    known: Option<&Knowledge<'_>>,
    status: &Status,
) {
    let [upper, log] =
        Layout::vertical([Constraint::Min(5), Constraint::Length(LOG_ROWS)]).areas(frame.area());
    let [map, side] =
        Layout::horizontal([Constraint::Min(20), Constraint::Length(SIDEBAR_COLUMNS)]).areas(upper);
    match known {
        Some(known) => {
            draw_map(frame.buffer_mut(), map, app, known, status.now);
            panels::sidebar(frame, side, app, known, status);
        }
        None => panels::waiting(frame, upper, status),
    }
    panels::log(frame, log, app, known, status);
    match (&app.mode, known) {
        (Mode::Inventory { throw }, Some(known)) => {
            panels::inventory(frame, map, app, known, *throw);
        }
        (Mode::Item { slot }, Some(known)) => panels::item(frame, map, app, known, *slot),
        (Mode::Help, _) => panels::help(frame, upper),
        (Mode::Quit, _) => panels::quit(frame, upper),
        _ => {}
    }
}

/// The cell in the upper left corner of a window that keeps the player in the middle as far as the
/// edges allow.
pub(super) fn corner(known: &Knowledge<'_>, columns: u16, rows: u16) -> (u16, u16) {
    let along = |at: u16, window: u16, side: u16| {
        at.saturating_sub(window / 2).min(side.saturating_sub(window))
    };
    let here = known.here();
    (along(here.x, columns, known.cells.width()), along(here.y, rows, known.cells.height()))
}

fn draw_map(buffer: &mut Buffer, area: Rect, app: &App, known: &Knowledge<'_>, now: Duration) {
    let (left, top) = corner(known, area.width, area.height);
    for row in 0..area.height {
        for column in 0..area.width {
            let pos = Pos::new(left + column, top + row);
            let (glyph, fg, bg) = match known.cell(pos) {
                Some(cell) => cell_colors(app, known, pos, cell),
                None => (' ', NIGHT, NIGHT),
            };
            let target = &mut buffer[(area.x + column, area.y + row)];
            target.set_char(glyph).set_style(Style::new().fg(color(fg)).bg(color(bg)));
        }
    }
    let mut put = |pos: Pos, glyph: Option<char>, fg: Option<Rgb>, bg: Option<Rgb>| {
        let (Some(column), Some(row)) = (pos.x.checked_sub(left), pos.y.checked_sub(top)) else {
            return;
        };
        if column >= area.width || row >= area.height {
            return;
        }
        let target = &mut buffer[(area.x + column, area.y + row)];
        if let Some(glyph) = glyph {
            target.set_char(glyph);
        }
        if let Some(fg) = fg {
            target.set_fg(color(fg));
        }
        if let Some(bg) = bg {
            target.set_bg(color(bg));
        }
    };
    for actor in known.view.actors.iter().filter(|a| a.id != known.view.me.id) {
        let row = app.tables.kinds.get(usize::from(actor.kind));
        let (glyph, kind_color) = row.map_or(('?', Rgb(255, 0, 255)), |r| (r.glyph, r.color));
        let fg = match actor.kind {
            KIND_PLAYER => Rgb(120, 200, 255),
            _ if actor.state & state::ASLEEP != 0 => mix(kind_color, NIGHT, 110),
            _ => kind_color,
        };
        let bg = match actor.state {
            s if s & state::BURNING != 0 => Some(Rgb(150, 50, 0)),
            s if s & state::FRIENDLY != 0 && actor.kind != KIND_PLAYER => Some(Rgb(10, 50, 30)),
            _ => None,
        };
        put(actor.pos, Some(glyph), Some(fg), bg);
    }
    let me = if known.is_dead() { ('%', Rgb(200, 60, 60)) } else { ('@', Rgb(255, 255, 255)) };
    put(known.here(), Some(me.0), Some(me.1), None);
    for flash in app.flashes.iter().filter(|flash| flash.until > now) {
        for &pos in &flash.cells {
            put(pos, Some(flash.glyph), Some(flash.color), None);
        }
    }
    if let Mode::Target { cursor, .. } = app.mode {
        put(cursor, None, Some(Rgb(0, 0, 0)), Some(Rgb(240, 220, 80)));
    }
}

/// Glyph, foreground and background of a known cell without actors.
fn cell_colors(app: &App, known: &Knowledge<'_>, pos: Pos, cell: Cell) -> (char, Rgb, Rgb) {
    let row = app.tables.terrain.get(usize::from(cell.terrain()));
    let (mut glyph, mut fg, mut bg) =
        row.map_or(('?', Rgb(255, 0, 255), NIGHT), |row| (row.glyph, row.fg, row.bg));
    if let Some(look) = app.tables.looks.get(usize::from(cell.item())).filter(|_| cell.item() != 0)
    {
        (glyph, fg) = (look.glyph, look.color);
    }
    if !is_in_sight(known, pos) {
        return (glyph, mix(fg, NIGHT, 140), mix(bg, NIGHT, 150));
    }
    let (gas, level) = cell.gas();
    if let Some(gas) = app.tables.gases.get(usize::from(gas)).filter(|_| level > 0) {
        bg = mix(bg, gas.color, 40 + 20 * u32::from(level));
    }
    if cell.burns() {
        (glyph, fg, bg) = ('^', Rgb(255, 220, 90), Rgb(190, 70, 10));
    }
    (glyph, fg, bg)
}

/// Moves a colour so many 256ths towards another.
fn mix(from: Rgb, to: Rgb, share: u32) -> Rgb {
    let one = |a: u8, b: u8| ((u32::from(a) * (256 - share) + u32::from(b) * share) / 256) as u8;
    Rgb(one(from.0, to.0), one(from.1, to.1), one(from.2, to.2))
}

pub(super) fn color(rgb: Rgb) -> Color {
    Color::Rgb(rgb.0, rgb.1, rgb.2)
}
