//! The pool of WebSockets, against tungstenite as its peer.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;

use bytes::Bytes;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role};
use tungstenite::{Message, WebSocket};

use crate::model::limits::CLIENT_MESSAGE_BYTES_MAX;
use crate::net::websocket::{Pool, PoolConfig, PoolRead};
use crate::net::{ConnectionIds, SendOutcome, Upgraded};
use crate::protocol::CloseReason;

/// A pool with one connection, and that connection's other end.
struct Pair {
    pool: Pool,
    id: u64,
    peer: WebSocket<TcpStream>,
}

impl Pair {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, address) = listener.accept().unwrap();
        let mut pool = Pool::new(PoolConfig::default(), Arc::new(ConnectionIds::default()));
        let upgraded = Upgraded { stream, leftover: Vec::new(), peer: address };
        let id = pool.add(upgraded).unwrap();
        Self { pool, id, peer: WebSocket::from_raw_socket(peer, Role::Client, None) }
    }

    /// Reads until something is found.
    fn found(&mut self) -> Vec<PoolRead> {
        let mut all = Vec::new();
        while all.is_empty() {
            self.pool.read_all(|_, found| all.push(found));
            std::thread::yield_now();
        }
        all
    }

    /// The closing frame that the peer gets.
    fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.peer.read().unwrap() {
                Message::Close(frame) => return frame.map(|frame| frame.code.into()),
                Message::Binary(_) => {}
                Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {
                    panic!("nobody sent this")
                }
            }
        }
    }
}

#[test]
fn the_pool_carries_messages_both_ways() {
    let mut pair = Pair::new();
    for size in [1, 125, 126, 255, 256, CLIENT_MESSAGE_BYTES_MAX] {
        let message = Bytes::from(vec![9; size]);
        pair.peer.send(Message::Binary(message.clone())).unwrap();
        assert_eq!(pair.found(), [PoolRead::Message(message.clone())]);
        assert_eq!(pair.pool.send(pair.id, &message), SendOutcome::Sent);
        assert_eq!(pair.peer.read().unwrap(), Message::Binary(message));
    }
    pair.peer.send(Message::Ping("are you there".into())).unwrap();
    pair.peer.send(Message::binary("x")).unwrap();
    assert_eq!(pair.found(), [PoolRead::Message("x".into())]);
    pair.pool.flush_all(|_, _| unreachable!("nothing waits"));
    assert_eq!(pair.peer.read().unwrap(), Message::Pong("are you there".into()));
    let code = CloseCode::Away;
    pair.peer.close(Some(CloseFrame { code, reason: "".into() })).unwrap();
    assert_eq!(pair.found(), [PoolRead::Closed(None)]);
    assert_eq!(pair.close_code(), Some(code.into()));
    assert_eq!(pair.pool.send(pair.id, b"late"), SendOutcome::Gone);
    assert!(pair.pool.is_empty());
}

#[test]
fn bytes_behind_the_handshake_are_not_lost() {
    let mut pair = Pair::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, address) = listener.accept().unwrap();
    // A masked frame with the mask 0.
    let leftover = vec![0x82, 0x83, 0, 0, 0, 0, 1, 2, 3];
    pair.pool.add(Upgraded { stream, leftover, peer: address }).unwrap();
    assert_eq!(pair.found(), [PoolRead::Message(vec![1, 2, 3].into())]);
    assert_eq!(pair.pool.len(), 2);
    drop(peer);
    assert_eq!(pair.found(), [PoolRead::Closed(None)]);
    assert_eq!(pair.pool.len(), 1);
}

#[test]
fn the_pool_closes_what_is_no_message() {
    let too_large = Message::Binary(vec![0; CLIENT_MESSAGE_BYTES_MAX + 1].into());
    for (message, reason) in [
        (Message::text("hello"), CloseReason::Malformed),
        (Message::binary(""), CloseReason::Malformed),
        (too_large, CloseReason::TooLarge),
    ] {
        let mut pair = Pair::new();
        pair.peer.send(message).unwrap();
        assert_eq!(pair.found(), [PoolRead::Closed(Some(reason))]);
        assert_eq!(pair.close_code(), Some(4000 + u16::from(reason as u8)));
        assert!(pair.pool.is_empty());
    }
}

#[test]
fn what_follows_a_message_too_large_is_read_past() {
    use std::io::Write;
    let mut pair = Pair::new();
    pair.peer.get_mut().write_all(&[0x82, 0xfe, 0x0b, 0xb8, 0, 0, 0, 0]).unwrap();
    assert_eq!(pair.found(), [PoolRead::Closed(Some(CloseReason::TooLarge))]);
    for _ in 0..30 {
        pair.peer.get_mut().write_all(&[0; 100]).unwrap();
        pair.pool.read_all(|_, found| panic!("{found:?}"));
    }
    assert_eq!(pair.close_code(), Some(4000 + u16::from(CloseReason::TooLarge as u8)));
}

#[test]
fn garbage_is_closed_and_forgotten() {
    use std::io::{Read, Write};
    let mut pair = Pair::new();
    pair.peer.get_mut().write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(pair.found(), [PoolRead::Closed(Some(CloseReason::Malformed))]);
    pair.pool.read_all(|_, found| panic!("{found:?}"));
    let mut rest = Vec::new();
    // Whether the end or a reset comes first is up to the kernel.
    let _ = pair.peer.get_mut().read_to_end(&mut rest);
    assert_eq!(&rest[2..4], &4001_u16.to_be_bytes());
}

#[test]
fn a_slow_reader_costs_frames_and_no_memory() {
    let mut pair = Pair::new();
    let config = PoolConfig::default();
    let frame = [5; 1_000];
    let mut sent = 0;
    loop {
        match pair.pool.send(pair.id, &frame) {
            SendOutcome::Sent | SendOutcome::Queued { .. } => sent += 1,
            SendOutcome::Slow => break,
            SendOutcome::Gone => panic!("gone after {sent}"),
        }
        assert!(sent < 100_000, "the socket takes everything");
        assert!(pair.pool.waiting_bytes(pair.id) <= config.queue_bytes_max);
    }
    assert_eq!(pair.pool.send(pair.id, &[1]), SendOutcome::Slow, "until it has drained");
    let (mut pool, id, mut peer) = (pair.pool, pair.id, pair.peer);
    let reading = std::thread::spawn(move || {
        let lengths: Vec<usize> = (0..=sent).map(|_| peer.read().unwrap().len()).collect();
        (lengths, peer)
    });
    let mut drained = false;
    while !drained {
        pool.flush_all(|_, found| drained = found == PoolRead::Drained);
        std::thread::yield_now();
    }
    assert_eq!(pool.waiting_bytes(id), 0);
    assert_eq!(pool.send(id, &[2; 10]), SendOutcome::Sent);
    let (lengths, _peer) = reading.join().unwrap();
    assert!(lengths[..sent].iter().all(|&length| length == frame.len()));
    assert_eq!(lengths[sent], 10);
}

#[test]
fn a_closed_connection_that_does_not_answer_is_dropped() {
    use std::io::Read;
    let mut pair = Pair::new();
    pair.pool.close(pair.id, CloseReason::Idle);
    assert!(pair.pool.is_empty());
    for _ in 0..PoolConfig::default().closing_passes_max {
        pair.pool.read_all(|_, found| panic!("{found:?}"));
    }
    let mut all = Vec::new();
    pair.peer.get_mut().read_to_end(&mut all).unwrap();
    assert_eq!(&all[2..4], &4009_u16.to_be_bytes());
}
