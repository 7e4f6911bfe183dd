//! `services`: accounts, characters and the lobby over HTTP, the page, and the store that outlives
//! the zones.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;

use super::calls::Calls;
use super::cluster::characters::{Characters, Place, Record};
use super::cluster::clerk::EVENTS;
use super::cluster::gateways::Gateways;
use super::cluster::mail::{self, AccountAnswer, AccountQuestion};
use super::http;
use super::keys::Keys;
use super::lobby::Keeper;
use super::process::{Activated, Process};
use super::registrar::{self, News};
use super::rules::Rules;
use super::serve::site;
use super::settings::{self, Common, Settings};
use super::world::World;
use crate::disk::{self, DataFolder};
use crate::model::limits::{TICKS_PER_SECOND_DEFAULT, TICKS_PER_SECOND_MAX};
use crate::model::{AccountId, CharacterId, SessionId};
use crate::nats::{Bus, Nats, NotTaken, Queue, Subscription};
use crate::store::{PostgresStore, Store, StoreError};
use crate::telemetry::{Health, Metrics, Obstacle};

/// How often a store that is a server is asked whether it is there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Accounts and characters over HTTP, the page, and the store of what outlives the zones.
#[derive(Clone, Debug, Parser)]
#[command(name = "services", version, args_override_self = true)]
struct Flags {
    #[command(flatten)]
    common: Common,
    /// Folder of the store, where it is not in PostgreSQL
    #[arg(long, env = "UNDERCROFT_DATA", value_name = "FOLDER", default_value = "services-data")]
    data: PathBuf,
    /// File that holds the address of a PostgreSQL database for the store:
    /// postgres://USER:PASSWORD@HOST:5432/DATABASE
    #[arg(long, env = "UNDERCROFT_POSTGRES_URL_FILE", value_name = "FILE")]
    postgres_url_file: Option<PathBuf>,
    /// Address of the page and the API; from systemd, the socket named web
    #[arg(long, env = "UNDERCROFT_WEB", value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    web: SocketAddr,
    /// Address of the same for a proxy, whose X-Forwarded-For is believed: nobody else may reach it
    /// [default: none]
    #[arg(long, env = "UNDERCROFT_PROXIED", value_name = "ADDRESS")]
    proxied: Option<SocketAddr>,
    /// File of the keys of tokens, made at the first start
    #[arg(long, env = "UNDERCROFT_TOKEN_KEYS", value_name = "FILE", default_value = "token-key")]
    token_keys: PathBuf,
    /// Ticks a second; the same for all instances and gateways
    #[arg(long, env = "UNDERCROFT_TICKS_PER_SECOND", value_name = "NUMBER",
        default_value_t = TICKS_PER_SECOND_DEFAULT,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(TICKS_PER_SECOND_MAX)))]
    ticks_per_second: u32,
    /// Most API requests a minute from one address
    #[arg(
        long,
        env = "UNDERCROFT_REQUESTS_PER_MINUTE",
        value_name = "NUMBER",
        default_value_t = 120
    )]
    requests_per_minute: u32,
}

impl Settings for Flags {
    fn common(&self) -> &Common {
        &self.common
    }

    fn check(&self) -> anyhow::Result<()> {
        self.postgres_url_file.as_deref().map(settings::read_secret).transpose()?;
        self.common.nats.config("services").map(drop)
    }
}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    settings::main(run)
}

fn run(flags: &Flags) -> anyhow::Result<()> {
    let mut sockets = Activated::take()?;
    let process = Process::start(&mut sockets, flags.common.admin, None)?;
    let web = sockets.tcp("web", flags.web)?;
    let web_address = web.local_addr()?;
    let nats = Nats::connect(process.runtime.handle(), &flags.common.nats.config("services")?)?;
    let store = Arc::new(open_store(flags, &process)?);
    let tokens = Arc::new(Keys::load_or_make(&flags.token_keys)?);
    let world = World::shared(&nats, None)?;
    let bus = Bus::new(&nats);
    let config = http::Config {
        gateways: Some(Arc::new(Gateways::listen(&bus))),
        lobby: Arc::new(Keeper::shared(&nats)?),
        calls: Some(Calls::Shared { bus: bus.clone(), characters: Characters::open(&nats)? }),
        ticks_per_second: flags.ticks_per_second,
        requests_per_minute: flags.requests_per_minute,
        rules: Rules::follow(&nats)?,
        ..Default::default()
    };
    let metrics = process.metrics.clone();
    let routes = http::router(config, store.clone(), tokens, metrics.clone(), site(&world));
    process.serve(web, routes.clone(), None)?;
    process.serve_proxied(flags.proxied, routes, None)?;
    let events = Queue::open(&nats, EVENTS)?;
    let _answering = answer_gateways(&nats, &bus, store.clone())?;
    process.runtime.spawn(feed(events, store.clone(), metrics));
    process.runtime.spawn(watch(store, process.health.clone()));
    let line = format!(" web=http://{web_address}");
    let ended = process.run(&line, || "serving".to_owned())?;
    log::info!("{ended}: stopping");
    process.stop();
    Ok(())
}

fn open_store(flags: &Flags, process: &Process) -> anyhow::Result<Store> {
    let Some(file) = &flags.postgres_url_file else {
        let folder = DataFolder::open(&flags.data)?;
        return Ok(Store::open(&folder, disk::sqlite::Config::default())?);
    };
    process.health.raise(Obstacle::StoreFailing);
    let url = settings::read_secret(file)?;
    Ok(Store::Postgres(PostgresStore::unprepared(process.runtime.handle(), &url)?))
}

/// Connects to a store that is a server once it is there, and tells when it goes and comes back.
async fn watch(store: Arc<Store>, health: Arc<Health>) {
    let mut was_well = None;
    loop {
        let store = store.clone();
        let look = move || match &*store {
            Store::Sqlite(_) => None,
            Store::Postgres(it) if it.is_prepared() => {
                Some(it.ping().map_err(|error| error.to_string()))
            }
            Store::Postgres(it) => Some(it.prepare().map_err(|error| error.to_string())),
        };
        let Ok(Some(seen)) = tokio::task::spawn_blocking(look).await else { return };
        if was_well.replace(seen.is_ok()) != Some(seen.is_ok()) {
            match seen {
                Ok(()) => {
                    log::info!("the store in PostgreSQL is used");
                    health.clear(Obstacle::StoreFailing);
                }
                Err(detail) => {
                    log::error!("{detail}; trying again");
                    health.raise(Obstacle::StoreFailing);
                }
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Tells the store what instances have kept for it.
async fn feed(events: Queue, store: Arc<Store>, metrics: Arc<Metrics>) {
    let take = move |payload: Bytes, kept| {
        let Some(news) = mail::decode::<News>(&payload) else {
            metrics.events_refused.inc();
            return Err(NotTaken::Ever("an event for the store is of another version".to_owned()));
        };
        registrar::register(&store, &news, kept).map_err(|error| {
            metrics.errors.with_label_values(&["store"]).inc();
            if error.is_temporary() {
                return NotTaken::Yet(error.to_string());
            }
            metrics.events_refused.inc();
            NotTaken::Ever(format!("event {}: {error}", news.key()))
        })
    };
    events.follow(take).await;
}

/// Tells gateways which characters an account has, and puts those that the table of characters
/// lacks into it.
fn answer_gateways(nats: &Nats, bus: &Bus, store: Arc<Store>) -> anyhow::Result<Subscription> {
    let characters = Characters::open(nats)?;
    Ok(bus.serve(mail::ACCOUNT, mail::ACCOUNT, move |question| {
        let Some(AccountQuestion { account }) = mail::decode(&question) else {
            return mail::encode(&AccountAnswer::Unavailable);
        };
        let answer = match fill(&characters, &store, account) {
            Ok(own) => AccountAnswer::Characters(own),
            Err(error) => {
                log::error!(player_id = account.0; "{error:#}");
                AccountAnswer::Unavailable
            }
        };
        mail::encode(&answer)
    }))
}

fn fill(
    characters: &Characters,
    store: &Store,
    account: AccountId,
) -> anyhow::Result<Vec<CharacterId>> {
    let mut own = Vec::new();
    for character in store.characters(account)? {
        own.push(character.id);
        if characters.get(character.id)?.is_some() {
            continue;
        }
        let (known, sheet) = store
            .character(character.id)?
            .ok_or(StoreError::NoCharacter { character: character.id })?;
        let record = Record {
            account,
            name: known.name,
            session: SessionId(0),
            take_over: 0,
            version: sheet.version,
            place: Place::rest(&sheet.bytes),
        };
        characters.add(character.id, &record)?;
    }
    characters.set_account(account, &own)?;
    Ok(own)
}
