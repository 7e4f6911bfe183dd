//! The tables that all processes share: leases, replaced by revision, and characters.

use std::collections::BTreeMap;
use std::time::Duration;

use undercroft::app::cluster::characters::{Place, Record};
use undercroft::game::rng::Rng;
use undercroft::game::state::Sheet;
use undercroft::lease::{Answer, InstanceRecord, Leases, Output, ZoneRecord};
use undercroft::model::{AccountId, CharacterId, InstanceId, SessionId, ZoneId};

#[derive(Clone, Copy, Debug)]
pub enum Write {
    Instance(InstanceId, InstanceRecord),
    Zone(ZoneId, ZoneRecord),
}

#[derive(Default)]
pub struct Tables {
    revision: u64,
    instances: BTreeMap<InstanceId, (u64, InstanceRecord)>,
    pub zones: BTreeMap<ZoneId, (u64, ZoneRecord)>,
    /// All writes, in order.
    written: Vec<(Duration, u64, Write)>,
    pub characters: BTreeMap<CharacterId, Record>,
    /// What the store was told of characters at rest.
    pub stored: BTreeMap<CharacterId, Sheet>,
    pub logins: BTreeMap<CharacterId, u32>,
}

impl Tables {
    pub fn new(players: u64) -> Self {
        let record = |n: u64| Record {
            account: AccountId(n),
            name: format!("p{n}"),
            session: SessionId(0),
            take_over: 0,
            version: 0,
            place: Place::rest(&[]),
        };
        let characters = (1..=players).map(|n| (CharacterId(n), record(n))).collect();
        Self { characters, ..Self::default() }
    }

    pub fn place(&mut self, character: CharacterId, version: u64, place: &Place) {
        self.characters.get_mut(&character).unwrap().place(version, place);
    }

    pub fn want(&mut self, now: Duration, zone: ZoneId) {
        if !self.zones.contains_key(&zone) {
            let has_standby = zone.0 % 2 == 1;
            self.put(now, Write::Zone(zone, ZoneRecord { has_standby, ..ZoneRecord::WANTED }));
        }
    }

    fn put(&mut self, now: Duration, write: Write) -> u64 {
        self.revision += 1;
        match write {
            Write::Instance(id, record) => {
                self.instances.insert(id, (self.revision, record));
            }
            Write::Zone(id, record) => {
                self.zones.insert(id, (self.revision, record));
            }
        }
        self.written.push((now, self.revision, write));
        self.revision
    }

    fn replace(&mut self, now: Duration, write: Write, expected: u64) -> Answer {
        let revision = match write {
            Write::Instance(id, _) => self.instances.get(&id).map_or(0, |row| row.0),
            Write::Zone(id, _) => self.zones.get(&id).map_or(0, |row| row.0),
        };
        if revision == expected { Answer::Written(self.put(now, write)) } else { Answer::Refused }
    }
}

/// What joins the leases of one instance to the tables.
pub struct Link {
    rng: Rng,
    me: InstanceId,
    /// Writes on their way, with the expected revision.
    writes: Vec<(Duration, Write, u64)>,
    answers: Vec<(Duration, Write, Answer)>,
    /// How many of all writes the watch has told.
    told: usize,
    /// The watch tells nothing before.
    pub late_until: Duration,
    pub is_calm: bool,
}

/// How long a writer waits for an answer before it looks the record up.
const GIVE_UP_AFTER: Duration = Duration::from_millis(400);

impl Link {
    pub fn new(seed: u64, me: InstanceId) -> Self {
        Self {
            rng: Rng::new(seed, 3, 0),
            me,
            writes: Vec::new(),
            answers: Vec::new(),
            told: 0,
            late_until: Duration::ZERO,
            is_calm: false,
        }
    }

    /// Opens the watches, which tell all that is there.
    pub fn open(&mut self, now: Duration, tables: &Tables, leases: &mut Leases) {
        leases.handle_connected(now);
        for (&id, &(revision, record)) in &tables.instances {
            leases.handle_instance(now, id, revision, record);
        }
        for (&id, &(revision, record)) in &tables.zones {
            leases.handle_zone(id, revision, record);
        }
        self.told = tables.written.len();
    }

    fn delay(&mut self) -> Duration {
        Duration::from_millis(u64::from(1 + self.rng.below(15)))
    }

    pub fn write(&mut self, now: Duration, output: Output) {
        let (write, expected) = match output {
            Output::Renew { record, expected } => (Write::Instance(self.me, record), expected),
            Output::Claim { zone, record, expected } => (Write::Zone(zone, record), expected),
            other => panic!("no write: {other:?}"),
        };
        let at = now + self.delay();
        self.writes.push((at, write, expected));
    }

    /// What has reached the tables takes effect there, whether its writer lives or not.
    pub fn serve(&mut self, now: Duration, tables: &mut Tables) {
        let due: Vec<_> = self.writes.extract_if(.., |(at, ..)| *at <= now).collect();
        for (_, write, expected) in due {
            let answer = tables.replace(now, write, expected);
            let is_lost = !self.is_calm && self.rng.chance(3);
            let after = if is_lost { GIVE_UP_AFTER } else { self.delay() };
            let answer = if is_lost { Answer::Unknown } else { answer };
            self.answers.push((now + after, write, answer));
        }
    }

    /// Tells the leases what has come.
    pub fn tell(&mut self, now: Duration, tables: &Tables, leases: &mut Leases) {
        while now >= self.late_until
            && let Some(&(at, revision, write)) = tables.written.get(self.told)
            && at + Duration::from_millis(5) <= now
        {
            self.told += 1;
            match write {
                Write::Instance(id, record) => leases.handle_instance(now, id, revision, record),
                Write::Zone(id, record) => leases.handle_zone(id, revision, record),
            }
        }
        let due: Vec<_> = self.answers.extract_if(.., |(at, ..)| *at <= now).collect();
        for (_, write, answer) in due {
            match write {
                Write::Instance(id, _) => {
                    if let (Answer::Unknown, Some(&(revision, it))) =
                        (answer, tables.instances.get(&id))
                    {
                        leases.handle_looked_up(now, revision, it);
                    }
                    leases.handle_renewed(answer, now);
                }
                Write::Zone(zone, record) => {
                    if let (Answer::Unknown, Some(&(revision, it))) =
                        (answer, tables.zones.get(&zone))
                    {
                        leases.handle_zone(zone, revision, it);
                    }
                    leases.handle_claimed(zone, record, answer);
                }
            }
        }
    }
}
