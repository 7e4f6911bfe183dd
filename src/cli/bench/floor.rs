//! What both bare servers share: they know no game, and only send and read.
//!
//! A client's message begins with its number (`u32`, little-endian); a frame begins with the
//! newest number that was read, so that the way from a command to a frame can be timed. The rest
//! is filling.

use std::io::Read;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::watch;

use super::measure::Transport;
use super::{floor_quic, floor_websocket};

#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Args {
    /// Bytes of a frame.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(4..=1_100))]
    pub frame_bytes: u32,
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub frames_per_second: u32,
    /// Threads that carry the connections.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub workers: u32,
}

/// The tick all connections of a server wait for.
pub(super) type Ticks = watch::Receiver<u64>;

/// Serves until standard input ends.
pub(super) fn serve(transport: Transport, args: Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.workers as usize)
        .enable_all()
        .build()
        .context("starting the runtime of a bare server")?;
    let (ticker, ticks) = watch::channel(0);
    let period = Duration::from_secs(1) / args.frames_per_second;
    std::thread::spawn(move || tick(&ticker, period));
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let frame_bytes = args.frame_bytes as usize;
    let ready = runtime.block_on(async {
        match transport {
            Transport::Websocket => floor_websocket::spawn(address, ticks, frame_bytes).await,
            Transport::Quic => floor_quic::spawn(address, ticks, frame_bytes),
        }
    })?;
    super::print(&format!("ready {ready}\n"))?;
    std::io::stdin()
        .read_to_end(&mut Vec::new())
        .context("waiting for the end of standard input")?;
    Ok(())
}

/// One tick for all, on absolute deadlines; ends when no connection can listen any more.
fn tick(ticker: &watch::Sender<u64>, period: Duration) {
    let mut deadline = Instant::now();
    for number in 1_u64.. {
        deadline += period;
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        if ticker.send(number).is_err() {
            return;
        }
    }
}

/// The newest number read on one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Newest(Arc<AtomicU32>);

impl Newest {
    pub(super) fn note(&self, message: &[u8]) {
        if let Some(number) = number(message) {
            self.0.store(number, Ordering::Relaxed);
        }
    }

    /// The next frame.
    pub(super) fn frame(&self, frame_bytes: usize) -> Bytes {
        message(self.0.load(Ordering::Relaxed), frame_bytes)
    }
}

/// A number and filling.
pub(super) fn message(number: u32, size: usize) -> Bytes {
    let mut bytes = BytesMut::with_capacity(size);
    bytes.put_u32_le(number);
    bytes.put_bytes(0xa5, size.saturating_sub(4));
    bytes.freeze()
}

/// The number a message begins with.
pub(super) fn number(message: &[u8]) -> Option<u32> {
    message.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::{Newest, number};

    #[test]
    fn frames_name_the_newest_message() {
        let newest = Newest::default();
        newest.note(&super::message(70_000, 9));
        newest.note(&[1, 2]);
        let frame = newest.frame(64);
        assert_eq!((number(&frame), frame.len()), (Some(70_000), 64));
    }
}
