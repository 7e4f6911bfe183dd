//! The bare quinn server: one task a connection, frames as datagrams, inputs on one stream whose
//! messages are each preceded by their length as `u16`.

use std::net::SocketAddr;

use anyhow::Context;
use quinn::rustls::pki_types::PrivatePkcs8KeyDer;
use quinn::{Endpoint, Incoming, RecvStream, ServerConfig};

use super::floor::{Newest, Ticks};

/// Starts to accept; says where, and the certificate in hexadecimal digits.
pub(super) fn spawn(
    address: SocketAddr,
    ticks: Ticks,
    frame_bytes: usize,
) -> anyhow::Result<String> {
    let made = rcgen::generate_simple_self_signed(vec![super::floor_load::NAME.to_owned()])
        .context("making the certificate of the bare QUIC server")?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let certificate = made.cert.der().clone();
    let digits: String = certificate.iter().map(|byte| format!("{byte:02x}")).collect();
    let config = ServerConfig::with_single_cert(vec![certificate], key.into())
        .context("setting up TLS of the bare QUIC server")?;
    let endpoint = Endpoint::server(config, address).context("binding the bare QUIC server")?;
    let address = endpoint.local_addr().context("asking for the address of the bare server")?;
    tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(connection(incoming, ticks.clone(), frame_bytes));
        }
    });
    Ok(format!("quic={address} certificate={digits}"))
}

/// One client until it goes; how it goes is its own affair.
async fn connection(incoming: Incoming, mut ticks: Ticks, frame_bytes: usize) {
    let Ok(connection) = incoming.await else { return };
    let Ok((_send, inputs)) = connection.accept_bi().await else { return };
    let newest = Newest::default();
    let sending = async {
        while ticks.changed().await.is_ok() {
            if connection.send_datagram(newest.frame(frame_bytes)).is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = read(inputs, &newest) => {}
        () = sending => {}
    }
}

async fn read(mut inputs: RecvStream, newest: &Newest) {
    let mut buffer = [0; u16::MAX as usize];
    let mut length = [0; 2];
    while inputs.read_exact(&mut length).await.is_ok() {
        let message = &mut buffer[..u16::from_le_bytes(length).into()];
        if inputs.read_exact(message).await.is_err() {
            return;
        }
        newest.note(message);
    }
}
