//! Parties and matchmaking over HTTP, with services that die meanwhile.

use std::net::SocketAddr;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use undercroft::cli::http::Login;
use undercroft::cli::play::matchmaker::Matchmaker;
use undercroft::client::Client;
use undercroft::model::{CharacterId, ZoneId};
use undercroft::net::Transport;

use crate::rig::cluster::{Cluster, Part};
use crate::rig::server::ask;
use crate::rig::{DEADLINE, eventually, play, player};

struct Player {
    web: SocketAddr,
    login: Login,
    token: String,
    character: CharacterId,
}

impl Player {
    fn ask(&self, method: &str, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let headers = format!("authorization: Bearer {}\r\nidempotency-key: {key}\r\n", self.token);
        let (status, text) = ask(self.web, method, path, &headers, &body.to_string()).unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    fn act(&self, path: &str) -> (u16, Value) {
        self.ask("POST", path, "", &json!({ "character": self.character.to_string() }))
    }

    fn request(&self, key: &str, mode: &str, latencies: &Value) -> (u16, Value) {
        let body = json!({
            "character": self.character.to_string(), "mode": mode, "latencies": latencies,
        });
        self.ask("POST", "/api/matchmaking/tickets", key, &body)
    }

    fn ticket(&self, ticket: &Value, method: &str) -> (u16, Value) {
        let path = format!("/api/matchmaking/tickets/{}", ticket["ticket"].as_str().unwrap());
        self.ask(method, &path, "", &json!({}))
    }

    fn take_up(&self, ticket: &Value) -> (u16, Value) {
        let ticket = ticket["ticket"].as_str().unwrap();
        self.ask("POST", &format!("/api/matchmaking/tickets/{ticket}/take-up"), "", &json!({}))
    }

    /// How far this player has come with an allocation.
    fn progress(&self, seen: &Value) -> Value {
        seen["allocation"]["progress"][self.character.to_string()].clone()
    }

    /// The duels and bouts of teams in the history, newest first. `before` makes each request
    /// another one, so that none is answered out of a cache.
    fn duels(&self, before: u32) -> Vec<Value> {
        let path = format!("/api/characters/{}/duels", self.character);
        let (_, page) = self.ask("GET", &format!("{path}?before={before}"), "", &json!({}));
        page["duels"].as_array().unwrap().clone()
    }

    async fn join(&self, cluster: &Cluster) -> player::Player {
        let at = cluster.admin_of(Part::Gateway(1));
        player::Player::join_as(at, Transport::Quic, &self.login).await
    }
}

fn players<const N: usize>(cluster: &Cluster) -> [Player; N] {
    let (web, http) = (cluster.at().web, cluster.at().http());
    [(); N].map(|()| {
        let login = play(http.guest()).unwrap();
        let (token, character) = (login.token.clone(), login.character);
        Player { web, login, token, character }
    })
}

#[test]
fn two_that_wait_are_brought_together_though_the_services_are_killed_between() {
    let Some(mut cluster) = Cluster::start("duel", 1, 2) else { return };
    cluster.wait_for_gateways(2);
    let [ada, eve, bystander] = players(&cluster);
    let gateways = play(cluster.at().http().info()).unwrap().gateways.unwrap();
    // The one that is named second is nearer to her.
    let (far, near) = (&gateways[0].websocket, &gateways[1].websocket);
    let measured = json!({ (far.clone()): 90, (near.clone()): 9 });
    let (status, first) = ada.request("a", "duel", &measured);
    assert_eq!((status, &first["state"]), (201, &json!("waiting")), "{first}");
    let queue = "game_server_matchmaking_queue{mode=\"duel\"}";
    assert_eq!(cluster.at().metrics().value(queue), 1.0);

    cluster.kill(Part::Services);
    cluster.run(Part::Services);
    cluster.wait_for_gateways(2);
    let (status, again) = ada.request("a", "teams", &json!({}));
    assert_eq!((status, &again["ticket"]), (200, &first["ticket"]));
    let (status, said) = ada.request("b", "duel", &json!({}));
    assert_eq!((status, &said["code"]), (409, &json!("has_ticket")));

    let (status, second) = eve.request("a", "duel", &json!({}));
    assert_eq!(status, 201);
    assert_ne!(second["ticket"], first["ticket"]);
    let allocation = |player: &Player, ticket| {
        eventually("an allocation", || {
            let (_, ticket) = player.ticket(ticket, "GET");
            (ticket["state"] == "allocated").then(|| ticket["allocation"].clone())
        })
    };
    let (hers, other) = (allocation(&ada, &first), allocation(&eve, &second));
    assert_eq!(hers["arena"], json!("The Sandpit"));
    assert_eq!((&hers["zone"], &hers["until"]), (&other["zone"], &other["until"]));
    assert_eq!(hers["against"][0]["character"], json!(eve.character.to_string()));
    assert_eq!(other["against"][0]["character"], json!(ada.character.to_string()));
    assert_eq!(hers["gateway"], json!(near));
    assert!(gateways.iter().any(|it| other["gateway"] == json!(it.websocket)), "{other}");
    assert_eq!(cluster.at().metrics().value(queue), 0.0);

    assert_eq!(bystander.ticket(&first, "GET").0, 404);
    assert_eq!(bystander.ticket(&first, "DELETE").0, 404);
    assert_eq!(ada.ticket(&first, "DELETE").0, 204);
    assert_eq!(ada.ticket(&first, "GET").1["state"], "cancelled");
    let (status, said) = ada.request("", "duel", &json!({}));
    assert_eq!((status, &said["code"]), (400, &json!("no_idempotency_key")));
}

#[test]
fn a_party_waits_as_one_and_is_sent_to_a_floor_together() {
    let Some(cluster) = Cluster::start("party", 1, 0) else { return };
    let [ada, eve, bystander] = players(&cluster);
    let (status, party) = ada.act("/api/parties");
    assert_eq!(status, 201, "{party}");
    let path = format!("/api/parties/{}", party["code"].as_str().unwrap());
    assert_eq!(eve.act(&format!("{path}/join")).0, 200);
    assert_eq!(bystander.ask("GET", &path, "", &json!({})).0, 404);
    let (_, waiting) = ada.request("teams", "teams", &json!({}));
    assert_eq!(waiting["members"].as_array().unwrap().len(), 2, "{waiting}");
    // Whoever is a member may look; who joins or leaves ends what waits.
    assert_eq!(eve.ticket(&waiting, "GET").1["state"], "waiting");
    assert_eq!(bystander.act(&format!("{path}/join")).0, 200);
    assert_eq!(eve.ticket(&waiting, "GET").1["state"], "cancelled");
    assert_eq!(bystander.act(&format!("{path}/leave")).0, 204);

    let (_, sent) = eve.request("down", "dungeon", &json!({}));
    let (_, seen) = ada.ticket(&sent, "GET");
    assert_eq!((&seen["state"], &seen["allocation"]["zone"]), (&json!("allocated"), &json!(1)));
    assert_eq!(
        (&seen["allocation"]["arena"], &seen["allocation"]["against"]),
        (&Value::Null, &json!([]))
    );
    let (status, members) = ada.ask("GET", &path, "", &json!({}));
    assert_eq!((status, members["members"].as_array().unwrap().len()), (200, 2));
}

/// Plays on and asks after the tickets until all are in a zone and known to be.
async fn called(players: &mut [player::Player], sides: &[(&Player, &Value)], zone: ZoneId) {
    let begun = Instant::now();
    loop {
        for player in &mut *players {
            player.frames(1).await;
        }
        let arrived = sides
            .iter()
            .all(|(side, ticket)| side.progress(&side.ticket(ticket, "GET").1) == "arrived");
        if arrived && players.iter().all(|player| player.view().place.zone == zone) {
            return;
        }
        let who: Vec<_> = players.iter().map(ToString::to_string).collect();
        assert!(begun.elapsed() < DEADLINE, "not in zone {zone}: {who:?}");
    }
}

fn is_home(client: &mut Client) -> Option<()> {
    (client.view()?.place.zone == ZoneId(1) && client.is_playing()).then_some(())
}

/// The history of a player, once there is one.
fn result(player: &Player) -> Vec<Value> {
    let mut before = 1_000..;
    eventually("the result", || Some(player.duels(before.next()?)).filter(|rows| !rows.is_empty()))
}

/// The next line that a player of the terminal client is told.
async fn line(said: &mut UnboundedReceiver<String>) -> String {
    let line = tokio::time::timeout(DEADLINE, said.recv()).await;
    line.expect("nothing is said").expect("there is a matchmaker")
}

#[test]
fn a_duel_is_taken_up_fought_and_counted_once_though_its_instance_is_killed() {
    let Some(mut cluster) = Cluster::start("match", 1, 1) else { return };
    cluster.wait_for_gateways(1);
    let [ada, eve] = players(&cluster);
    let tickets = [&ada, &eve].map(|it| it.request("a", "duel", &json!({})).1);
    eventually("an opponent", || {
        (ada.ticket(&tickets[0], "GET").1["state"] == "allocated").then_some(())
    });
    assert_eq!(eve.take_up(&tickets[0]).0, 404);
    let (status, seen) = ada.take_up(&tickets[0]);
    assert_eq!((status, &seen["state"]), (200, &json!("allocated")), "{seen}");
    let progress = json!({ (ada.character.to_string()): "taken_up" });
    assert_eq!(seen["allocation"]["progress"], progress);
    play(async {
        let mut delvers = [ada.join(&cluster).await, eve.join(&cluster).await];
        assert_eq!(eve.take_up(&tickets[1]).1["state"], "called");
        let sides = [(&ada, &tickets[0]), (&eve, &tickets[1])];
        called(&mut delvers, &sides, ZoneId(1_001)).await;
        // The match is in the zone's log.
        cluster.kill(Part::Instance(1));
        cluster.run(Part::Instance(1));
        let [mut winner, loser] = delvers;
        winner.frames(20).await;
        loser.leave().await;
        winner.until("going home", is_home).await;
    });
    let won = result(&ada);
    assert_eq!((won.len(), &won[0]["won"], &won[0]["change"]), (1, &json!(true), &json!(16)));
    let lost = result(&eve);
    assert_eq!(
        (lost.len(), &lost[0]["won"], &lost[0]["rating"]),
        (1, &json!(false), &json!(1_484))
    );
    cluster.verify();
}

#[test]
fn a_floor_is_taken_up_by_each_for_itself() {
    let Some(cluster) = Cluster::start("called", 1, 1) else { return };
    cluster.wait_for_gateways(1);
    let [ada, _] = players(&cluster);
    let (_, ticket) = ada.request("a", "dungeon", &json!({}));
    let (status, refused) = ada.take_up(&json!({ "ticket": "77" }));
    assert_eq!((status, &refused["code"]), (404, &json!("no_ticket")));
    eventually("the floor", || {
        (ada.ticket(&ticket, "GET").1["state"] == "allocated").then_some(())
    });
    // One that is not in the world is called when it is.
    let (_, seen) = ada.take_up(&ticket);
    assert_eq!((&seen["state"], ada.progress(&seen)), (&json!("called"), json!("taken_up")));
    play(async {
        let delver = ada.join(&cluster).await;
        assert_eq!(ada.progress(&ada.ticket(&ticket, "GET").1), "arrived");
        assert_eq!(delver.view().place.zone, ZoneId(1));
    });
    assert_eq!(ada.ticket(&ticket, "DELETE").0, 204);
    let (status, refused) = ada.take_up(&ticket);
    assert_eq!((status, &refused["code"]), (409, &json!("not_allocated")));
}

#[test]
fn teams_meet_in_an_arena_and_all_of_both_sides_are_rated_and_go_home() {
    let Some(cluster) = Cluster::start("teams", 2, 2) else { return };
    cluster.wait_for_gateways(2);
    let all: [Player; 4] = players(&cluster);
    let [ada, bea, eve, ivy] = &all;
    for (head, other) in [(ada, bea), (eve, ivy)] {
        let (_, party) = head.act("/api/parties");
        let code = party["code"].as_str().unwrap();
        assert_eq!(other.act(&format!("/api/parties/{code}/join")).0, 200);
    }
    let tickets = [ada, eve].map(|head| head.request("a", "teams", &json!({})).1);
    let seen = eventually("opponents", || {
        Some(ada.ticket(&tickets[0], "GET").1).filter(|seen| seen["state"] == "allocated")
    });
    let zone = ZoneId(u32::try_from(seen["allocation"]["zone"].as_u64().unwrap()).unwrap());
    let against = seen["allocation"]["against"].as_array().unwrap();
    assert_eq!(against.len(), 2, "{seen}");
    let sides = [(ada, &tickets[0]), (bea, &tickets[0]), (eve, &tickets[1]), (ivy, &tickets[1])];
    play(async {
        let mut delvers = Vec::new();
        for player in &all {
            delvers.push(player.join(&cluster).await);
        }
        for (player, ticket) in sides {
            let (status, seen) = player.take_up(ticket);
            assert_eq!(status, 200, "{seen}");
        }
        called(&mut delvers, &sides, zone).await;
        let losers = delvers.split_off(2);
        for delver in &mut delvers {
            delver.frames(20).await;
        }
        for loser in losers {
            loser.leave().await;
        }
        for mut winner in delvers {
            winner.until("going home", is_home).await;
        }
    });
    for (player, won, change) in
        [(ada, true, 16), (bea, true, 16), (eve, false, -16), (ivy, false, -16)]
    {
        let rows = result(player);
        assert_eq!(
            (rows.len(), &rows[0]["won"], &rows[0]["change"]),
            (1, &json!(won), &json!(change))
        );
    }
    cluster.verify();
}

#[test]
fn who_plays_in_a_terminal_is_led_to_a_duel_though_the_services_are_killed_meanwhile() {
    let Some(mut cluster) = Cluster::start("terminal", 1, 1) else { return };
    cluster.wait_for_gateways(1);
    let [ada, eve] = players(&cluster);
    play(async {
        let mut delvers = [ada.join(&cluster).await, eve.join(&cluster).await];
        let http = cluster.at().http();
        let (mut hers, mut said) = Matchmaker::new(http.clone(), Some(ada.token.clone()));
        hers.toggle(ada.character);
        let mut lines = vec![line(&mut said).await];
        hers.toggle(ada.character);
        lines.push(line(&mut said).await);
        let (mut other, mut told) = Matchmaker::new(http.clone(), Some(eve.token.clone()));
        other.toggle(eve.character);
        lines.push(line(&mut told).await);
        // Whoever has stopped is met by nobody.
        cluster.kill(Part::Services);
        cluster.run(Part::Services);
        hers.toggle(ada.character);
        for said in [&mut said, &mut told] {
            while !lines.last().unwrap().ends_with("in The Sandpit.") {
                lines.push(line(said).await);
            }
            lines.push(String::new());
        }
        let [ada, eve] = &mut delvers;
        let is_there =
            |client: &mut Client| (client.view()?.place.zone == ZoneId(1_001)).then_some(());
        ada.until("the arena", is_there).await;
        eve.until("the arena", is_there).await;
        assert_eq!(lines[0], "You look for an opponent. Press m again to stop.");
        assert_eq!(lines[1], "You no longer look for an opponent.");
        let (mut nobody, mut said) = Matchmaker::new(http, None);
        nobody.toggle(CharacterId(1));
        assert!(line(&mut said).await.contains("Log in"), "{lines:?}");
    });
}
