//! A client's WebSocket connection: tungstenite over a tokio socket, one task.

use std::io::{self, Read, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket, http::Uri};

use super::link::OUTBOX_MESSAGES_MAX;
use super::{ClientLink, Closing, ConnectError, Connected, INBOX_MESSAGES_MAX, Way, bad_address};
use crate::model::limits::SERVER_MESSAGE_BYTES_MAX;
use crate::net::{WEBSOCKET_CLOSE_BASE, WEBSOCKET_PATH};
use crate::protocol::CloseReason;

/// How long the server may take to answer a closing frame.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(1);

pub(super) async fn connect(address: &str) -> Result<Connected, ConnectError> {
    if address.starts_with("wss://") {
        return Err(ConnectError::Encrypted);
    }
    let url = if address.contains("://") {
        address.to_owned()
    } else {
        format!("ws://{address}{WEBSOCKET_PATH}")
    };
    let uri: Uri = url.parse().map_err(|_| bad_address(address))?;
    let authority = uri.authority().ok_or_else(|| bad_address(address))?;
    let (host, port) = (authority.host(), authority.port_u16().unwrap_or(80));
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
    stream.set_nodelay(true)?;
    let (handshaken, _) = tokio_tungstenite::client_async(uri, stream).await.map_err(Box::new)?;
    let config = WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(0)
        .max_message_size(Some(SERVER_MESSAGE_BYTES_MAX))
        .max_frame_size(Some(SERVER_MESSAGE_BYTES_MAX));
    // The server speaks only when spoken to, so nothing of the protocol was read beyond the answer.
    let socket = Polled(handshaken.into_inner());
    let web = WebSocket::from_raw_socket(socket, Role::Client, Some(config));
    let (outbox, queue) = mpsc::channel(OUTBOX_MESSAGES_MAX);
    let (inbox, messages) = mpsc::channel(INBOX_MESSAGES_MAX);
    let closing = Arc::new(Closing::default());
    let end = Arc::new(OnceLock::new());
    let (ended, told) = (Arc::clone(&end), Arc::clone(&closing));
    tokio::spawn(async move {
        let mut task = Task { web, queue, inbox, closing: told, reason: None };
        // However it ends, the socket is closed by dropping it.
        let _ = task.run().await;
        let _ = ended.set(task.reason);
    });
    Ok(Connected { link: ClientLink { way: Way::WebSocket { outbox, closing }, end }, messages })
}

/// A tokio socket as tungstenite wants it: it says `WouldBlock` and the task waits.
#[derive(Debug)]
struct Polled(TcpStream);

impl Read for Polled {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Polled {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Task {
    web: WebSocket<Polled>,
    queue: mpsc::Receiver<Bytes>,
    inbox: mpsc::Sender<Bytes>,
    closing: Arc<Closing>,
    reason: Option<CloseReason>,
}

impl Task {
    /// Ends with the error that ended the connection; `Ok` when this side closed it.
    async fn run(&mut self) -> Result<(), Error> {
        let mut blocked = false;
        loop {
            let socket = &self.web.get_ref().0;
            tokio::select! {
                ready = socket.readable() => {
                    ready?;
                    while let Some(message) = unless_blocked(self.web.read())? {
                        self.take(message)?;
                    }
                }
                ready = socket.writable(), if blocked => ready?,
                next = self.queue.recv(), if !blocked => match next {
                    // Where it is blocked the flush below says so.
                    Some(message) => drop(unless_blocked(self.web.write(Message::Binary(message)))?),
                    None => return self.close().await,
                },
                _ = self.closing.told() => return self.close().await,
            }
            blocked = unless_blocked(self.web.flush())?.is_none();
        }
    }

    fn take(&mut self, message: Message) -> Result<(), Error> {
        match message {
            Message::Binary(bytes) => {
                // A program that reads nothing for so long is not there any more.
                self.inbox.try_send(bytes).map_err(|_| Error::ConnectionClosed)
            }
            Message::Close(frame) => {
                self.reason = frame
                    .and_then(|f| u16::from(f.code).checked_sub(WEBSOCKET_CLOSE_BASE))
                    .and_then(|number| u8::try_from(number).ok())
                    .and_then(|number| CloseReason::from_number(number).ok());
                Ok(())
            }
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(()),
        }
    }

    /// Sends what waits and a closing frame, then waits for the answer.
    async fn close(&mut self) -> Result<(), Error> {
        self.queue.close();
        while let Ok(message) = self.queue.try_recv() {
            unless_blocked(self.web.write(Message::Binary(message)))?;
        }
        unless_blocked(self.web.close(None))?;
        let answered = async {
            loop {
                if unless_blocked(self.web.flush())?.is_none() {
                    self.web.get_ref().0.writable().await?;
                    continue;
                }
                self.web.get_ref().0.readable().await?;
                while unless_blocked(self.web.read())?.is_some() {}
            }
        };
        timeout(CLOSE_TIME_MAX, answered).await.unwrap_or(Ok(()))
    }
}

/// `None` when the socket has to be waited for.
fn unless_blocked<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
