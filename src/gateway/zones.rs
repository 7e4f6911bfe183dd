//! The gateway's side towards the zones: who is attached where, and what they say.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;

use super::connection::{Phase, Playing};
use super::{ConnectionId, Delivery, Gateway, Located, Output, REATTACH_BITS};
use crate::model::{CharacterId, ZoneId};
use crate::protocol::bus::{Bundle, FromZone, ToZone};
use crate::protocol::{CloseReason, ServerMessage};

/// Longest time that commands wait for a zone that is on its way.
const HOLD_MAX: Duration = Duration::from_secs(5);

impl Gateway {
    /// Answers [`Output::Locate`].
    pub fn handle_located(
        &mut self,
        now: Duration,
        id: ConnectionId,
        character: CharacterId,
        at: Located,
    ) {
        if self.by_character.get(&character) == Some(&id) {
            self.attach(now, id, character, at);
        }
    }

    pub(super) fn attach(
        &mut self,
        now: Duration,
        id: ConnectionId,
        character: CharacterId,
        at: Located,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(account) = connection.account else { return };
        connection.attach += 1;
        connection.zone_heard = now;
        let attach = connection.attach;
        let welcomed = matches!(&connection.phase, Phase::Playing(p) if p.welcomed);
        connection.phase = Phase::Playing(Playing { character, zone: at.zone, attach, welcomed });
        let message = ToZone::Attach {
            character,
            account,
            session: connection.session,
            attach,
            ordered: connection.ordered,
            sheet: at.sheet,
        };
        self.to_zones.entry(at.zone).or_default().push(message);
    }

    /// Takes what an instance sent.
    pub fn handle_bundle(&mut self, now: Duration, bundle: Bundle) {
        for item in bundle.items {
            match item {
                FromZone::Frame { character, attach, message } => {
                    self.handle_frame(now, bundle.zone, character, attach, message);
                }
                FromZone::Attached { character, attach, last_command, name } => {
                    if let Some(id) = self.holder(character, attach) {
                        self.welcome(id, character, last_command, name);
                    }
                }
                FromZone::NotHere { character, attach } => {
                    if let Some(id) = self.holder(character, attach) {
                        self.locate_again(now, id, character);
                    }
                }
                FromZone::Moved { character, attach, zone } => {
                    if let Some(id) = self.holder(character, attach) {
                        self.attach(now, id, character, Located { zone, sheet: None });
                    }
                }
                FromZone::Left { character, attach } => {
                    if let Some(id) = self.holder(character, attach) {
                        self.close(id, CloseReason::Goodbye);
                    }
                }
                FromZone::Superseded { character, attach } => {
                    if let Some(id) = self.holder(character, attach) {
                        self.close(id, CloseReason::Superseded);
                    }
                }
            }
        }
    }

    fn holder(&self, character: CharacterId, attach: u64) -> Option<ConnectionId> {
        let id = *self.by_character.get(&character)?;
        let Phase::Playing(playing) = &self.connections.get(&id)?.phase else { return None };
        (playing.attach == attach).then_some(id)
    }

    fn handle_frame(
        &mut self,
        now: Duration,
        zone: ZoneId,
        character: CharacterId,
        attach: u64,
        message: Bytes,
    ) {
        let Some(id) = self.holder(character, attach) else {
            // The zone did not hear that the connection is gone.
            if self.config.zone_silence.is_some() && !self.by_character.contains_key(&character) {
                let detach = ToZone::Detach { character, attach, leave: false };
                self.to_zones.entry(zone).or_default().push(detach);
            }
            return;
        };
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.zone_heard = now;
        if connection.slow_since.is_some() {
            self.counters.frames_dropped += 1;
            return;
        }
        self.counters.frames += 1;
        self.counters.frame_bytes += message.len() as u64;
        let how = if connection.ordered { Delivery::Frame } else { Delivery::Datagram };
        self.outputs.push_back(Output::Send { connection: id, message, how });
    }

    fn welcome(
        &mut self,
        id: ConnectionId,
        character: CharacterId,
        last_command: u32,
        name: String,
    ) {
        let ticks_per_second = self.config.ticks_per_second;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.lost_since = None;
        let Phase::Playing(playing) = &mut connection.phase else { return };
        if std::mem::replace(&mut playing.welcomed, true) {
            return;
        }
        let (session, resume) = (connection.session, connection.resume.clone());
        let welcome = ServerMessage::Welcome {
            version: crate::protocol::VERSION,
            session,
            character,
            last_command,
            ticks_per_second,
            name,
            resume,
        };
        self.send(id, &welcome);
        if !self.notice.is_empty() {
            self.tell_notice(id);
        }
    }

    /// The zone does not have the character: look again, but not for ever.
    fn locate_again(&mut self, now: Duration, id: ConnectionId, character: CharacterId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let since = *connection.lost_since.get_or_insert(now);
        if now.saturating_sub(since) > self.config.hello_timeout {
            return self.close(id, CloseReason::Internal);
        }
        let take_over = connection.attach >> REATTACH_BITS;
        self.outputs.push_back(Output::Locate { connection: id, character, take_over });
    }

    /// The zone goes to another instance: what players say waits until it is up again.
    pub fn handle_zone_down(&mut self, now: Duration, zone: ZoneId) {
        self.held.entry(zone).or_insert(now);
    }

    /// An instance has taken the zone over and knows of no connection: everybody there attaches
    /// anew, and what they said meanwhile follows.
    pub fn handle_zone_up(&mut self, now: Duration, zone: ZoneId) {
        self.held.remove(&zone);
        let mut said = self.to_zones.remove(&zone).unwrap_or_default();
        let mut attached = HashMap::new();
        for (id, character) in self.players(|playing, _| playing.zone == zone) {
            let sheet = said.iter_mut().find_map(|message| match message {
                ToZone::Attach { character: of, sheet, .. } if *of == character => sheet.take(),
                ToZone::Attach { .. } | ToZone::Detach { .. } | ToZone::Input { .. } => None,
            });
            self.attach(now, id, character, Located { zone, sheet });
            let attach = self.connections.get(&id).map_or(0, |connection| connection.attach);
            attached.insert(character, attach);
        }
        said.retain_mut(|message| match message {
            ToZone::Attach { character, .. } => !attached.contains_key(character),
            ToZone::Detach { .. } => true,
            ToZone::Input { character, attach, .. } => {
                *attach = attached.get(character).copied().unwrap_or(*attach);
                true
            }
        });
        if !said.is_empty() {
            self.to_zones.entry(zone).or_default().extend(said);
        }
    }

    /// Messages of an instance were lost: everybody in its zones attaches anew.
    pub fn handle_gap(&mut self, now: Duration, zones: &[ZoneId]) {
        for &zone in zones {
            self.handle_zone_up(now, zone);
        }
    }

    /// Asks again where the characters are of which no zone has said anything for too long, and
    /// lets go of what waited in vain for a zone.
    pub(super) fn handle_silence(&mut self, now: Duration) {
        self.held.retain(|_, since| now.saturating_sub(*since) < HOLD_MAX);
        let Some(silence) = self.config.zone_silence else { return };
        let silent = |heard: Duration| now.saturating_sub(heard) >= silence;
        for (id, character) in self.players(|_, heard| silent(heard)) {
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            connection.zone_heard = now;
            let take_over = connection.attach >> REATTACH_BITS;
            self.outputs.push_back(Output::Locate { connection: id, character, take_over });
        }
    }

    /// The connections that play and of which this is true, in order.
    fn players(
        &self,
        is_meant: impl Fn(&Playing, Duration) -> bool,
    ) -> Vec<(ConnectionId, CharacterId)> {
        let mut found: Vec<_> = self
            .connections
            .iter()
            .filter_map(|(&id, connection)| match &connection.phase {
                Phase::Playing(playing) if is_meant(playing, connection.zone_heard) => {
                    Some((id, playing.character))
                }
                Phase::New
                | Phase::Admitting
                | Phase::Parting
                | Phase::Playing(_)
                | Phase::Leaving => None,
            })
            .collect();
        found.sort_unstable();
        found
    }

    /// Hands out what has gathered for the zones, as one batch a zone. To be called once before
    /// each tick.
    pub fn flush(&mut self) {
        let held = &self.held;
        for (zone, messages) in self.to_zones.extract_if(.., |zone, _| !held.contains_key(zone)) {
            self.outputs.push_back(Output::ToZone { zone, messages });
        }
    }
}
