//! A bare connection: says whatever a test wants said.

use bytes::Bytes;
use undercroft::model::CharacterId;
use undercroft::net::Transport;
use undercroft::net::client::{Connected, Connector};
use undercroft::net::tls::Trust;
use undercroft::protocol::{ClientMessage, CloseReason, ServerMessage, VERSION};

use super::server::Addresses;
use super::within;

/// Every carrier.
pub(crate) const CARRIERS: [Transport; 3] =
    [Transport::WebSocket, Transport::Quic, Transport::WebTransport];

/// The address of a transport.
pub(crate) fn address(at: &Addresses, transport: Transport) -> String {
    match transport {
        Transport::WebSocket => at.web.to_string(),
        Transport::Quic | Transport::WebTransport => at.quic.to_string(),
    }
}

/// The first message of a connection.
pub(crate) fn hello(token: &str, character: CharacterId, resume: &str) -> ClientMessage {
    ClientMessage::Hello {
        version: VERSION,
        token: token.to_owned(),
        character,
        resume: resume.to_owned(),
        datagrams: false,
    }
}

/// One connection.
pub(crate) struct Wire {
    connected: Connected,
    /// QUIC connections share its sockets: they live as long as it does.
    _connector: Connector,
}

impl Wire {
    pub(crate) async fn connect(at: &Addresses, transport: Transport) -> Self {
        let connector = Connector::new(Trust::AnyOnLoopback);
        let address = address(at, transport);
        let connecting = within("connecting", connector.connect(transport, &address));
        Self { connected: connecting.await.unwrap(), _connector: connector }
    }

    pub(crate) fn send(&self, message: &ClientMessage) {
        self.send_bytes(message.encode());
    }

    pub(crate) fn send_bytes(&self, bytes: Vec<u8>) {
        // A server that has closed already need not hear more.
        let _ = self.connected.link.send(Bytes::from(bytes));
    }

    /// The next message, or none when the connection is over.
    pub(crate) async fn next(&mut self) -> Option<ServerMessage> {
        let bytes = within("the next message", self.connected.messages.recv()).await?;
        Some(ServerMessage::decode(&bytes).unwrap())
    }

    /// Waits for the Welcome.
    pub(crate) async fn welcome(&mut self) -> ServerMessage {
        loop {
            match self.next().await.expect("the server closed instead of a welcome") {
                welcome @ ServerMessage::Welcome { .. } => return welcome,
                ServerMessage::Frame(_)
                | ServerMessage::Pong { .. }
                | ServerMessage::Notice { .. } => {}
                close @ ServerMessage::Close { .. } => panic!("{close:?}"),
            }
        }
    }

    /// Reads until the end and gives the reason: what the last message and the close code agree
    /// on, or the one of them that came.
    pub(crate) async fn reason(&mut self) -> CloseReason {
        let mut said = None;
        while let Some(message) = self.next().await {
            if let ServerMessage::Close { reason, .. } = message {
                said = Some(reason);
            }
        }
        let code = self.connected.link.closed().flatten();
        if let (Some(said), Some(code)) = (said, code) {
            assert_eq!(said, code, "the close code says what the message said");
        }
        code.or(said).expect("the connection ended with a reason")
    }
}
