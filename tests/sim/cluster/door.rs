//! One process that holds connections: the steps of `app/gateway`, `app/admission` and `app/roll`.

use std::collections::VecDeque;
use std::time::Duration;

use undercroft::app::cluster::characters::{self, Place};
use undercroft::app::cluster::mail::{ToGatewayMail, ToZoneMail};
use undercroft::app::cluster::senders::Senders;
use undercroft::game::player::new_sheet;
use undercroft::game::rng::Rng;
use undercroft::game::state::Sheet;
use undercroft::gateway::{Admission, Config, Gateway, Identity, Located, Output};
use undercroft::model::{AccountId, CharacterId, GatewayId, SessionId};
use undercroft::protocol::CloseReason;

use super::bus::Mail;
use super::instance::Shared;

pub struct Door {
    pub id: GatewayId,
    world_seed: u64,
    rng: Rng,
    pub gateway: Gateway,
    senders: Senders,
    /// What the admission thread is asked, and when it comes to it.
    asked: VecDeque<(Duration, Output)>,
    /// What waits to be sent to clients.
    pub outgoing: Vec<Output>,
    said_at: Option<Duration>,
}

/// As long as a gateway says nothing of a zone by default.
const ZONE_SILENCE: Duration = Duration::from_secs(1);

impl Door {
    pub fn new(id: u32, world_seed: u64) -> Self {
        let id = GatewayId(id);
        let config = Config {
            id,
            connections_per_address_max: 100,
            zone_silence: Some(ZONE_SILENCE),
            ..Config::default()
        };
        Self {
            id,
            world_seed,
            rng: Rng::new(world_seed, 5, id.0.into()),
            gateway: Gateway::new(config),
            senders: Senders::default(),
            asked: VecDeque::new(),
            outgoing: Vec::new(),
            said_at: None,
        }
    }

    pub fn handle(&mut self, now: Duration, mail: Mail) {
        let (Mail::Gateway(_, mail) | Mail::Gateways(mail)) = mail else { return };
        match mail {
            ToGatewayMail::Bundles { sender, number, bundles, .. } => {
                let zones = bundles.iter().map(|bundle| bundle.zone);
                let lost = self.senders.note(now, sender, number, zones);
                for bundle in bundles {
                    self.gateway.handle_bundle(now, bundle);
                }
                if let Some(zones) = lost {
                    self.gateway.handle_gap(now, &zones);
                }
            }
            ToGatewayMail::ZoneDown(zone) => self.gateway.handle_zone_down(now, zone),
            ToGatewayMail::ZoneUp(zone) => self.gateway.handle_zone_up(now, zone),
        }
    }

    /// Shortly before the tick.
    pub fn flush(&mut self, shared: &mut Shared) {
        let now = shared.now;
        self.gateway.handle_timeout(now);
        if self.said_at.is_none_or(|at| now >= at + Duration::from_secs(1)) {
            self.said_at = Some(now);
            shared.bus.send(now, self.id.0.into(), Mail::Alive(self.id));
        }
        self.gateway.flush();
        self.act(shared);
    }

    pub fn act(&mut self, shared: &mut Shared) {
        let now = shared.now;
        while self.asked.front().is_some_and(|(at, _)| *at <= now) {
            let (_, request) = self.asked.pop_front().unwrap();
            self.answer(shared, request);
        }
        while let Some(output) = self.gateway.poll_output() {
            match output {
                Output::Verify { connection, token, resume } => {
                    let resumes = resume.split_once('.').map(|(session, character)| {
                        let (session, character) = (session.parse(), character.parse());
                        (SessionId(session.unwrap()), CharacterId(character.unwrap()))
                    });
                    // Each account has one character, of the same number.
                    let account = resumes.map_or_else(|| token.parse().unwrap(), |(_, it)| it.0);
                    let identity = Identity { account: AccountId(account), resumes };
                    self.gateway.handle_verified(now, connection, Ok(identity));
                }
                Output::Admit { .. } | Output::Locate { .. } | Output::End { .. } => {
                    let last = self.asked.back().map_or(now, |(at, _)| *at);
                    let takes = Duration::from_millis(u64::from(1 + self.rng.below(10)));
                    self.asked.push_back((last.max(now) + takes, output));
                }
                Output::ToZone { zone, messages } => {
                    let mail = ToZoneMail::Gateway { gateway: self.id, messages };
                    shared.bus.send(now, self.id.0.into(), Mail::Zone(zone, mail));
                }
                Output::Send { .. } | Output::Close { .. } => self.outgoing.push(output),
            }
        }
    }

    fn answer(&mut self, shared: &mut Shared, request: Output) {
        let now = shared.now;
        match request {
            Output::Admit { connection, identity, .. } => {
                let answer = self.admit(shared, identity);
                self.gateway.handle_admission(now, connection, answer);
            }
            Output::Locate { connection, character, take_over } => {
                match self.locate(shared, character, Some(take_over)) {
                    Ok(at) => self.gateway.handle_located(now, connection, character, at),
                    Err(reason) => self.gateway.handle_admission(now, connection, Err(reason)),
                }
            }
            other => panic!("no client says goodbye: {other:?}"),
        }
    }

    fn admit(&mut self, shared: &mut Shared, identity: Identity) -> Result<Admission, CloseReason> {
        let (session, character) = match identity.resumes {
            Some(resumed) => resumed,
            None => {
                let character = CharacterId(identity.account.0);
                self.locate(shared, character, None)?;
                *shared.tables.logins.entry(character).or_default() += 1;
                let session = SessionId(self.rng.bits().max(1));
                shared.tables.characters.get_mut(&character).unwrap().session = session;
                (session, character)
            }
        };
        let record = shared.tables.characters.get_mut(&character).unwrap();
        if record.session != session {
            return Err(CloseReason::Superseded);
        }
        record.take_over += 1;
        let take_over = record.take_over;
        let located = self.locate(shared, character, Some(take_over))?;
        let resume = format!("{}.{}", session.0, character.0);
        Ok(Admission { session, character, resume, located, take_over })
    }

    fn locate(
        &self,
        shared: &mut Shared,
        character: CharacterId,
        take_over: Option<u64>,
    ) -> Result<Located, CloseReason> {
        let record = &shared.tables.characters[&character];
        if take_over.is_some_and(|own| own < record.take_over) {
            return Err(CloseReason::Superseded);
        }
        let text = match &record.place {
            Place::Zone(zone) => return Ok(Located { zone: *zone, sheet: None }),
            Place::Rest(text) => text,
        };
        let sheet = match characters::sheet(text).unwrap() {
            bytes if bytes.is_empty() => new_sheet(character, &record.name, self.world_seed),
            bytes => postcard::from_bytes::<Sheet>(&bytes).unwrap(),
        };
        let zone = sheet.home;
        shared.tables.want(shared.now, zone);
        Ok(Located { zone, sheet: Some(postcard::to_stdvec(&sheet).unwrap()) })
    }
}
