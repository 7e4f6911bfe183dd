//! Bots against a small server in this process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::{Carrier, Config, Report, load_with};
use crate::cli::content::tests::tables;
use crate::cli::http::Server;
use crate::cli::link::{Connector, Link};
use crate::client::Behaviour;
use crate::model::{Cell, CharacterId, Direction, Pos, SessionId, ZoneId};
use crate::protocol::frame::{Input, encode};
use crate::protocol::{ClientMessage, Place, ServerMessage, VERSION, View};

/// A room of so many cells a side.
const SIDE: u16 = 40;

#[derive(Clone, Copy, Default)]
struct Script {
    /// Every connection ends once after so many frames.
    cut_after: u32,
    /// So many commands are forgotten then.
    forget: u32,
}

/// The newest command by session.
type Ledger = Arc<Mutex<BTreeMap<u64, u32>>>;

/// Answers any request with a guest of its own.
async fn serve_http(listener: TcpListener) {
    let mut guests = 0_u64;
    while let Ok((mut stream, _)) = listener.accept().await {
        guests += 1;
        let mut request = [0; 1_024];
        let _ = stream.read(&mut request).await;
        let body = format!(
            r#"{{"account":"1","name":"guest","token":"{guests}","characters":[{{"id":"7","name":"g"}}]}}"#
        );
        let head = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n", body.len());
        let _ = stream.write_all((head + &body).as_bytes()).await;
    }
}

/// One connection: commands are carried out at once, frames come every 50 ms.
async fn serve(mut link: Link, ledger: Ledger, script: Script) {
    let Some(hello) = link.receiver.recv().await else { return };
    let Ok(ClientMessage::Hello { token, resume, .. }) = ClientMessage::decode(&hello) else {
        panic!("the first message is a Hello");
    };
    let resumed = !resume.is_empty();
    let session: u64 = if resumed { resume } else { token }.parse().unwrap();
    let mut last_command = ledger.lock().unwrap().get(&session).copied().unwrap_or(0);
    let welcome = ServerMessage::Welcome {
        version: VERSION,
        session: SessionId(session),
        character: CharacterId(7),
        last_command,
        ticks_per_second: 20,
        name: "guest".into(),
        resume: session.to_string(),
    };
    assert!(link.send(welcome.encode().into()));
    let place = Place { zone: ZoneId(1), depth: 1, width: SIDE, height: SIDE, name: "Pit".into() };
    let mut view = View { place: Arc::new(place), ..View::default() };
    (view.me.pos, view.me.hp, view.me.hp_max) = (Pos::new(5, 5), 40, 40);
    let mut before: Option<View> = None;
    let mut ticks = interval(Duration::from_millis(50));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for number in 1.. {
        let _ = ticks.tick().await;
        while let Ok(bytes) = link.receiver.try_recv() {
            match ClientMessage::decode(&bytes).unwrap() {
                ClientMessage::Input { first, commands, keyframe, .. } => {
                    assert!(!keyframe, "nothing is lost here");
                    for (number, _) in (first..).zip(commands) {
                        assert!(number <= last_command + 1, "{number} after {last_command}");
                        last_command = last_command.max(number);
                    }
                }
                ClientMessage::Ping { nonce } => {
                    assert!(link.send(ServerMessage::Pong { nonce }.encode().into()));
                }
                ClientMessage::Bye => return,
                hello @ ClientMessage::Hello { .. } => panic!("{hello:?}"),
            }
        }
        ledger.lock().unwrap().insert(session, last_command);
        view.tick += 1;
        view.last_command = last_command;
        let east = Direction::ALL[number as usize % 8];
        view.me.pos = view.me.pos.step(east, SIDE, SIDE).unwrap();
        let cells: Vec<_> = (0..usize::from(SIDE) * 12)
            .map(|index| (index, Cell::new(1, 0, (0, 0), false)))
            .collect();
        let encoded = encode(Input {
            number,
            baseline: before.as_ref().map(|view| (number - 1, view)),
            view: view.clone(),
            events: &[],
            first_event: 0,
            cells: if before.is_none() { &cells } else { &[] },
            cells_sum: None,
            hash: number.is_multiple_of(4),
        });
        if !link.send(encoded.bytes.into()) {
            return;
        }
        before = Some(encoded.view);
        if number == script.cut_after && !resumed {
            let kept = last_command.saturating_sub(script.forget);
            ledger.lock().unwrap().insert(session, kept);
            return;
        }
    }
}

async fn accept(mut links: mpsc::Receiver<Link>, script: Script) {
    let ledger = Ledger::default();
    while let Some(link) = links.recv().await {
        tokio::spawn(serve(link, Arc::clone(&ledger), script));
    }
}

fn run(behaviour: Behaviour, script: Script) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server =
            Server { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
        tokio::spawn(serve_http(listener));
        let (connector, links) = Connector::memory(false);
        tokio::spawn(accept(links, script));
        let config = Config {
            server,
            count: 6,
            carrier: Carrier::Websocket,
            seconds: 1,
            commands_per_second: 10,
            joins_per_second: 60,
            behaviour,
            seed: 3,
            threads: 1,
            ledger: true,
            progress: false,
            pulse: None,
        };
        load_with(&config, tables().legend(), &[connector]).await
    })
}

#[test]
fn bots_join_walk_and_report() {
    let report = run(Behaviour::Walk, Script::default());
    assert_eq!((report.joined, report.failed, report.hash_errors), (6, 0, 0), "{report}");
    assert!((15.0..25.0).contains(&report.frames_per_second), "{report}");
    assert!((8.0..12.0).contains(&report.commands_per_second), "{report}");
    assert!(report.command_to_frame_ms.p50 > 0.0 && report.bytes_in_per_second > 0.0, "{report}");
    assert_eq!(report.ledger.len(), 6);
    let json = serde_json::to_value(&report).unwrap();
    assert!(json["frame_interval_ms"]["p99"].as_f64().is_some_and(|p99| p99 > 10.0), "{json}");
}

#[test]
fn a_restart_is_survived_and_lost_commands_are_noticed() {
    let report = run(Behaviour::Play, Script { cut_after: 20, forget: 0 });
    assert_eq!((report.failed, report.resumes, report.ledger_violations), (0, 6, 0), "{report}");
    let report = run(Behaviour::Play, Script { cut_after: 20, forget: 3 });
    assert_eq!((report.resumes, report.ledger_violations), (6, 6), "{report}");
    assert!(report.ledger.iter().any(|entry| entry.acknowledged > entry.welcomed));
}
