//! The sockets of the embedded default: binding them, and what is served on each.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::Ordering;
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::config::Config;
use super::directory::Directory;
use super::http::{self, Asset, Hashes, Site};
use super::world::{World, random};
use crate::disk::DataFolder;
use crate::game::catalog::content::content_json;
use crate::net::certificate;
use crate::net::http::{HttpConfig, HttpCounters};
use crate::net::quic::{self, QuicConfig, QuicCounters, ResetKey};
use crate::net::tls::Identity;
use crate::net::{ConnectionIds, NetEvent};
use crate::services::Tokens;
use crate::store::Store;
use crate::telemetry::{Health, Metrics, admin};

const CERTIFICATE_FOLDER: &str = "certificate";

const RESET_KEY_FILE: &str = "quic-reset-key";

/// Sockets bound before anything is recovered, so that a port in use is noticed first.
pub(super) struct Sockets {
    pub(super) web: TcpListener,
    pub(super) quic: UdpSocket,
    pub(super) admin: TcpListener,
}

impl Sockets {
    pub(super) fn bind(config: &Config) -> anyhow::Result<Self> {
        let tcp = |what: &str, address: SocketAddr| {
            let listener =
                TcpListener::bind(address).map_err(|error| in_use(what, address, &error))?;
            listener.set_nonblocking(true).with_context(|| format!("preparing {address}"))?;
            Ok::<_, anyhow::Error>(listener)
        };
        let quic =
            UdpSocket::bind(config.quic).map_err(|error| in_use("quic", config.quic, &error))?;
        Ok(Self { web: tcp("web", config.web)?, quic, admin: tcp("admin", config.admin)? })
    }
}

fn in_use(what: &str, address: SocketAddr, error: &std::io::Error) -> anyhow::Error {
    if error.kind() == std::io::ErrorKind::AddrInUse {
        anyhow!(
            "{address} is in use by another program: stop that one, or choose another address \
             with --{what}"
        )
    } else {
        anyhow!("cannot listen on {address}: {error}; choose another address with --{what}")
    }
}

/// QUIC as the asynchronous side sees it: its connections are the gateway thread's.
pub(super) struct QuicDoor {
    address: SocketAddr,
    counters: Arc<QuicCounters>,
    /// The hashes of the certificates that it shows and showed of late.
    hashes: Hashes,
    /// When the development certificate has to be made anew.
    renew_at: Option<SystemTime>,
}

/// Takes the UDP socket for the gateway thread.
pub(super) fn open_quic(
    config: &Config,
    folder: &DataFolder,
    socket: UdpSocket,
    ids: Arc<ConnectionIds>,
) -> anyhow::Result<(quic::Pool, QuicDoor)> {
    let hashes: Hashes = Arc::new(RwLock::new(Vec::new()));
    let (identity, renew_at) = if let Some((certificate, key)) = &config.tls_files {
        (Identity::load(certificate, key)?, None)
    } else {
        let path = folder.file(CERTIFICATE_FOLDER);
        let made = certificate::load_or_make(&path, &[], SystemTime::now())?;
        publish(&hashes, &made.hashes);
        (made.identity, Some(made.renew_at))
    };
    let quic_config = QuicConfig {
        connections_max: config.connections_max,
        per_address_max: config.connections_per_address_max,
        ..QuicConfig::default()
    };
    let reset_key = load_reset_key(folder)?;
    let pool = quic::Pool::bind(socket, &identity, &reset_key, quic_config, ids)
        .context("starting QUIC")?;
    let address = pool.local_addr().context("asking for QUIC's address")?;
    let door = QuicDoor { address, counters: pool.counters(), hashes, renew_at };
    Ok((pool, door))
}

fn load_reset_key(folder: &DataFolder) -> anyhow::Result<ResetKey> {
    let path = folder.file(RESET_KEY_FILE);
    if !path.exists() {
        folder
            .write_secret(RESET_KEY_FILE, &random::<{ size_of::<ResetKey>() }>()?)
            .with_context(|| format!("writing {}", path.display()))?;
    }
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let key = bytes.as_slice().try_into();
    key.with_context(|| format!("{} is damaged: delete it, a new one is made", path.display()))
}

/// What the sockets' side is made from.
pub(super) struct Served<'a> {
    pub(super) config: &'a Config,
    pub(super) folder: &'a DataFolder,
    pub(super) world: &'a World,
    pub(super) store: Arc<Store>,
    pub(super) tokens: Arc<Tokens>,
    pub(super) directory: Arc<Directory>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) health: Arc<Health>,
    pub(super) net: crossbeam_channel::Sender<NetEvent>,
    pub(super) door: QuicDoor,
    pub(super) stopped: watch::Receiver<bool>,
}

impl Served<'_> {
    pub(super) fn serve(
        self,
        runtime: &Runtime,
        web: TcpListener,
        admin: TcpListener,
    ) -> anyhow::Result<(SocketAddr, SocketAddr, SocketAddr)> {
        let _guard = runtime.enter();
        let QuicDoor { address: quic_address, counters, hashes, renew_at } = self.door;
        if let Some(renew_at) = renew_at {
            let path = self.folder.file(CERTIFICATE_FOLDER);
            runtime.spawn(renew(self.net.clone(), path, renew_at, hashes.clone()));
        }
        let stopped = |mut receiver: watch::Receiver<bool>| async move {
            // An error: the server is gone, which is a stop as well.
            let _ = receiver.wait_for(|&stop| stop).await;
        };

        let web = tokio::net::TcpListener::from_std(web).context("taking the web port")?;
        let admin = tokio::net::TcpListener::from_std(admin).context("taking the admin port")?;
        let addresses = (web.local_addr()?, quic_address, admin.local_addr()?);
        let routes = http::router(
            http::Config {
                quic_port: quic_address.port(),
                certificate_hashes: hashes,
                ticks_per_second: self.config.ticks_per_second,
                requests_per_minute: self.config.requests_per_minute,
                ..Default::default()
            },
            self.store,
            self.tokens,
            self.metrics.clone(),
            site(self.world),
        );
        // A share for each address, well below all: one that opens connections and says nothing on
        // them must not keep the others out.
        let mut http_config = HttpConfig::default();
        http_config.per_address_max =
            http_config.per_address_max.min(self.config.connections_per_address_max);
        let door = Door {
            quic: counters,
            http: Arc::default(),
            directory: self.directory,
            metrics: self.metrics.clone(),
        };
        let service = http::upgrade::service(routes, Some(self.net));
        let end = stopped(self.stopped.clone());
        runtime.spawn(crate::net::http::serve(
            web,
            service,
            http_config.clone(),
            door.http.clone(),
            end,
        ));
        runtime.spawn(door.report());
        let service = http::upgrade::service(admin::router(self.health, self.metrics), None);
        let end = stopped(self.stopped);
        runtime.spawn(crate::net::http::serve(admin, service, http_config, Arc::default(), end));
        Ok(addresses)
    }
}

/// Who was turned away at the door, and who is in the world: counted elsewhere, shown once a second.
struct Door {
    quic: Arc<QuicCounters>,
    http: Arc<HttpCounters>,
    directory: Arc<Directory>,
    metrics: Arc<Metrics>,
}

impl Door {
    async fn report(self) {
        let Self { quic: counters, http, directory, metrics } = self;
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            second.tick().await;
            let refused: u64 = [
                &counters.refused_unfinished,
                &counters.refused_address,
                &counters.refused_full,
                &counters.refused_draining,
                &counters.failed,
                &counters.timed_out,
                &http.refused_full,
                &http.refused_address,
                &http.failed,
            ]
            .into_iter()
            .map(|counter| counter.load(Ordering::Relaxed))
            .sum();
            let shown = &metrics.handshakes_refused;
            shown.inc_by(refused.saturating_sub(shown.get()));
            metrics.player_count.set(i64::try_from(directory.len()).unwrap_or(i64::MAX));
        }
    }
}

fn publish(hashes: &Hashes, made: &[[u8; 32]]) {
    let text = made.iter().map(|hash| STANDARD.encode(hash)).collect();
    *hashes.write().unwrap_or_else(std::sync::PoisonError::into_inner) = text;
}

/// Makes a new development certificate whenever the present one grows old.
async fn renew(
    net: crossbeam_channel::Sender<NetEvent>,
    folder: std::path::PathBuf,
    mut renew_at: SystemTime,
    hashes: Hashes,
) {
    loop {
        let wait = renew_at.duration_since(SystemTime::now()).unwrap_or_default();
        tokio::time::sleep(wait.max(Duration::from_secs(60))).await;
        match certificate::load_or_make(&folder, &[], SystemTime::now()) {
            Ok(made) => {
                renew_at = made.renew_at;
                publish(&hashes, &made.hashes);
                if net.try_send(NetEvent::Renewed(made.identity)).is_err() {
                    // The old one is good for days: the next attempt comes in a minute.
                    renew_at = SystemTime::now();
                }
            }
            Err(error) => log::error!("the certificate cannot be made anew: {error}"),
        }
    }
}

fn site(world: &World) -> Site {
    let content = Bytes::from(content_json(world.seed()));
    let assets = crate::web::ASSETS.iter().map(|asset| Asset {
        path: asset.path,
        content_type: asset.content_type,
        bytes: Bytes::from_static(asset.body),
    });
    Site::new(content, assets)
}
