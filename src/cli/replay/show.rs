//! Plays a recording in the terminal.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::ensure;
use crossterm::event::{self, Event, KeyCode, KeyEventKind};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::game::catalog::monsters;
use crate::game::state::ZoneState;
use crate::model::Tick;
use crate::model::limits::{NO_ACTOR, TICKS_PER_SECOND_DEFAULT};
use crate::zone::{Recording, Replayer};

/// What the viewer is about.
struct Viewer {
    recording: Recording,
    replayer: Replayer,
    next: usize,
    speed: f64,
    paused: bool,
    /// Whom the view follows, among the players.
    follow: usize,
}

/// Shows the recording from `from` on.
pub(super) fn run(recording: Recording, from: Tick, speed: f64) -> anyhow::Result<ExitCode> {
    ensure!((0.1..=1_000.0).contains(&speed), "speed is {speed}; it must be 0.1 to 1000");
    let replayer = recording.replayer()?;
    let mut viewer = Viewer { recording, replayer, next: 0, speed, paused: false, follow: 0 };
    while viewer.replayer.state().tick < from && viewer.advance()? {}
    let mut terminal = ratatui::init();
    let result = viewer.play(&mut terminal);
    ratatui::restore();
    result.map(|()| ExitCode::SUCCESS)
}

impl Viewer {
    /// Re-runs one tick; false at the end.
    fn advance(&mut self) -> anyhow::Result<bool> {
        let Some(entry) = self.recording.entries.get(self.next) else { return Ok(false) };
        self.replayer.apply(entry)?;
        self.next += 1;
        Ok(true)
    }

    fn play(&mut self, terminal: &mut ratatui::DefaultTerminal) -> anyhow::Result<()> {
        let tick = Duration::from_secs(1) / TICKS_PER_SECOND_DEFAULT;
        let mut due = Instant::now();
        loop {
            terminal.draw(|frame| self.draw(frame))?;
            let wait =
                if self.paused { tick } else { due.saturating_duration_since(Instant::now()) };
            if event::poll(wait.min(tick))? {
                let Event::Key(key) = event::read()? else { continue };
                if key.kind == KeyEventKind::Press && !self.handle_key(key.code)? {
                    return Ok(());
                }
            }
            let mut steps = 0;
            while !self.paused && Instant::now() >= due && steps < 200 {
                self.paused = !self.advance()?;
                due += tick.div_f64(self.speed);
                steps += 1;
            }
            if self.paused || steps == 200 {
                due = Instant::now();
            }
        }
    }

    /// False to end.
    #[expect(clippy::wildcard_enum_match_arm, reason = "there are many keys")]
    fn handle_key(&mut self, key: KeyCode) -> anyhow::Result<bool> {
        match key {
            KeyCode::Char('q') | KeyCode::Esc => return Ok(false),
            KeyCode::Char(' ') => self.paused = !self.paused,
            KeyCode::Char('+') | KeyCode::Up => self.speed = (self.speed * 2.0).min(1_000.0),
            KeyCode::Char('-') | KeyCode::Down => self.speed = (self.speed / 2.0).max(0.1),
            KeyCode::Char('.') | KeyCode::Right => {
                self.paused = true;
                self.advance()?;
            }
            KeyCode::Tab => self.follow += 1,
            KeyCode::Home => {
                self.replayer = self.recording.replayer()?;
                self.next = 0;
            }
            _ => {}
        }
        Ok(true)
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let [map, status] =
            Layout::vertical([Constraint::Min(1), Constraint::Length(1)]).areas(frame.area());
        let state = self.replayer.state();
        frame.render_widget(Paragraph::new(self.lines(state, map)), map);
        let text = format!(
            " zone {} tick {} of {} · {} players · {}x{} · space pause, +/- speed, . step, tab follow, q quit",
            state.zone,
            state.tick,
            self.recording.entries.last().map_or(state.tick, |e| e.tick),
            state.players.len(),
            self.speed,
            if self.paused { " paused" } else { "" },
        );
        frame.render_widget(Paragraph::new(text).style(Style::new().fg(Color::Gray)), status);
    }

    fn lines(&self, state: &ZoneState, area: Rect) -> Vec<Line<'static>> {
        let bodies: Vec<_> = state.players.values().filter(|p| p.slot != NO_ACTOR).collect();
        let centre = match bodies.get(self.follow % bodies.len().max(1)) {
            Some(player) => state.pos(state.actors[usize::from(player.slot)].cell),
            None => state.up,
        };
        let start = |centre: u16, shown: u16, whole: u16| {
            centre.saturating_sub(shown / 2).min(whole.saturating_sub(shown))
        };
        let left = start(centre.x, area.width, state.width);
        let top = start(centre.y, area.height, state.height);
        let rows = top..state.height.min(top + area.height);
        let columns = left..state.width.min(left + area.width);
        let cell = |x: u16, y: u16| {
            self.cell(state, usize::from(y) * usize::from(state.width) + usize::from(x))
        };
        rows.map(|y| Line::from(columns.clone().map(|x| cell(x, y)).collect::<Vec<_>>())).collect()
    }

    fn cell(&self, state: &ZoneState, index: usize) -> Span<'static> {
        let row = state.terrain[index].row();
        let (mut glyph, mut color, mut ground) = (row.glyph, row.colors.0, row.colors.1);
        if let Some(item) = state.items.get(&(index as u32)) {
            let kind = item.kind.row();
            (glyph, color) = (kind.category.traits().1, kind.color);
        }
        let slot = state.derived.occupant[index];
        if slot != NO_ACTOR {
            let actor = &state.actors[usize::from(slot)];
            if actor.kind == 0 {
                (glyph, color) = ('@', 0x00ff_ffff);
            } else {
                let monster = monsters::row(actor.kind);
                (glyph, color) = (monster.glyph, monster.color);
            }
        }
        if state.fire[index] > 0 {
            ground = 0x00b0_4010;
        } else if state.gas.iter().any(|plane| plane[index] > 8) {
            ground = 0x0030_4020;
        }
        let rgb = |c: u32| Color::Rgb((c >> 16) as u8, (c >> 8) as u8, c as u8);
        Span::styled(glyph.to_string(), Style::new().fg(rgb(color)).bg(rgb(ground)))
    }
}
