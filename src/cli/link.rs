//! Connections for drivers: the transport's connector with the server's address.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::http::{Gateway, Server};
use crate::net::client::{ClientLink, Connector as NetConnector};
use crate::net::tls::Trust;
use crate::protocol::CloseReason;

/// What carries a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Transport {
    Websocket,
    Quic,
}

/// Connects to one server over one transport.
#[derive(Clone, Debug)]
pub struct Connector {
    target: Target,
}

#[derive(Clone, Debug)]
enum Target {
    Net {
        connector: Arc<NetConnector>,
        transport: Transport,
        /// Of all gateways; one after the other is tried.
        addresses: Vec<String>,
        turns: Turns,
    },
    #[cfg(test)]
    Memory { links: mpsc::Sender<Link>, datagrams: bool },
}

/// Whose turn it is. Each clone begins one further than the last and goes on by itself: where all
/// shared one count, somebody could be sent to the same dead gateway again and again.
#[derive(Clone, Debug, Default)]
struct Turns {
    begun: Arc<AtomicUsize>,
    last: Option<usize>,
}

/// An open connection.
#[derive(Debug)]
pub struct Link {
    sender: Sender,
    /// Messages of the server; ends when the connection does.
    pub receiver: mpsc::Receiver<Bytes>,
}

#[derive(Debug)]
enum Sender {
    Net(Box<ClientLink>),
    #[cfg(test)]
    Memory(mpsc::Sender<Bytes>),
}

impl Connector {
    /// Prepares connections, after asking the server where its gateways are and, for QUIC, which
    /// certificates they have.
    pub async fn new(server: &Server, transport: Transport) -> anyhow::Result<Self> {
        let info = server.info().await?;
        let quic = Server { host: server.host.clone(), port: info.quic_port };
        let gateways = info.gateways.unwrap_or_else(|| {
            let (websocket, quic) = (server.authority(), quic.authority());
            vec![Gateway { websocket, quic, certificate_hashes: info.certificate_hashes }]
        });
        ensure!(!gateways.is_empty(), "the server has no gateway: start a connection process");
        let (mut addresses, mut hashes) = (Vec::new(), Vec::new());
        for gateway in &gateways {
            addresses.push(server.complete(match transport {
                Transport::Websocket => &gateway.websocket,
                Transport::Quic => &gateway.quic,
            }));
            for hash in &gateway.certificate_hashes {
                hashes.push(read_hash(hash).context("reading the hashes of /api/info")?);
            }
        }
        let trust = match transport {
            Transport::Websocket => Trust::AnyOnLoopback,
            Transport::Quic => Trust::Hashes(hashes),
        };
        let connector = Arc::new(NetConnector::new(trust));
        let turns = Turns::default();
        Ok(Self { target: Target::Net { connector, transport, addresses, turns } })
    }

    /// Connects to a server in this process: it is given the other end of each link.
    #[cfg(test)]
    pub(super) fn memory(datagrams: bool) -> (Self, mpsc::Receiver<Link>) {
        let (links, accepted) = mpsc::channel(16);
        (Self { target: Target::Memory { links, datagrams } }, accepted)
    }

    /// Whether frames may get lost on the way.
    #[must_use]
    pub fn has_datagrams(&self) -> bool {
        match &self.target {
            Target::Net { transport, .. } => *transport == Transport::Quic,
            #[cfg(test)]
            Target::Memory { datagrams, .. } => *datagrams,
        }
    }

    /// Connects to the next gateway.
    pub fn connect(&mut self) -> impl Future<Output = anyhow::Result<Link>> + use<> {
        let turn = match &mut self.target {
            Target::Net { turns, .. } => turns.next(),
            #[cfg(test)]
            Target::Memory { .. } => 0,
        };
        self.target.clone().connect(turn)
    }
}

impl Turns {
    fn next(&mut self) -> usize {
        let first = || self.begun.fetch_add(1, Ordering::Relaxed);
        *self.last.insert(self.last.map_or_else(first, |last| last + 1))
    }
}

impl Target {
    async fn connect(self, turn: usize) -> anyhow::Result<Link> {
        match self {
            Self::Net { connector, transport, addresses, .. } => {
                let address = &addresses[turn % addresses.len()];
                let transport = match transport {
                    Transport::Websocket => crate::net::Transport::WebSocket,
                    Transport::Quic => crate::net::Transport::Quic,
                };
                let connected = connector
                    .connect(transport, address)
                    .await
                    .with_context(|| format!("connecting to {address}"))?;
                let sender = Sender::Net(Box::new(connected.link));
                Ok(Link { sender, receiver: connected.messages })
            }
            #[cfg(test)]
            Self::Memory { links, .. } => {
                let (to_server, from_client) = mpsc::channel(64);
                let (to_client, from_server) = mpsc::channel(256);
                let theirs = Link { sender: Sender::Memory(to_client), receiver: from_client };
                links.send(theirs).await.context("the server is gone")?;
                Ok(Link { sender: Sender::Memory(to_server), receiver: from_server })
            }
        }
    }
}

fn read_hash(base64: &str) -> anyhow::Result<[u8; 32]> {
    let bytes = STANDARD.decode(base64).context("it is not base64")?;
    bytes.try_into().map_err(|_| anyhow::anyhow!("it is not 32 bytes long"))
}

impl Link {
    /// Sends one message in order; false if the connection is gone or the server does not read.
    #[must_use]
    pub fn send(&self, message: Bytes) -> bool {
        match &self.sender {
            Sender::Net(link) => link.send(message).is_ok(),
            #[cfg(test)]
            Sender::Memory(link) => link.try_send(message).is_ok(),
        }
    }

    /// The reason the server gave for the end, once the connection is over.
    #[must_use]
    pub fn close_reason(&self) -> Option<CloseReason> {
        match &self.sender {
            Sender::Net(link) => link.closed().flatten(),
            #[cfg(test)]
            Sender::Memory(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Turns;

    #[test]
    fn each_begins_one_further_and_goes_round_by_itself() {
        let turns = Turns::default();
        let (mut one, mut other) = (turns.clone(), turns.clone());
        assert_eq!((one.next(), other.next()), (0, 1));
        assert_eq!((one.next(), one.next(), one.next()), (1, 2, 3));
        assert_eq!((other.next(), turns.clone().next()), (2, 2));
    }
}
