//! Who comes in, who has to wait and who has to go.

use std::net::IpAddr;
use std::time::Duration;

use super::connection::{Connection, Phase};
use super::{
    Admission, Bans, ConnectionId, Gateway, Identity, Output, Present, REATTACH_BITS, Used, User,
};
use crate::model::{CharacterId, GatewayId};
use crate::protocol::{CloseReason, ServerMessage};

/// When those may try again that are not let in because nobody new is.
const CLOSED_FOR: Duration = Duration::from_secs(10);
/// When those may try again from whose address there are too many.
const CROWDED_FOR: Duration = Duration::from_secs(5);

impl Gateway {
    /// A transport connection is there. `ordered`: what is sent arrives in order and completely.
    pub fn handle_opened(&mut self, now: Duration, id: ConnectionId, from: IpAddr, ordered: bool) {
        let is_full = self.connections.len() >= self.config.connections_max;
        self.connections.insert(id, Connection::new(&self.config, now, from, ordered));
        let fits = self.usage.connect(now, User::address(from)) && !is_full;
        if self.draining || self.is_cut_off {
            self.close(id, CloseReason::Draining);
        } else if self.close_banned(now, id) {
        } else if !fits {
            self.counters.rate_limited += 1;
            self.close_with(id, CloseReason::Full, CROWDED_FOR, "");
        }
    }

    /// Asks whose the tokens of a Hello are, if one more may join from there.
    pub(super) fn verify(
        &mut self,
        now: Duration,
        id: ConnectionId,
        token: String,
        resume: String,
    ) {
        let Some(connection) = self.connections.get(&id) else { return };
        if self.may_join(now, id, User::address(connection.from), "too many join from your address")
        {
            self.outputs.push_back(Output::Verify { connection: id, token, resume });
        }
    }

    /// Whether one more may join; otherwise the connection is told when to come back.
    fn may_join(&mut self, now: Duration, id: ConnectionId, user: User, why_not: &str) -> bool {
        match self.usage.join(now, user) {
            Ok(()) => true,
            Err(wait) => {
                self.counters.joins_refused += 1;
                self.close_with(id, CloseReason::Later, wait, why_not);
                false
            }
        }
    }

    /// Answers [`Output::Verify`].
    pub fn handle_verified(
        &mut self,
        now: Duration,
        id: ConnectionId,
        answer: Result<Identity, CloseReason>,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let is_parting = matches!(connection.phase, Phase::Parting);
        let identity = match answer {
            Ok(Identity { resumes: Some((session, character)), .. }) if is_parting => {
                connection.phase = Phase::Leaving;
                return self.outputs.push_back(Output::End { connection: id, character, session });
            }
            _ if is_parting => return self.close(id, CloseReason::Goodbye),
            Ok(identity) => identity,
            Err(reason) => return self.close(id, reason),
        };
        connection.account = Some(identity.account);
        let character = connection.wanted;
        let user = User::Account(identity.account);
        self.usage.connect(now, user);
        if self.close_banned(now, id) {
            return;
        }
        if identity.resumes.is_none() && !self.admits_new {
            let why = "nobody new is let in for a while";
            return self.close_with(id, CloseReason::Later, CLOSED_FOR, why);
        }
        if self.may_join(now, id, user, "your account joins too often") {
            self.outputs.push_back(Output::Admit { connection: id, identity, character });
        }
    }

    /// Answers [`Output::Admit`] and [`Output::End`].
    pub fn handle_admission(
        &mut self,
        now: Duration,
        id: ConnectionId,
        answer: Result<Admission, CloseReason>,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let is_parting = matches!(connection.phase, Phase::Parting);
        let admission = match answer {
            Ok(admission) if is_parting => {
                connection.phase = Phase::Leaving;
                let Admission { character, session, .. } = admission;
                return self.outputs.push_back(Output::End { connection: id, character, session });
            }
            Ok(admission) => admission,
            Err(_) if is_parting => return self.close(id, CloseReason::Goodbye),
            Err(reason) => return self.close(id, reason),
        };
        connection.session = admission.session;
        connection.resume = admission.resume;
        connection.attach = admission.take_over << REATTACH_BITS;
        let character = admission.character;
        if let Some(old) = self.by_character.insert(character, id).filter(|&old| old != id) {
            self.counters.resumes += 1;
            self.close(old, CloseReason::Superseded);
        }
        self.attach(now, id, character, admission.located);
    }

    /// These are banned from now on, and nobody else; connections that are theirs are closed.
    pub fn handle_bans(&mut self, now: Duration, bans: Bans) {
        self.bans = bans;
        for id in self.all() {
            self.close_banned(now, id);
        }
    }

    /// Closes a connection if it is banned.
    fn close_banned(&mut self, now: Duration, id: ConnectionId) -> bool {
        let Some(connection) = self.connections.get(&id) else { return false };
        let found = self.bans.find(now, connection.account, connection.from);
        let Some((rest, reason)) = found.map(|ban| (ban.rest(now), ban.reason.clone())) else {
            return false;
        };
        self.close_with(id, CloseReason::Banned, rest, &reason);
        true
    }

    /// Whether those may come in that resume no session.
    pub fn handle_admitting(&mut self, admits_new: bool) {
        self.admits_new = admits_new;
    }

    /// What everybody is told who plays, now and at every Welcome; empty: nothing any more.
    pub fn handle_notice(&mut self, text: &str) {
        if self.notice == text {
            return;
        }
        text.clone_into(&mut self.notice);
        for id in self.all() {
            self.tell_notice(id);
        }
    }

    pub(super) fn tell_notice(&mut self, id: ConnectionId) {
        let phase = self.connections.get(&id).map(|connection| &connection.phase);
        if matches!(phase, Some(Phase::Playing(playing)) if playing.welcomed) {
            self.send(id, &ServerMessage::Notice { text: self.notice.clone() });
        }
    }

    /// Closes the connection of a character for an admin, who says why; false if there is none.
    pub fn handle_kick(&mut self, character: CharacterId, why: &str) -> bool {
        let Some(&id) = self.by_character.get(&character) else { return false };
        self.close_with(id, CloseReason::Kicked, Duration::ZERO, why);
        true
    }

    /// Those who play, by their connections.
    #[must_use]
    pub fn present(&self) -> Vec<Present> {
        let present = |id: ConnectionId| self.connections.get(&id)?.present();
        self.all().into_iter().filter_map(present).collect()
    }

    /// What the other gateways have to know. To be asked a few times a second.
    pub fn tell_usage(&mut self, now: Duration) -> Vec<Used> {
        self.usage.tell(now)
    }

    /// What another gateway tells in the same way.
    pub fn handle_usage(&mut self, now: Duration, from: GatewayId, told: Vec<Used>) {
        self.usage.hear(now, from, told);
    }

    /// Lets nobody in any more and sends everybody elsewhere.
    pub fn handle_drain(&mut self) {
        self.draining = true;
        self.send_elsewhere();
    }

    /// The zones can be heard no more, or can again. Meanwhile everybody had better be elsewhere.
    pub fn handle_cut_off(&mut self, is_cut_off: bool) {
        if !std::mem::replace(&mut self.is_cut_off, is_cut_off) && is_cut_off {
            self.send_elsewhere();
        }
    }

    fn send_elsewhere(&mut self) {
        for id in self.all() {
            self.close(id, CloseReason::Draining);
        }
    }

    /// All connections, in order.
    fn all(&self) -> Vec<ConnectionId> {
        let mut all: Vec<_> = self.connections.keys().copied().collect();
        all.sort_unstable();
        all
    }
}
