//! The loop between keys, connection and screen.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use crossterm::event::{Event, KeyEvent, KeyEventKind};
use ratatui::DefaultTerminal;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::app::{Action, App};
use super::draw::{Status, draw};
use super::matchmaker::Matchmaker;
use crate::cli::content::ContentTables;
use crate::cli::driver::Driver;
use crate::client::{Client, GiveUp, Knowledge, Legend};

/// How a game ended.
pub(super) enum End {
    /// The player left; `goodbye`: for good.
    Left {
        goodbye: bool,
    },
    Lost(GiveUp),
}

/// Longest wait between two pictures.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);
/// Shortest wait between two pictures.
const REDRAW_PAUSE: Duration = Duration::from_millis(25);
const KEY_WAIT: Duration = Duration::from_millis(100);

/// Takes over the terminal until the player leaves; it is given back whatever happens.
pub(super) async fn run(
    driver: &mut Driver,
    tables: ContentTables,
    (mut matchmaker, said): (Matchmaker, mpsc::UnboundedReceiver<String>),
) -> anyhow::Result<End> {
    let terminal = ratatui::try_init().context("taking over the terminal")?;
    let ending = Arc::new(AtomicBool::new(false));
    let (keys, pressed) = mpsc::channel(64);
    let reader = std::thread::Builder::new().name("keys".to_owned()).spawn({
        let ending = Arc::clone(&ending);
        move || read_keys(&keys, &ending)
    });
    let end = match reader.context("starting the thread that reads keys") {
        Ok(reader) => {
            let end = play(driver, terminal, pressed, tables, &mut matchmaker, said).await;
            matchmaker.stop().await;
            ending.store(true, Ordering::Relaxed);
            // It ends within one wait; nothing is lost if it has panicked.
            let _ = reader.join();
            end
        }
        Err(error) => Err(error),
    };
    ratatui::restore();
    end
}

fn read_keys(keys: &mpsc::Sender<Event>, ending: &AtomicBool) -> io::Result<()> {
    while !ending.load(Ordering::Relaxed) {
        if crossterm::event::poll(KEY_WAIT)?
            && keys.blocking_send(crossterm::event::read()?).is_err()
        {
            break;
        }
    }
    Ok(())
}

async fn play(
    driver: &mut Driver,
    mut terminal: DefaultTerminal,
    mut keys: mpsc::Receiver<Event>,
    tables: ContentTables,
    matchmaker: &mut Matchmaker,
    mut said: mpsc::UnboundedReceiver<String>,
) -> anyhow::Result<End> {
    let mut app = App::new(tables);
    let legend = app.legend.clone();
    let mut drawn_at: Option<Instant> = None;
    loop {
        let now = Instant::now();
        let wait = drawn_at.map_or(now, |at| at + REDRAW_INTERVAL);
        let pressed = tokio::select! {
            biased;
            key = keys.recv() => Some(key.context("the terminal is gone")?),
            () = driver.step(wait) => None,
        };
        if let Some(why) = driver.over() {
            return Ok(End::Lost(why));
        }
        if let Some(text) = driver.client.take_notice() {
            app.say(format!("The message of the day: {text}"), false);
        }
        let time = driver.now();
        let events = driver.client.take_events();
        if let Some(known) = picture(&driver.client, &legend) {
            app.notice(time, &known, events);
        }
        while let Ok(line) = said.try_recv() {
            app.say(line, false);
        }
        if let Some(Event::Key(key)) = pressed {
            match press(driver, &mut app, &legend, key) {
                Some(Action::Quit { goodbye }) => return Ok(End::Left { goodbye }),
                Some(Action::Duel) => match driver.client.session() {
                    Some(session) => matchmaker.toggle(session.character),
                    None => app.say("Not while the connection is away.".to_owned(), false),
                },
                Some(Action::Give(_)) | None => {}
            }
        }
        run_errand(driver, &mut app, &legend);
        if drawn_at.is_none_or(|at| at.elapsed() >= REDRAW_PAUSE) {
            let status = status(driver);
            let known = picture(&driver.client, &legend);
            terminal
                .draw(|frame| draw(frame, &app, known.as_ref(), &status))
                .context("drawing on the terminal")?;
            drawn_at = Some(Instant::now());
        }
    }
}

fn picture<'a>(client: &'a Client, legend: &'a Legend) -> Option<Knowledge<'a>> {
    Some(Knowledge { legend, view: client.view()?, cells: client.cells()? })
}

fn press(driver: &mut Driver, app: &mut App, legend: &Legend, key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let known = picture(&driver.client, legend);
    match app.key(key, known.as_ref())? {
        Action::Give(command) => {
            let now = driver.now();
            if driver.client.command(now, command).is_none() && !driver.client.is_playing() {
                app.say("Not while the connection is away.".to_owned(), false);
            }
            driver.carry_out();
            None
        }
        action @ (Action::Quit { .. } | Action::Duel) => Some(action),
    }
}

fn run_errand(driver: &mut Driver, app: &mut App, legend: &Legend) {
    if app.errand.is_none() || driver.client.waiting() > 0 || !driver.client.is_playing() {
        return;
    }
    let Some(known) = picture(&driver.client, legend) else { return };
    if let Some(command) = app.run_errand(&known) {
        let now = driver.now();
        // Nothing waits, so there is room.
        let _ = driver.client.command(now, command);
        driver.carry_out();
    }
}

fn status(driver: &Driver) -> Status {
    let session = driver.client.session();
    Status {
        now: driver.now(),
        connected: driver.client.is_playing(),
        round_trip: driver.client.stats().round_trip,
        name: session.map(|s| s.name.clone()).unwrap_or_default(),
        ticks_per_second: session.map_or(20, |s| s.ticks_per_second),
        trouble: driver.trouble().map(str::to_owned),
    }
}
