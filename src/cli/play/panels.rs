//! Sidebar, log and the pages over the map.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Wrap};

use super::app::{Aim, App, Mode};
use super::draw::{Status, color};
use super::keys::HELP;
use crate::client::Knowledge;
use crate::protocol::ActorView;
use crate::protocol::view::{KIND_PLAYER, item, me, state};

const DIM: Color = Color::Rgb(130, 126, 145);
const PLAIN: Color = Color::Rgb(205, 200, 215);
const BRIGHT: Color = Color::Rgb(255, 232, 160);
const BAR_CELLS: usize = 20;

/// Health, numbers, effects and who is in sight.
pub(super) fn sidebar(
    frame: &mut Frame<'_>,
    area: Rect,
    app: &App,
    known: &Knowledge<'_>,
    status: &Status,
) {
    let view = known.view;
    let mine = &view.me;
    let place = &view.place;
    let mut lines = vec![
        Line::styled(status.name.clone(), Style::new().fg(BRIGHT).add_modifier(Modifier::BOLD)),
        bar(u32::from(mine.hp), u32::from(mine.hp_max), Color::Rgb(170, 40, 50)),
        bar(mine.xp, mine.xp_next.max(1), Color::Rgb(60, 80, 150)),
        plain(format!("{}  depth {}", place.name, place.depth)),
        plain(format!("level {}   gold {}", mine.level, mine.gold)),
        plain(format!("strength {}  armor {}", mine.strength, mine.armor)),
        plain(format!("stealth {}", mine.stealth)),
        connection(status),
    ];
    for (flag, text) in [(me::DEAD, "dead"), (me::SNEAKING, "sneaking"), (me::GUARDED, "guarded")] {
        if mine.flags & flag != 0 {
            lines.push(Line::styled(text, Style::new().fg(BRIGHT)));
        }
    }
    for effect in &mine.effects {
        let row = app.tables.effects.get(usize::from(effect.kind));
        let (name, fg) =
            row.map_or(("strange", PLAIN), |row| (row.name.as_str(), color(row.color)));
        let ticks = effect.until.saturating_sub(view.tick as u32);
        let seconds = ticks / u32::from(status.ticks_per_second.max(1));
        lines.push(Line::styled(format!("{name} {seconds} s"), Style::new().fg(fg)));
    }
    lines.push(Line::default());
    let mut actors: Vec<_> = view.actors.iter().filter(|a| a.id != mine.id).collect();
    actors.sort_by_key(|a| (a.pos.chebyshev(mine.pos), a.id));
    lines.extend(actors.into_iter().map(|actor| actor_line(app, actor)));
    lines.truncate(area.height.into());
    let block = Block::new().borders(Borders::LEFT).border_style(Style::new().fg(DIM));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn plain(text: String) -> Line<'static> {
    Line::styled(text, Style::new().fg(PLAIN))
}

fn connection(status: &Status) -> Line<'static> {
    match (status.connected, status.round_trip) {
        (false, _) => Line::styled("connection lost...", Style::new().fg(Color::LightRed)),
        (true, Some(rtt)) => {
            Line::styled(format!("ping {} ms", rtt.as_millis()), Style::new().fg(DIM))
        }
        (true, None) => Line::styled("ping ?", Style::new().fg(DIM)),
    }
}

fn bar(value: u32, most: u32, fill: Color) -> Line<'static> {
    let most = most.max(1);
    let filled = (value.min(most) as usize * BAR_CELLS).div_ceil(most as usize);
    let text = format!("{:^BAR_CELLS$}", format!("{value} / {most}"));
    let (full, empty) = text.split_at(filled.min(text.len()));
    Line::from(vec![
        Span::styled(full.to_owned(), Style::new().fg(Color::White).bg(fill)),
        Span::styled(empty.to_owned(), Style::new().fg(PLAIN).bg(Color::Rgb(34, 32, 42))),
    ])
}

fn actor_line(app: &App, actor: &ActorView) -> Line<'static> {
    let row = app.tables.kinds.get(usize::from(actor.kind));
    let name = match row {
        _ if actor.kind == KIND_PLAYER => actor.name.to_string(),
        Some(row) => row.name.clone(),
        None => "something".to_owned(),
    };
    let (glyph, fg) = row.map_or(('?', PLAIN), |row| (row.glyph, color(row.color)));
    let health = usize::from(actor.health.min(15)) * 5 / 15;
    let mood = [
        (state::ASLEEP, "asleep"),
        (state::FLEEING, "fleeing"),
        (state::BURNING, "burning"),
        (state::HELD, "held"),
        (state::CONFUSED, "confused"),
    ];
    let mood = mood.iter().find(|(bit, _)| actor.state & bit != 0).map_or("", |(_, text)| text);
    Line::from(vec![
        Span::styled(format!("{glyph} "), Style::new().fg(fg)),
        Span::styled(format!("{:<5} ", "#".repeat(health)), Style::new().fg(Color::LightRed)),
        Span::styled(format!("{name} {mood}"), Style::new().fg(PLAIN)),
    ])
}

/// The newest lines, with the line for chat or the target below.
pub(super) fn log(
    frame: &mut Frame<'_>,
    area: Rect,
    app: &App,
    known: Option<&Knowledge<'_>>,
    status: &Status,
) {
    let rows = usize::from(area.height.saturating_sub(1));
    let prompt = match &app.mode {
        Mode::Chat { text } => Some(format!("say: {text}_")),
        Mode::Target { aim, cursor } => {
            let hint = match aim {
                Aim::Look => "Tab next enemy, Enter walks there, Esc",
                Aim::Throw { .. } => "throw where? Tab next enemy, Enter throws, Esc",
                Aim::UseAt { .. } => "aim where? Tab next enemy, Enter, Esc",
            };
            let seen = known.map(|known| app.describe(known, *cursor)).unwrap_or_default();
            Some(format!("{seen} ({hint})"))
        }
        Mode::Walk | Mode::Inventory { .. } | Mode::Item { .. } | Mode::Help | Mode::Quit => {
            status.trouble.clone().filter(|_| !status.connected)
        }
    };
    let kept = rows.saturating_sub(usize::from(prompt.is_some()));
    let skip = app.log.len().saturating_sub(kept);
    let mut lines: Vec<Line<'_>> = app
        .log
        .iter()
        .enumerate()
        .skip(skip)
        .map(|(number, line)| {
            let newest = number + 1 == app.log.len();
            let fg = match (line.is_chat, newest) {
                (true, _) => Color::Rgb(120, 200, 255),
                (false, true) => PLAIN,
                (false, false) => DIM,
            };
            let count = if line.count > 1 { format!(" (x{})", line.count) } else { String::new() };
            Line::styled(format!("{}{count}", line.text), Style::new().fg(fg))
        })
        .collect();
    if let Some(prompt) = prompt {
        lines.push(Line::styled(prompt, Style::new().fg(BRIGHT)));
    }
    let block = Block::new().borders(Borders::TOP).border_style(Style::new().fg(DIM));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// The page before the first picture.
pub(super) fn waiting(frame: &mut Frame<'_>, area: Rect, status: &Status) {
    let mut lines = vec![Line::styled("Entering the undercroft...", Style::new().fg(BRIGHT))];
    lines.extend(status.trouble.clone().map(plain));
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), area);
}

pub(super) fn inventory(
    frame: &mut Frame<'_>,
    area: Rect,
    app: &App,
    known: &Knowledge<'_>,
    throw: bool,
) {
    let mut lines = Vec::new();
    for item in known.view.inventory.iter() {
        let letter = char::from(b'a' + item.slot.min(25));
        let look = app.tables.looks.get(usize::from(item.look));
        let (glyph, fg) = look.map_or(('?', PLAIN), |row| (row.glyph, color(row.color)));
        let tone = if item.flags & item::EQUIPPED != 0 { BRIGHT } else { PLAIN };
        lines.push(Line::from(vec![
            Span::styled(format!("{letter}) "), Style::new().fg(DIM)),
            Span::styled(format!("{glyph} "), Style::new().fg(fg)),
            Span::styled(app.item_name(item), Style::new().fg(tone)),
        ]));
    }
    if lines.is_empty() {
        lines.push(plain("You carry nothing.".to_owned()));
    }
    page(frame, area, if throw { "Throw what?" } else { "Inventory" }, lines);
}

pub(super) fn item(frame: &mut Frame<'_>, area: Rect, app: &App, known: &Knowledge<'_>, slot: u8) {
    let Some(item) = known.view.inventory.iter().find(|item| item.slot == slot) else { return };
    let mut lines = Vec::new();
    if let Some(row) = app.tables.looks.get(usize::from(item.look)) {
        lines.extend(wrapped(&row.description, 40).into_iter().map(plain));
    }
    if item.flags & item::MALEVOLENT != 0 {
        let text = "It is known to do harm.".to_owned();
        lines.push(Line::styled(text, Style::new().fg(Color::LightRed)));
    }
    lines.push(Line::default());
    let can = |flag: u8| item.flags & flag != 0;
    let deeds = [
        (can(item::USABLE | item::TARGETED), "u  use"),
        (can(item::WEARABLE) && !can(item::EQUIPPED), "e  equip"),
        (can(item::WEARABLE) && can(item::EQUIPPED), "e  put away"),
        (true, "t  throw"),
        (true, "d  drop"),
    ];
    lines.extend(deeds.into_iter().filter(|(can, _)| *can).map(|(_, text)| plain(text.to_owned())));
    page(frame, area, &app.item_name(item), lines);
}

/// Breaks text into lines of at most so many characters.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

pub(super) fn help(frame: &mut Frame<'_>, area: Rect) {
    let lines = HELP.iter().map(|(keys, text)| {
        Line::from(vec![
            Span::styled(format!("{keys:<16} "), Style::new().fg(BRIGHT)),
            Span::styled(*text, Style::new().fg(PLAIN)),
        ])
    });
    page(frame, area, "Keys", lines.collect());
}

pub(super) fn quit(frame: &mut Frame<'_>, area: Rect) {
    let lines = [
        "y  leave the world; the character rests",
        "k  only close this window; the character stays, guarded",
        "any other key: stay",
    ];
    page(frame, area, "Leave?", lines.iter().map(|text| plain((*text).to_owned())).collect());
}

/// A box in the middle, as large as its lines.
fn page(frame: &mut Frame<'_>, area: Rect, title: &str, lines: Vec<Line<'_>>) {
    let widest = lines.iter().map(Line::width).max().unwrap_or(0).max(title.chars().count());
    let width = (widest as u16 + 4).min(area.width);
    let height = (lines.len() as u16 + 2).min(area.height);
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    let block = Block::bordered()
        .title(format!(" {title} "))
        .border_style(Style::new().fg(BRIGHT))
        .style(Style::new().bg(Color::Rgb(16, 14, 22)));
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block), place);
}
