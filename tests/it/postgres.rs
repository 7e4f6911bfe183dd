//! A cluster whose store is a PostgreSQL server that is away, goes away or dies.

use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};
use undercroft::app::cluster::clerk::EVENTS;
use undercroft::app::cluster::mail;
use undercroft::app::registrar::News;
use undercroft::cli::http::Login;
use undercroft::game::state::{Arrive, Bout, Death, Departure, DepartureKey, Destination};
use undercroft::model::{Tick, ZoneId};
use undercroft::nats::Queue;
use undercroft::net::Transport;

use crate::cluster::{all_go_on, populate, stop};
use crate::rig::cluster::{Cluster, Part};
use crate::rig::player::Player;
use crate::rig::postgres::Server;
use crate::rig::server::{Process, fetch};
use crate::rig::told::{Ledger, Told};
use crate::rig::{eventually, number, play};

#[test]
fn services_start_and_serve_while_the_database_is_away() {
    let Some(mut cluster) = Cluster::start("postgres-away", 1, 0) else { return };
    cluster.terminate(Part::Services);
    // Nobody answers at a port that is bound and does not listen any more.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let file = cluster.data("postgres-url");
    std::fs::write(&file, format!("postgres://u:secret@127.0.0.1:{port}/world\n")).unwrap();
    let at = cluster.at();
    let mut command = cluster.command(Part::Services);
    command.args(["--admin", &at.admin.to_string(), "--web", &at.web.to_string()]);
    command.arg("--postgres-url-file").arg(&file);
    let process = Process::spawn(command, &cluster.data("services-away.log"));
    assert_eq!(at.admin("/health/ready"), (503, "the store cannot be used\n".to_owned()));
    assert_eq!(at.admin("/health/live").0, 200);
    assert_eq!(fetch(at.web, "/api/hall-of-fame").unwrap().0, 503);
    eventually("the cause in the log", || {
        process.log().contains("cannot be reached").then_some(())
    });
    assert!(!process.log().contains("secret"), "{}", process.log());
    assert!(process.terminate().success());
}

/// Has people come in with tokens from before and leave again, and waits until the store was told.
fn visit(cluster: &Cluster, told: &Told, visitors: &[Login]) {
    let before = told.rests().len();
    let at = cluster.admin_of(Part::Gateway(1));
    for login in visitors {
        play(async { Player::join_as(at, Transport::WebSocket, login).await.leave().await });
    }
    let are_told = || told.rests().len() >= before + visitors.len();
    eventually("the visitors are told of", || are_told().then_some(()));
}

/// Tells the store without a break, as zones do, of bouts and deaths of two who are there. Bots
/// die too seldom to be waited for.
struct Evening {
    events: Queue,
    winner: Departure,
    loser: Departure,
    tick: u64,
}

impl Evening {
    fn go_on_until_dropped(&mut self, other_end: &Receiver<()>) {
        while other_end.try_recv() == Err(TryRecvError::Empty) {
            self.tick += 1;
            let (winner, loser) = (self.winner.key.character, self.loser.key.character);
            let (zone, tick) = (ZoneId(1_001), Tick(self.tick));
            let key = DepartureKey { zone, tick, character: loser };
            let cause = "killed by a friend in The Sandpit".to_owned();
            let death = Some(Death { cause, level: 1, depth: 1, gold: 7 });
            let to = Destination::Zone { zone: ZoneId(1), arrive: Arrive::Up };
            let died = Departure { key, to, death, sheet: self.loser.sheet.clone() };
            let (winners, losers) = (vec![winner], vec![loser]);
            let bout = Bout { zone, tick, winners, losers };
            for news in [News::Bout(bout), News::Departure(died)] {
                self.events.keep(&news.key(), mail::encode(&news)).unwrap();
            }
        }
    }
}

/// `CHAOS_SECONDS` lets the database be away for longer.
#[test]
fn what_happens_while_the_database_is_away_or_dies_is_in_it_once() {
    let Some(server) = Server::start() else { return };
    let Some(cluster) = Cluster::start_with(Some(server), "postgres-gone", 2, 1) else { return };
    let (server, nats) = (cluster.postgres().unwrap(), cluster.connect());
    let told = Told::listen(&nats);
    let bots = populate(&cluster, 1);
    let visitors = [(); 5].map(|()| play(cluster.at().http().guest()).unwrap());
    visit(&cluster, &told, &visitors);
    told.is_in(server);

    server.stop();
    let services = cluster.at();
    let is = |status| (services.admin("/health/ready").0 == status).then_some(());
    eventually("it is missed", || is(503));
    let until = Instant::now() + Duration::from_secs(number("CHAOS_SECONDS", 3));
    while Instant::now() < until {
        visit(&cluster, &told, &visitors);
        all_go_on(&bots);
    }
    assert!(told.waiting() >= visitors.len() as u64);
    server.start_again();
    eventually("it is used again", || is(200));
    told.is_in(server);

    let rests = told.rests();
    let events = Queue::open(&nats, EVENTS).unwrap();
    let (winner, loser) = (rests[0].clone(), rests[rests.len() - 1].clone());
    let mut evening = Evening { events, winner, loser, tick: 0 };
    for _ in 0..3 {
        let before = Ledger::read(&server.own_url()).duels();
        thread::scope(|scope| {
            let (goes_on, other_end) = crossbeam_channel::bounded(0);
            scope.spawn(|| evening.go_on_until_dropped(&{ other_end }));
            let are_taken = || Ledger::read(&server.own_url()).duels() > before;
            eventually("some are taken", || are_taken().then_some(()));
            server.kill();
            drop(goes_on);
        });
        assert!(told.waiting() > 0, "it has died in the middle of them");
        visit(&cluster, &told, &visitors);
        server.start_again();
    }
    stop(bots, 0..=0);
    told.is_in(server);
    cluster.verify();
}
