//! QUIC's side of a gateway that no connection belongs to: the socket, the certificate, the keys.

use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::http::Hashes;
use super::world::random;
use crate::disk::DataFolder;
use crate::net::quic::{self, QuicConfig, QuicCounters, ResetKey};
use crate::net::tls::Identity;
use crate::net::{ConnectionIds, NetEvent, certificate};

const CERTIFICATE_FOLDER: &str = "certificate";
const RESET_KEY_FILE: &str = "quic-reset-key";

/// QUIC as the asynchronous side sees it: its connections are the gateway thread's.
#[derive(Clone, Debug)]
pub(super) struct QuicDoor {
    pub(super) address: SocketAddr,
    pub(super) counters: Arc<QuicCounters>,
    /// The hashes of the certificates that it shows and showed of late.
    pub(super) hashes: Hashes,
    /// When the development certificate has to be made anew.
    renew_at: Option<SystemTime>,
}

/// Takes the UDP socket for the gateway thread.
pub(super) fn open_quic(
    tls_files: Option<&(PathBuf, PathBuf)>,
    quic_config: QuicConfig,
    folder: &DataFolder,
    socket: UdpSocket,
    ids: Arc<ConnectionIds>,
) -> anyhow::Result<(quic::Pool, QuicDoor)> {
    let hashes: Hashes = Arc::new(RwLock::new(Vec::new()));
    let (identity, renew_at) = if let Some((certificate, key)) = tls_files {
        (Identity::load(certificate, key)?, None)
    } else {
        let path = folder.file(CERTIFICATE_FOLDER);
        let made = certificate::load_or_make(&path, &[], SystemTime::now())?;
        publish(&hashes, &made.hashes);
        (made.identity, Some(made.renew_at))
    };
    let reset_key = load_reset_key(folder)?;
    let pool = quic::Pool::bind(socket, &identity, &reset_key, quic_config, ids)
        .context("starting QUIC")?;
    let address = pool.local_addr().context("asking for QUIC's address")?;
    let door = QuicDoor { address, counters: pool.counters(), hashes, renew_at };
    Ok((pool, door))
}

impl QuicDoor {
    /// Makes the development certificate anew in time, if it is one. To be called on a runtime.
    pub(super) fn keep_fresh(&self, folder: &DataFolder, net: crossbeam_channel::Sender<NetEvent>) {
        if let Some(renew_at) = self.renew_at {
            let path = folder.file(CERTIFICATE_FOLDER);
            tokio::spawn(renew(net, path, renew_at, self.hashes.clone()));
        }
    }
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

fn publish(hashes: &Hashes, made: &[[u8; 32]]) {
    let text = made.iter().map(|hash| STANDARD.encode(hash)).collect();
    *hashes.write().unwrap_or_else(std::sync::PoisonError::into_inner) = text;
}

/// Makes a new development certificate whenever the present one grows old.
async fn renew(
    net: crossbeam_channel::Sender<NetEvent>,
    folder: PathBuf,
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
