//! What zones tell the store, as a test hears it, and what a store in PostgreSQL has made of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sqlx::{Connection, PgConnection, query_as};
use undercroft::app::cluster::characters::{self, Characters, Place};
use undercroft::app::cluster::clerk::EVENTS;
use undercroft::app::cluster::mail;
use undercroft::app::registrar::News;
use undercroft::game::state::{Departure, Destination};
use undercroft::nats::{Bus, Nats, Queue, Subscription};

use super::postgres::Server;
use super::{eventually, play};

const WAITING: &str = "undercroft-events";
const REFUSED: &str = "undercroft-events-refused";

/// All that was told since this was made, by its key.
pub(crate) struct Told {
    nats: Nats,
    news: Arc<Mutex<BTreeMap<String, News>>>,
    _listening: Subscription,
}

/// What a store has or should have: the keys of deaths and of duels, and of each character, by its
/// number, the newest sheet and how many duels it has won and lost.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    deaths: Vec<String>,
    duels: Vec<String>,
    characters: BTreeMap<i64, (i64, Vec<u8>, i64, i64)>,
}

/// Waits until everybody rests and the store was told, and looks whether it has all of them as they
/// were when they left the world.
pub(crate) fn is_as_left(nats: &Nats, server: &Server) {
    let characters = Characters::open(nats).unwrap();
    let left = eventually("everybody rests", || {
        let left = characters.all().unwrap().into_iter().map(|(id, record)| match record.place {
            Place::Rest(text) => Some((id.0, (record.version, characters::sheet(&text)?))),
            Place::Zone(_) => None,
        });
        left.collect::<Option<BTreeMap<_, _>>>()
    });
    wait_until_taken(nats);
    let kept = Ledger::read(&server.own_url()).characters;
    for (id, (version, sheet)) in left {
        let (kept_version, kept_sheet, ..) = &kept[&i64::try_from(id).unwrap()];
        assert_eq!((*kept_version, kept_sheet), (i64::try_from(version).unwrap(), &sheet), "{id}");
    }
}

fn wait_until_taken(nats: &Nats) {
    eventually("all events are taken", || (messages(nats, WAITING) == 0).then_some(()));
    assert_eq!(messages(nats, REFUSED), 0);
}

fn messages(nats: &Nats, stream: &str) -> u64 {
    let mut stream = nats.wait(nats.jetstream().get_stream(stream)).unwrap();
    nats.wait(stream.info()).unwrap().state.messages
}

impl Told {
    pub(crate) fn listen(nats: &Nats) -> Self {
        // What goes into the queue is a message under its name.
        let news: Arc<Mutex<BTreeMap<String, News>>> = Arc::default();
        let told = news.clone();
        let listening = Bus::new(nats).subscribe(EVENTS, move |bytes| {
            let news: News = mail::decode(&bytes).unwrap();
            told.lock().unwrap().insert(news.key(), news);
        });
        // There are no such streams before somebody has opened them.
        Queue::open(nats, EVENTS).unwrap();
        Self { nats: nats.clone(), news, _listening: listening }
    }

    /// Those who have gone to rest.
    pub(crate) fn rests(&self) -> Vec<Departure> {
        let rest = |news: &News| match news {
            News::Departure(it) if it.to == Destination::Store => Some(it.clone()),
            News::Departure(_) | News::Bout(_) => None,
        };
        self.news.lock().unwrap().values().filter_map(rest).collect()
    }

    /// How much waits to be taken.
    pub(crate) fn waiting(&self) -> u64 {
        messages(&self.nats, WAITING)
    }

    /// Waits until all is taken, and compares what was told with what is there.
    pub(crate) fn is_in(&self, server: &Server) {
        wait_until_taken(&self.nats);
        let told = self.ledger();
        let mut kept = Ledger::read(&server.own_url());
        // Of whoever has not come to rest yet, it knows the name alone.
        kept.characters.retain(|_, character| *character != (0, Vec::new(), 0, 0));
        assert_eq!(kept, told);
    }

    fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        for (key, news) in &*self.news.lock().unwrap() {
            match news {
                News::Departure(departure) => {
                    let (sheet, to) = (&departure.sheet, departure.to);
                    if departure.death.is_some() {
                        ledger.deaths.push(format!("{key}/death"));
                    }
                    let version = i64::try_from(sheet.version).unwrap();
                    let kept = ledger.of(sheet.character.0);
                    if to == Destination::Store && version > kept.0 {
                        (kept.0, kept.1) = (version, postcard::to_stdvec(sheet).unwrap());
                    }
                }
                News::Bout(bout) => {
                    ledger.duels.push(key.clone());
                    for winner in &bout.winners {
                        ledger.of(winner.0).2 += 1;
                    }
                    for loser in &bout.losers {
                        ledger.of(loser.0).3 += 1;
                    }
                }
            }
        }
        ledger.characters.retain(|_, character| *character != (0, Vec::new(), 0, 0));
        ledger.deaths.sort();
        ledger
    }
}

impl Ledger {
    pub(crate) fn read(url: &str) -> Self {
        play(async {
            let mut connection = PgConnection::connect(url).await.unwrap();
            let sql = "SELECT event_key FROM hall_of_fame ORDER BY event_key COLLATE \"C\"";
            let deaths: Vec<(String,)> = query_as(sql).fetch_all(&mut connection).await.unwrap();
            let sql = "SELECT event_key FROM duels ORDER BY event_key COLLATE \"C\"";
            let duels: Vec<(String,)> = query_as(sql).fetch_all(&mut connection).await.unwrap();
            let sql = "SELECT id, sheet_version, sheet, wins, losses FROM characters";
            let rows: Vec<(i64, i64, Vec<u8>, i64, i64)> =
                query_as(sql).fetch_all(&mut connection).await.unwrap();
            let character = |(id, version, sheet, won, lost)| (id, (version, sheet, won, lost));
            Self {
                deaths: deaths.into_iter().map(|(key,)| key).collect(),
                duels: duels.into_iter().map(|(key,)| key).collect(),
                characters: rows.into_iter().map(character).collect(),
            }
        })
    }

    pub(crate) fn duels(&self) -> usize {
        self.duels.len()
    }

    fn of(&mut self, character: u64) -> &mut (i64, Vec<u8>, i64, i64) {
        self.characters.entry(i64::try_from(character).unwrap()).or_default()
    }
}
