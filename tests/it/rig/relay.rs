//! A way to a server that can be cut: what is said over it then goes nowhere, and nobody is told.
//! It can also hold back what is said from a word on, so that whoever says or hears it may be
//! killed at that very step.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;

const READ_BYTES: usize = 64 * 1024;

pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    cut: watch::Sender<bool>,
    hold: Arc<Hold>,
}

/// What is waited for, in either direction, and whether the last of it has come.
struct Hold {
    words: Mutex<VecDeque<String>>,
    is_held: watch::Sender<bool>,
}

impl Relay {
    pub(crate) fn start(runtime: &Handle, to: SocketAddr) -> Self {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (cut, is_cut) = watch::channel(false);
        let hold = Arc::new(Hold { words: Mutex::default(), is_held: watch::Sender::new(false) });
        let held = hold.clone();
        runtime.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(join(near, to, is_cut.clone(), held.clone()));
            }
        });
        Self { address, cut, hold }
    }

    pub(crate) fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Joins it again: connections from before the cut end.
    pub(crate) fn mend(&self) {
        self.cut.send_replace(false);
    }

    /// Passes all on until these words have been said one after the other, then nothing more in
    /// that direction, beginning with the message that has the last of them.
    pub(crate) fn hold_at(&self, words: &[&str]) {
        *self.hold.words.lock().unwrap() = words.iter().copied().map(str::to_owned).collect();
    }

    pub(crate) fn is_held(&self) -> bool {
        *self.hold.is_held.borrow()
    }

    /// What was held is never passed on: connections from before end.
    pub(crate) fn let_go(&self) {
        self.hold.is_held.send_replace(false);
    }
}

impl Hold {
    /// Whether what has just been read is to be held back. `read` is what was read since the word
    /// before.
    fn begins(&self, read: &mut Vec<u8>, more: &[u8]) -> bool {
        let mut words = self.words.lock().unwrap();
        let Some(longest) = words.iter().map(String::len).max() else { return false };
        read.extend_from_slice(more);
        while let Some(word) = words.front() {
            let Some(at) = read.windows(word.len()).position(|it| it == word.as_bytes()) else {
                // The beginning of one may be there.
                read.drain(..read.len().saturating_sub(longest));
                return false;
            };
            read.drain(..at + word.len());
            words.pop_front();
        }
        self.is_held.send_replace(true);
        true
    }
}

/// Passes on what two say; an error ends their connection, which is what they see.
async fn join(near: TcpStream, to: SocketAddr, mut is_cut: watch::Receiver<bool>, hold: Arc<Hold>) {
    if is_cut.wait_for(|cut| !cut).await.is_err() {
        return;
    }
    let Ok(far) = TcpStream::connect(to).await else { return };
    // Each message at once, as without a relay.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::select! {
        _ = pass(near_in, far_out, &hold) => {}
        _ = pass(far_in, near_out, &hold) => {}
        _ = is_cut.wait_for(|cut| *cut) => {
            // Both stay open meanwhile and hear nothing.
        }
    }
    let _ = is_cut.wait_for(|cut| !cut).await;
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    hold: &Hold,
) -> io::Result<()> {
    let mut bytes = vec![0; READ_BYTES];
    let mut read = Vec::new();
    loop {
        let count = from.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        if hold.begins(&mut read, &bytes[..count]) {
            // An error: the test is over.
            let _ = hold.is_held.subscribe().wait_for(|held| !held).await;
            return Ok(());
        }
        to.write_all(&bytes[..count]).await?;
    }
}
