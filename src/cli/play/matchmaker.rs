//! Looks for somebody to fight a duel with, and follows the ticket until it has led to the arena.

use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::cli::http::{Refused, Server};
use crate::model::CharacterId;

const ASK_AFTER: Duration = Duration::from_secs(1);
/// How often in a row the services may not answer.
const FAILURES_MAX: u32 = 30;
/// How long a player who leaves waits for the ticket to be given back.
const STOP_TIME_MAX: Duration = Duration::from_millis(500);
const TICKETS: &str = "/api/matchmaking/tickets";

/// What is said to the player comes out of the receiver that it was made with.
#[derive(Debug)]
pub struct Matchmaker {
    server: Server,
    /// Of the account; a session that is gone on with has none.
    token: Option<String>,
    say: mpsc::UnboundedSender<String>,
    search: Option<Search>,
}

#[derive(Debug)]
struct Search {
    task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Matchmaker {
    pub fn new(server: Server, token: Option<String>) -> (Self, mpsc::UnboundedReceiver<String>) {
        let (say, said) = mpsc::unbounded_channel();
        (Self { server, token, say, search: None }, said)
    }

    /// Begins to look for an opponent, or stops.
    pub fn toggle(&mut self, character: CharacterId) {
        if let Some(search) = self.search.take().filter(|search| !search.task.is_finished()) {
            // An error: the search has just ended by itself.
            let _ = search.stop.send(());
            return;
        }
        let Some(token) = self.token.clone() else {
            self.tell("Log in with --name to look for a duel: a resumed session is not enough.");
            return;
        };
        self.tell("You look for an opponent. Press m again to stop.");
        let (stop, stopped) = oneshot::channel();
        let wish = Wish { server: self.server.clone(), token, character, say: self.say.clone() };
        let task = tokio::spawn(async move {
            if let Err(error) = wish.follow(stopped).await {
                let why = match error.downcast_ref::<Refused>() {
                    Some(refused) => refused.sentence.clone(),
                    None => format!("{error:#}"),
                };
                wish.tell(format!("No duel: {why}"));
            }
        });
        self.search = Some(Search { task, stop });
    }

    /// Stops looking, unless the call has come already.
    pub async fn stop(&mut self) {
        if let Some(Search { task, stop }) = self.search.take() {
            let _ = stop.send(());
            // An error: it takes too long, or has panicked; the ticket runs out by itself.
            let _ = tokio::time::timeout(STOP_TIME_MAX, task).await;
        }
    }

    fn tell(&self, line: &str) {
        // An error: nobody plays any more.
        let _ = self.say.send(line.to_owned());
    }
}

/// A duel that a player wants.
struct Wish {
    server: Server,
    token: String,
    character: CharacterId,
    say: mpsc::UnboundedSender<String>,
}

impl Wish {
    async fn follow(&self, mut stopped: oneshot::Receiver<()>) -> anyhow::Result<()> {
        let body = json!({ "character": self.character.to_string(), "mode": "duel" });
        let key = getrandom::u64().context("asking the operating system for random bytes")?;
        let key = format!("{key:016x}");
        let request = || self.server.wish(&key, TICKETS, &self.token, &body);
        let mut ticket = patiently(request).await?;
        let id = ticket["ticket"].as_str().context("the ticket has no number")?.to_owned();
        let path = format!("{TICKETS}/{id}");
        let take_up = format!("{path}/take-up");
        let mut is_matched = false;
        loop {
            let allocation = &ticket["allocation"];
            let progress = &allocation["progress"][self.character.to_string()];
            match ticket["state"].as_str().unwrap_or_default() {
                "over" | "expired" | "cancelled" => {
                    self.tell("Nobody came to the duel.".to_owned());
                    return Ok(());
                }
                "called" if progress == "arrived" => return Ok(()),
                _ => {}
            }
            if !allocation.is_null() && !std::mem::replace(&mut is_matched, true) {
                self.tell(announcement(allocation));
            }
            let takes_up = ticket["state"] == "allocated" && progress.is_null();
            if !takes_up {
                tokio::select! {
                    () = tokio::time::sleep(ASK_AFTER) => {}
                    _ = &mut stopped => {
                        self.ask("DELETE", &path).await?;
                        self.tell("You no longer look for an opponent.".to_owned());
                        return Ok(());
                    }
                }
            }
            let (method, path) = if takes_up { ("POST", &take_up) } else { ("GET", &path) };
            ticket = patiently(|| self.ask(method, path)).await?;
        }
    }

    async fn ask(&self, method: &str, path: &str) -> anyhow::Result<Value> {
        self.server.ask(method, path, Some(&self.token), None).await
    }

    fn tell(&self, line: String) {
        let _ = self.say.send(line);
    }
}

/// Asks again while the services do not answer: tickets live on without them.
async fn patiently<T, A>(mut ask: impl FnMut() -> A) -> anyhow::Result<T>
where
    A: Future<Output = anyhow::Result<T>>,
{
    let is_final = |error: &anyhow::Error| {
        error.downcast_ref::<Refused>().is_some_and(|refused| refused.status < 500)
    };
    let mut failures = 0;
    loop {
        match ask().await {
            Err(error) if failures < FAILURES_MAX && !is_final(&error) => {
                failures += 1;
                tokio::time::sleep(ASK_AFTER).await;
            }
            answer => return answer,
        }
    }
}

fn announcement(allocation: &Value) -> String {
    let against = allocation["against"].as_array().into_iter().flatten();
    let names: Vec<_> = against.filter_map(|it| it["name"].as_str()).collect();
    let arena = allocation["arena"].as_str().unwrap_or("the arena");
    format!("{} will meet you in {arena}.", names.join(" and "))
}
