//! A player: the client's state machine over real connections that a test may cut and change.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use undercroft::cli::http::Login;
use undercroft::client::{Client, Config, Credentials, GiveUp, Output};
use undercroft::model::Command;
use undercroft::net::Transport;
use undercroft::net::client::{Connected, Connector};
use undercroft::net::tls::Trust;
use undercroft::protocol::{CloseReason, View};

use super::DEADLINE;
use super::server::Addresses;
use super::wire::address;

/// One player.
pub(crate) struct Player {
    pub(crate) client: Client,
    at: Addresses,
    transport: Transport,
    connector: Connector,
    link: Option<Connected>,
    started: Instant,
    /// Why connections ended.
    pub(crate) closes: Vec<Option<CloseReason>>,
    pub(crate) over: Option<GiveUp>,
}

impl Player {
    /// A new guest that plays and has seen a picture.
    pub(crate) async fn join(at: Addresses, transport: Transport) -> Self {
        let login = at.http().guest().await.unwrap();
        Self::join_as(at, transport, &login).await
    }

    pub(crate) async fn join_as(at: Addresses, transport: Transport, login: &Login) -> Self {
        let credentials = Credentials {
            token: login.token.clone(),
            character: login.character,
            resume: String::new(),
        };
        let mut player = Self::new(at, transport, credentials);
        let plays = |client: &mut Client| client.is_playing().then(|| client.view().map(drop))?;
        player.until("joining", plays).await;
        player
    }

    pub(crate) fn new(at: Addresses, transport: Transport, credentials: Credentials) -> Self {
        Self {
            client: Client::new(Config::new(credentials, true, 1)),
            at,
            transport,
            connector: Connector::new(Trust::AnyOnLoopback),
            link: None,
            started: Instant::now(),
            closes: Vec::new(),
            over: None,
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn name(&self) -> String {
        self.client.session().unwrap().name.clone()
    }

    pub(crate) fn resume(&self) -> String {
        self.client.session().unwrap().resume.clone()
    }

    pub(crate) fn view(&self) -> &Arc<View> {
        self.client.view().unwrap()
    }

    /// Gives a command and its number.
    pub(crate) async fn command(&mut self, command: Command) -> u32 {
        let now = self.now();
        let number = self.client.command(now, command).expect("the command is taken");
        self.carry_out().await;
        number
    }

    /// Gives a command and waits until a frame covers it.
    pub(crate) async fn act(&mut self, command: Command) {
        let number = self.command(command).await;
        let done = |client: &mut Client| (client.last_acknowledged() >= number).then_some(());
        self.until("the command's frame", done).await;
    }

    /// Loses the connection without a word.
    pub(crate) fn cut(&mut self) {
        self.link = None;
        let now = self.now();
        self.client.handle_closed(now, None);
    }

    /// The next connection is made over another transport.
    pub(crate) fn change(&mut self, transport: Transport) {
        self.transport = transport;
    }

    /// Says goodbye and waits until the server has closed.
    pub(crate) async fn leave(mut self) {
        self.client.leave();
        while let Some(output) = self.client.poll_output() {
            if let (Output::Send(bytes), Some(link)) = (output, &self.link) {
                link.link.send(Bytes::from(bytes)).unwrap();
            }
        }
        let messages = &mut self.link.as_mut().unwrap().messages;
        super::within("the answer to goodbye", async { while messages.recv().await.is_some() {} })
            .await;
    }

    /// Plays on until `look` finds something.
    pub(crate) async fn until<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&mut Client) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(found) = look(&mut self.client) {
                return found;
            }
            assert!(Instant::now() < deadline, "{what}: not within {DEADLINE:?}; {self}");
            self.step().await;
        }
    }

    /// Plays on until so many more frames have come.
    pub(crate) async fn frames(&mut self, count: u64) {
        let wanted = self.client.stats().frames + count;
        self.until("frames", |client| (client.stats().frames >= wanted).then_some(())).await;
    }

    /// Plays on until it is welcome or it is over.
    pub(crate) async fn welcome_or_end(&mut self) {
        let deadline = Instant::now() + DEADLINE;
        while self.over.is_none() && !self.client.is_playing() {
            assert!(Instant::now() < deadline, "a welcome: not within {DEADLINE:?}; {self}");
            self.step().await;
        }
    }

    /// Plays on until it is over.
    pub(crate) async fn end(&mut self) -> GiveUp {
        let deadline = Instant::now() + DEADLINE;
        while self.over.is_none() {
            assert!(Instant::now() < deadline, "the end: not within {DEADLINE:?}; {self}");
            self.step().await;
        }
        self.over.unwrap()
    }

    async fn step(&mut self) {
        self.carry_out().await;
        let wait = Duration::from_millis(50);
        let due = self.client.poll_timeout().map_or(wait, |due| due.saturating_sub(self.now()));
        let receive = async {
            match &mut self.link {
                Some(link) => link.messages.recv().await,
                None => std::future::pending().await,
            }
        };
        if let Ok(message) = tokio::time::timeout(due.min(wait), receive).await {
            let now = self.now();
            match message {
                Some(bytes) => self.client.handle_message(now, &bytes),
                None => {
                    let reason = self.link.take().and_then(|link| link.link.closed().flatten());
                    self.closes.push(reason);
                    self.client.handle_closed(now, reason);
                }
            }
        }
        let now = self.now();
        if self.client.poll_timeout().is_some_and(|due| due <= now) {
            self.client.handle_timeout(now);
        }
        self.carry_out().await;
    }

    async fn carry_out(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Connect { .. } => {
                    let address = address(&self.at, self.transport);
                    let connected = self.connector.connect(self.transport, &address).await;
                    let now = self.now();
                    match connected {
                        Ok(link) => {
                            self.link = Some(link);
                            self.client.handle_open(now);
                        }
                        Err(_) => self.client.handle_closed(now, None),
                    }
                }
                Output::Send(bytes) => {
                    if let Some(link) = &self.link {
                        // A connection that is over says so when it is read.
                        let _ = link.link.send(Bytes::from(bytes));
                    }
                }
                Output::Disconnect => self.link = None,
                Output::GiveUp(why) => self.over = Some(why),
            }
        }
    }
}

impl std::fmt::Display for Player {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}, closes {:?}, over {:?}", self.client.stats(), self.closes, self.over)
    }
}
