//! The sockets of the embedded default: binding them, and what is served on each.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::calls::Calls;
use super::config::Config;
use super::directory::Directory;
use super::door::QuicDoor;
use super::http::{self, Asset, Site};
use super::instance::Threads;
use super::keys::Keys;
use super::process::Activated;
use super::world::World;
use crate::disk::DataFolder;
use crate::game::catalog::content::content_json;
use crate::net::NetEvent;
use crate::net::http::{HttpConfig, HttpCounters};
use crate::net::quic::QuicCounters;
use crate::store::Store;
use crate::telemetry::{Health, Metrics, admin};

/// Sockets bound before anything is recovered, so that a port in use is noticed first.
pub(super) struct Sockets {
    pub(super) web: TcpListener,
    pub(super) quic: UdpSocket,
    pub(super) admin: TcpListener,
}

impl Sockets {
    /// Those that systemd has opened, named as the flags, or else new ones.
    pub(super) fn bind(config: &Config, mut opened: Activated) -> anyhow::Result<Self> {
        let web = opened.tcp("web", config.web)?;
        let quic = opened.udp("quic", config.quic)?;
        Ok(Self { web, quic, admin: opened.tcp("admin", config.admin)? })
    }
}

pub(super) fn in_use(what: &str, address: SocketAddr, error: &std::io::Error) -> anyhow::Error {
    if error.kind() == std::io::ErrorKind::AddrInUse {
        anyhow!(
            "{address} is in use by another program: stop that one, or choose another address \
             with --{what}"
        )
    } else {
        anyhow!("cannot listen on {address}: {error}; choose another address with --{what}")
    }
}

/// What the sockets' side is made from.
pub(super) struct Served<'a> {
    pub(super) config: &'a Config,
    pub(super) folder: &'a DataFolder,
    pub(super) world: &'a World,
    pub(super) store: Arc<Store>,
    pub(super) tokens: Arc<Keys>,
    pub(super) directory: Arc<Directory>,
    pub(super) threads: Threads,
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
        let QuicDoor { address: quic_address, counters, hashes, .. } = self.door.clone();
        self.door.keep_fresh(self.folder, self.net.clone());
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
                calls: Some(Calls::Local {
                    threads: self.threads,
                    directory: self.directory.clone(),
                }),
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
        let service =
            http::upgrade::service(admin::router(self.health, self.metrics, Arc::default()), None);
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

pub(super) fn site(world: &World) -> Site {
    let content = Bytes::from(content_json(world.seed()));
    let assets = crate::web::ASSETS.iter().map(|asset| Asset {
        path: asset.path,
        content_type: asset.content_type,
        bytes: Bytes::from_static(asset.body),
    });
    Site::new(content, assets)
}
