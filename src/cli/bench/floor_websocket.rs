//! The bare tokio-tungstenite server: one task a connection, as one would write it.

use std::net::SocketAddr;

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::floor::{Newest, Ticks};

/// Starts to accept; says where.
pub(super) async fn spawn(
    address: SocketAddr,
    ticks: Ticks,
    frame_bytes: usize,
) -> anyhow::Result<String> {
    let listener = TcpListener::bind(address).await.context("binding the bare WebSocket server")?;
    let address = listener.local_addr().context("asking for the address of the bare server")?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, ticks.clone(), frame_bytes));
        }
    });
    Ok(format!("websocket={address}"))
}

/// One client until it goes; how it goes is its own affair.
async fn connection(stream: TcpStream, mut ticks: Ticks, frame_bytes: usize) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let mut socket = accept_async(stream).await?;
    let newest = Newest::default();
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(message) => newest.note(&message?.into_data()),
                None => return Ok(()),
            },
            tick = ticks.changed() => match tick {
                Ok(()) => socket.send(Message::Binary(newest.frame(frame_bytes))).await?,
                Err(_) => return Ok(()),
            },
        }
    }
}
