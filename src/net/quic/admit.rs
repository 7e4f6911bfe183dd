//! The door: who may begin a handshake, and on which terms.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn_proto::crypto::rustls::QuicServerConfig;
use quinn_proto::{
    ConnectionHandle, EndpointConfig, IdleTimeout, Incoming, RandomConnectionIdGenerator,
    ServerConfig, TransportConfig, ValidationTokenConfig, VarInt,
};
use ring::hmac;
use web_transport_quinn::ALPN as BROWSER_ALPN;

use super::connection::Connection;
use super::{Entry, Pool, QuicConfig, ResetKey, count};
use crate::net::tls::{Identity, TlsError};
use crate::protocol::ALPN;

/// Bytes one connection may have in flight towards us before they are read.
const RECEIVE_WINDOW_BYTES: u32 = 8 * 1024;
/// Bytes of a control stream that may be unacknowledged.
const SEND_WINDOW_BYTES: u64 = 16 * 1024;
/// Bytes of datagrams that may wait for the congestion controller: frames older than that are
/// better lost.
const DATAGRAM_BYTES_MAX: usize = 8 * 1024;
/// HTTP/3 needs three streams of the browser's own; Chrome opens no more.
const H3_UNI_STREAMS: u32 = 4;
/// Bytes of the ids of connections.
const CONNECTION_ID_BYTES: usize = 8;
/// The CONNECT request and the control stream.
const H3_BIDI_STREAMS: u32 = 2;

impl Pool {
    /// Lets a stranger wait for its handshake, or sends it away.
    pub(super) fn admit(&mut self, incoming: Incoming) {
        let (config, counters) = (&self.config, &self.counters);
        let address = incoming.remote_address().ip();
        let is_crowded = self.unfinished.held() >= config.retry_from;
        let refused = if self.draining {
            &counters.refused_draining
        } else if is_crowded && !incoming.remote_address_validated() {
            count(&counters.retried);
            self.packet.clear();
            // An address that is not validated may always be asked to retry.
            if let Ok(transmit) = self.endpoint.retry(incoming, &mut self.packet) {
                self.socket.send(&transmit, &self.packet);
            }
            return;
        } else if self.places.is_full_for(address) {
            &counters.refused_address
        } else {
            match self.unfinished.hold(address) {
                Ok(slot) => return self.waiting.push_back((incoming, slot)),
                Err(_) => &counters.refused_unfinished,
            }
        };
        count(refused);
        self.packet.clear();
        let transmit = self.endpoint.refuse(incoming, &mut self.packet);
        self.socket.send(&transmit, &self.packet);
    }

    /// Begins the handshakes of this pass.
    pub(super) fn begin_handshakes(&mut self, now: Instant) {
        for _ in 0..self.config.handshakes_per_pass_max {
            let Some((incoming, slot)) = self.waiting.pop_front() else { return };
            self.packet.clear();
            match self.endpoint.accept(incoming, now, &mut self.packet, None) {
                Ok((ConnectionHandle(handle), quic)) => {
                    let until = now + self.config.handshake_timeout;
                    let entry = Entry {
                        connection: Box::new(Connection::new(quic, slot, until)),
                        due: Some(now),
                        is_touched: false,
                        is_urgent: false,
                        is_unasked: true,
                        is_talkative: false,
                    };
                    if self.entries.len() <= handle {
                        self.entries.resize_with(handle + 1, || None);
                    }
                    self.entries[handle] = Some(entry);
                    self.touch(handle);
                }
                Err(error) => {
                    count(&self.counters.failed);
                    if let Some(transmit) = error.response {
                        self.socket.send(&transmit, &self.packet);
                    }
                }
            }
        }
    }
}

/// The settings of the socket. A server that was killed and started again with the same key tells
/// its old peers at once that it knows nothing of them.
pub(super) fn endpoint_config(reset_key: &ResetKey) -> EndpointConfig {
    let mut config = EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, reset_key)));
    config
        // Long and random: an id comes only once, and nobody can collect what ends connections.
        .cid_generator(|| Box::new(RandomConnectionIdGenerator::new(CONNECTION_ID_BYTES)))
        // A reset is smaller than what it answers; after a start everybody needs one.
        .min_reset_interval(Duration::from_millis(1));
    config
}

/// The settings of every connection.
pub(super) fn server_config(
    identity: &Identity,
    config: &QuicConfig,
) -> Result<ServerConfig, TlsError> {
    let tls = identity.server_config(&[ALPN, BROWSER_ALPN.as_bytes()])?;
    let tls = QuicServerConfig::try_from(tls).expect("ring has the suite of initial packets");
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(H3_BIDI_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(H3_UNI_STREAMS))
        .stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(2 * RECEIVE_WINDOW_BYTES))
        .send_window(SEND_WINDOW_BYTES)
        .datagram_receive_buffer_size(Some(DATAGRAM_BYTES_MAX))
        .datagram_send_buffer_size(DATAGRAM_BYTES_MAX)
        // Every frame fits the smallest packet, so larger ones need not be found out about.
        .mtu_discovery_config(None)
        // A packet a tick has nothing to segment.
        .enable_segmentation_offload(false)
        .keep_alive_interval(Some(config.idle_timeout / 3))
        .max_idle_timeout(Some(
            IdleTimeout::try_from(config.idle_timeout)
                .unwrap_or_else(|_| IdleTimeout::from(VarInt::MAX)),
        ));
    let mut server = ServerConfig::with_crypto(Arc::new(tls));
    let mut tokens = ValidationTokenConfig::default();
    tokens.sent(0);
    server
        .transport_config(Arc::new(transport))
        .validation_token_config(tokens)
        .max_incoming(config.unfinished_max)
        .incoming_buffer_size(16 * 1024)
        .incoming_buffer_size_total(4 * 1024 * 1024);
    Ok(server)
}
