//! The clients of the bare servers: each sends inputs at a steady rate and reads every frame.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use quinn::Endpoint;
use quinn::rustls::RootCertStore;
use quinn::rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

use super::floor;

/// The name in the certificate of a bare server.
pub(super) const NAME: &str = "localhost";

/// Where the clients go.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Websocket(SocketAddr),
    Quic { address: SocketAddr, certificate: Vec<u8> },
}

/// What the clients do.
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub target: Target,
    pub clients: u32,
    pub inputs_per_second: f64,
    pub input_bytes: usize,
    /// How long is measured once all are connected.
    pub measure: Duration,
}

/// What the clients saw while it was measured. Times are in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub frames: u64,
    pub frame_bytes: u64,
    pub inputs: u64,
    pub frame_intervals: Vec<f64>,
    pub command_to_frame: Vec<f64>,
}

/// How far the clients are, for whoever measures the server meanwhile.
#[derive(Debug, Default)]
pub(super) struct Progress {
    connected: AtomicU32,
}

impl Progress {
    pub(super) fn connected(&self) -> u32 {
        self.connected.load(Ordering::Relaxed)
    }
}

/// Clients that connect at the same time; more would overrun the queue of the listener.
const CONNECTING_MAX: usize = 16;
/// QUIC clients of one UDP socket: the frames of one tick have to fit its receive buffer.
const CLIENTS_PER_SOCKET: u32 = 25;
/// Time for all to connect.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(60);
/// Between the last one's connection and the first measurement.
const SETTLING: Duration = Duration::from_secs(2);

impl Load {
    /// Connects all clients, then measures. `progress` tells others how far it is.
    pub(super) async fn run(self, progress: Arc<Progress>) -> anyhow::Result<Seen> {
        let quic: Vec<Endpoint> = match &self.target {
            Target::Websocket(_) => Vec::new(),
            Target::Quic { certificate, .. } => (0..self.clients.div_ceil(CLIENTS_PER_SOCKET))
                .map(|_| quic_endpoint(certificate))
                .collect::<anyhow::Result<_>>()?,
        };
        let slots = Arc::new(tokio::sync::Semaphore::new(CONNECTING_MAX));
        let all = Arc::new(Barrier::new(self.clients as usize));
        let mut clients = JoinSet::new();
        for number in 0..self.clients {
            let client = Client {
                load: self.clone(),
                number,
                progress: Arc::clone(&progress),
                all: Arc::clone(&all),
                seen: Seen::default(),
                number_sent: 0,
                waiting: VecDeque::new(),
                last_frame: None,
                measured: None,
            };
            let slots = Arc::clone(&slots);
            let quic = quic.get((number / CLIENTS_PER_SOCKET) as usize).cloned();
            clients.spawn(async move {
                let slot = slots.acquire_owned().await.context("waiting to connect")?;
                client.run(quic, slot).await
            });
        }
        let mut all = Seen::default();
        while let Some(seen) = clients.join_next().await {
            all.add(seen.context("waiting for a client")??);
        }
        Ok(all)
    }
}

impl Seen {
    fn add(&mut self, mut other: Self) {
        self.frames += other.frames;
        self.frame_bytes += other.frame_bytes;
        self.inputs += other.inputs;
        self.frame_intervals.append(&mut other.frame_intervals);
        self.command_to_frame.append(&mut other.command_to_frame);
    }
}

fn quic_endpoint(certificate: &[u8]) -> anyhow::Result<Endpoint> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(certificate.to_vec())).context("trusting the bare server")?;
    let config = quinn::ClientConfig::with_root_certificates(Arc::new(roots))
        .context("setting up TLS of the clients")?;
    let mut endpoint = Endpoint::client((std::net::Ipv4Addr::LOCALHOST, 0).into())
        .context("binding the socket of the clients")?;
    endpoint.set_default_client_config(config);
    Ok(endpoint)
}

struct Client {
    load: Load,
    number: u32,
    progress: Arc<Progress>,
    /// All start at the same moment.
    all: Arc<Barrier>,
    seen: Seen,
    number_sent: u32,
    /// Inputs that no frame has named yet, and when they were sent.
    waiting: VecDeque<(u32, Instant)>,
    last_frame: Option<Instant>,
    /// From when to when it is measured.
    measured: Option<(Instant, Instant)>,
}

impl Client {
    async fn run(
        self,
        quic: Option<Endpoint>,
        slot: tokio::sync::OwnedSemaphorePermit,
    ) -> anyhow::Result<Seen> {
        match (self.load.target.clone(), quic) {
            (Target::Websocket(address), _) => self.run_websocket(address, slot).await,
            (Target::Quic { address, .. }, Some(endpoint)) => {
                self.run_quic(address, &endpoint, slot).await
            }
            (Target::Quic { .. }, None) => bail!("there is no QUIC endpoint"),
        }
    }

    async fn run_websocket<S>(mut self, address: SocketAddr, slot: S) -> anyhow::Result<Seen> {
        let stream = TcpStream::connect(address).await.context("connecting to the bare server")?;
        stream.set_nodelay(true).context("setting up a client's socket")?;
        let (mut socket, _) = client_async(format!("ws://{address}/"), stream)
            .await
            .context("opening a WebSocket to the bare server")?;
        drop(slot);
        let ends = self.wait_for_all().await?;
        let mut inputs = self.inputs();
        let end = sleep_until(ends);
        tokio::pin!(end);
        loop {
            tokio::select! {
                message = socket.next() => match message {
                    Some(message) => {
                        let message = message.context("reading from the bare server")?;
                        self.handle_frame(&message.into_data());
                    }
                    None => bail!("the bare server closed a connection"),
                },
                _ = inputs.tick() => {
                    let message = Message::Binary(self.next_input());
                    socket.send(message).await.context("writing to the bare server")?;
                }
                () = &mut end => return Ok(self.seen),
            }
        }
    }

    async fn run_quic<S>(
        mut self,
        address: SocketAddr,
        endpoint: &Endpoint,
        slot: S,
    ) -> anyhow::Result<Seen> {
        let connection = endpoint
            .connect(address, NAME)
            .context("connecting to the bare server")?
            .await
            .context("shaking hands with the bare server")?;
        let (mut stream, _receive) =
            connection.open_bi().await.context("opening a stream to the bare server")?;
        // The server hears of the stream with the first bytes on it.
        self.send_quic(&mut stream).await?;
        drop(slot);
        let ends = self.wait_for_all().await?;
        let mut inputs = self.inputs();
        let end = sleep_until(ends);
        tokio::pin!(end);
        loop {
            tokio::select! {
                frame = connection.read_datagram() => {
                    self.handle_frame(&frame.context("reading from the bare server")?);
                }
                _ = inputs.tick() => self.send_quic(&mut stream).await?,
                () = &mut end => return Ok(self.seen),
            }
        }
    }

    async fn send_quic(&mut self, stream: &mut quinn::SendStream) -> anyhow::Result<()> {
        let input = self.next_input();
        let length = u16::try_from(input.len()).context("an input is too long for its length")?;
        let message = [&length.to_le_bytes()[..], &input].concat();
        stream.write_all(&message).await.context("writing to the bare server")
    }

    /// Waits until all are connected; says when it is over.
    async fn wait_for_all(&mut self) -> anyhow::Result<Instant> {
        self.progress.connected.fetch_add(1, Ordering::Relaxed);
        timeout(CONNECT_TIME_MAX, self.all.wait())
            .await
            .context("not all clients could connect to the bare server")?;
        let begins = Instant::now() + SETTLING;
        let ends = begins + self.load.measure;
        self.measured = Some((begins, ends));
        Ok(ends)
    }

    /// When inputs go out; clients are spread evenly over the interval.
    fn inputs(&self) -> tokio::time::Interval {
        let period = Duration::from_secs_f64(1.0 / self.load.inputs_per_second.max(0.01));
        let share = f64::from(self.number) / f64::from(self.load.clients.max(1));
        let mut interval = interval_at(Instant::now() + period.mul_f64(share), period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        interval
    }

    fn is_measured(&self, at: Instant) -> bool {
        self.measured.is_some_and(|(from, to)| (from..=to).contains(&at))
    }

    fn next_input(&mut self) -> Bytes {
        let now = Instant::now();
        self.number_sent += 1;
        self.waiting.push_back((self.number_sent, now));
        if self.is_measured(now) {
            self.seen.inputs += 1;
        }
        floor::message(self.number_sent, self.load.input_bytes)
    }

    fn handle_frame(&mut self, frame: &[u8]) {
        let now = Instant::now();
        let is_measured = self.is_measured(now);
        if is_measured {
            self.seen.frames += 1;
            self.seen.frame_bytes += frame.len() as u64;
        }
        let before = self.last_frame.replace(now);
        if let Some(before) = before.filter(|_| is_measured) {
            self.seen.frame_intervals.push((now - before).as_secs_f64() * 1_000.0);
        }
        let newest = floor::number(frame).unwrap_or(0);
        while let Some((_, at)) = self.waiting.pop_front_if(|&mut (number, _)| number <= newest) {
            if is_measured {
                self.seen.command_to_frame.push((now - at).as_secs_f64() * 1_000.0);
            }
        }
    }
}
