//! One pass over the connections: what packets brought goes in, what came of it out.

use std::time::Instant;

use quinn_proto::{ConnectionHandle, DatagramEvent, Event, StreamEvent};

use super::connection::Opening;
use super::socket::Received;
use super::stream::Ended;
use super::{PACKETS_PER_PASS_MAX, Pool, PoolRead, count};
use crate::net::slots::Refused;
use crate::protocol::CloseReason;

impl Pool {
    pub(super) fn receive(&mut self, now: Instant) {
        let mut batch = Vec::new();
        let mut packets = 0;
        while packets < PACKETS_PER_PASS_MAX {
            if !self.socket.receive(|received| batch.push(received)) {
                return;
            }
            packets += batch.len().max(1);
            for received in batch.drain(..) {
                self.handle_datagram(now, received);
            }
        }
    }

    fn handle_datagram(&mut self, now: Instant, received: Received) {
        let Received { remote, local_ip, ecn, bytes } = received;
        self.packet.clear();
        let event = self.endpoint.handle(now, remote, local_ip, ecn, bytes, &mut self.packet);
        match event {
            Some(DatagramEvent::ConnectionEvent(ConnectionHandle(handle), event)) => {
                if let Some(Some(entry)) = self.entries.get_mut(handle) {
                    entry.connection.quic.handle_event(event);
                    self.touch(handle);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => self.admit(incoming),
            Some(DatagramEvent::Response(transmit)) => self.socket.send(&transmit, &self.packet),
            None => {}
        }
    }

    /// Something has happened to a connection: it is looked at in this pass.
    pub(super) fn touch(&mut self, handle: usize) {
        if let Some(entry) = &mut self.entries[handle]
            && !std::mem::replace(&mut entry.is_touched, true)
        {
            self.touched.push(handle);
        }
    }

    /// Takes from a connection what has come of what happened to it.
    pub(super) fn settle(
        &mut self,
        now: Instant,
        handle: usize,
        found: &mut impl FnMut(u64, PoolRead),
    ) {
        if self.relay(handle) {
            return self.remove(handle, found);
        }
        let Some(entry) = &mut self.entries[handle] else { return };
        entry.is_touched = false;
        entry.is_unasked = true;
        let connection = &mut entry.connection;
        connection.has_more = false;
        let mut lost = false;
        while let Some(event) = connection.quic.poll() {
            match event {
                Event::Connected => match self.places.hold(connection.peer_ip()) {
                    // Only now is the address proven, so that nobody uses up a stranger's share.
                    Ok(place) => {
                        connection.place = Some(place);
                        connection.handle_connected();
                    }
                    Err(refused) => {
                        count(match refused {
                            Refused::All => &self.counters.refused_full,
                            Refused::Address => &self.counters.refused_address,
                        });
                        connection.close(now, CloseReason::Full);
                    }
                },
                Event::ConnectionLost { .. } => lost = true,
                Event::Stream(StreamEvent::Writable { .. }) => connection.write(),
                Event::Stream(StreamEvent::Finished { id }) => connection.handle_finished(now, id),
                Event::Stream(
                    StreamEvent::Opened { .. }
                    | StreamEvent::Readable { .. }
                    | StreamEvent::Stopped { .. }
                    | StreamEvent::Available { .. },
                )
                | Event::HandshakeDataReady
                | Event::DatagramReceived
                | Event::DatagramsUnblocked => {}
            }
        }
        self.deliver(now, handle, found);
        if lost {
            self.handle_lost(handle, found);
        }
        let Some(entry) = &mut self.entries[handle] else { return };
        // Who comes or goes is answered at once; the rest is said together with the next frame.
        let is_open = entry.connection.transport().is_some();
        if std::mem::take(&mut entry.is_urgent) || !is_open {
            self.transmit(now, handle);
        } else {
            entry.due = entry.connection.due();
        }
    }

    /// Hands on what a connection has read.
    fn deliver(&mut self, now: Instant, handle: usize, found: &mut impl FnMut(u64, PoolRead)) {
        let Some(entry) = &mut self.entries[handle] else { return };
        let connection = &mut entry.connection;
        if connection.place.is_none() {
            return;
        }
        let (opening, begun) = connection.open();
        match opening {
            Opening::Pending => {}
            Opening::Failed => {
                count(&self.counters.failed);
                return connection.close(now, CloseReason::Malformed);
            }
            Opening::Opened => {
                count(&self.counters.opened);
                connection.id = self.ids.next();
                self.index.insert(connection.id, handle);
                let peer = connection.quic.remote_address();
                if let Some(transport) = connection.transport() {
                    found(connection.id, PoolRead::Opened { peer, transport });
                }
            }
        }
        let id = connection.id;
        match connection.read(begun, |message| found(id, PoolRead::Message(message))) {
            Ok(()) => {}
            Err(Ended::Violation(reason)) => {
                count(&self.counters.violations);
                connection.close(now, reason);
                self.index.remove(&id);
                found(id, PoolRead::Closed(Some(reason)));
            }
            Err(Ended::Finished) => {
                connection.await_end(now);
                self.index.remove(&id);
                found(id, PoolRead::Closed(None));
            }
        }
    }

    fn handle_lost(&mut self, handle: usize, found: &mut impl FnMut(u64, PoolRead)) {
        let Some(entry) = &mut self.entries[handle] else { return };
        if entry.connection.is_opening() {
            count(&self.counters.failed);
        }
        entry.connection.handle_lost();
        let id = entry.connection.id;
        if self.index.remove(&id).is_some() {
            found(id, PoolRead::Closed(None));
        }
    }

    /// Takes messages between a connection and the endpoint; true when it is gone.
    fn relay(&mut self, handle: usize) -> bool {
        let Some(entry) = &mut self.entries[handle] else { return false };
        while let Some(event) = entry.connection.quic.poll_endpoint_events() {
            let is_gone = event.is_drained();
            if let Some(answer) = self.endpoint.handle_event(ConnectionHandle(handle), event) {
                entry.connection.quic.handle_event(answer);
            }
            if is_gone {
                return true;
            }
        }
        false
    }

    fn remove(&mut self, handle: usize, found: &mut impl FnMut(u64, PoolRead)) {
        self.handle_lost(handle, found);
        self.entries[handle] = None;
    }

    /// Sends everything that a connection has to say.
    pub(super) fn transmit(&mut self, now: Instant, handle: usize) {
        let Some(entry) = &mut self.entries[handle] else { return };
        (entry.is_unasked, entry.is_talkative) = (false, false);
        let connection = &mut entry.connection;
        self.packet.clear();
        while let Some(transmit) = connection.quic.poll_transmit(now, 1, &mut self.packet) {
            self.socket.send(&transmit, &self.packet);
            self.packet.clear();
        }
        entry.due = connection.due();
    }
}
