//! The server's UDP socket: read in batches, written a packet at a time.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};

use bytes::BytesMut;
use quinn_proto::{EcnCodepoint, Transmit};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};

/// Room for what the kernel hands over at once: several packets of one peer, where it joins them.
const SLOT_BYTES: usize = 64 * 1024;

/// One datagram as it came.
#[derive(Debug)]
pub(super) struct Received {
    pub remote: SocketAddr,
    pub local_ip: Option<IpAddr>,
    pub ecn: Option<EcnCodepoint>,
    pub bytes: BytesMut,
}

#[derive(Debug)]
pub(super) struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    slots: Box<[u8]>,
}

impl Socket {
    /// Takes a bound socket over and makes it non-blocking.
    pub(super) fn new(io: UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new((&io).into())?;
        Ok(Self { io, state, slots: vec![0; SLOT_BYTES * BATCH_SIZE].into() })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    /// Hands over one batch of what waits; false if nothing does.
    pub(super) fn receive(&mut self, mut each: impl FnMut(Received)) -> bool {
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let mut slots = self.slots.chunks_mut(SLOT_BYTES).map(IoSliceMut::new);
        let mut slots: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| slots.next().expect("there are as many slots"));
        let count = match self.state.recv((&self.io).into(), &mut slots, &mut metas) {
            Ok(count) => count,
            // A reset is what anybody can make the kernel report of a packet sent before.
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        };
        for (meta, slot) in metas.iter().zip(&slots).take(count) {
            for bytes in slot[..meta.len].chunks(meta.stride.max(1)) {
                each(Received {
                    remote: meta.addr,
                    local_ip: meta.dst_ip,
                    ecn: meta.ecn.and_then(|ecn| EcnCodepoint::from_bits(ecn as u8)),
                    bytes: bytes.into(),
                });
            }
        }
        count > 0
    }

    /// Sends one packet, or loses it as networks do when the kernel has no room.
    pub(super) fn send(&self, transmit: &Transmit, packet: &[u8]) {
        let transmit = quinn_udp::Transmit {
            destination: transmit.destination,
            ecn: transmit.ecn.and_then(|ecn| quinn_udp::EcnCodepoint::from_bits(ecn as u8)),
            contents: &packet[..transmit.size],
            segment_size: transmit.segment_size,
            src_ip: transmit.src_ip,
        };
        // QUIC sends again what matters.
        let _ = self.state.send((&self.io).into(), &transmit);
    }
}
