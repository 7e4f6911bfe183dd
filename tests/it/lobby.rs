//! Parties and matchmaking over HTTP, with services that die meanwhile.

use std::net::SocketAddr;

use serde_json::{Value, json};
use undercroft::cli::http::Login;
use undercroft::model::CharacterId;

use crate::rig::cluster::{Cluster, Part};
use crate::rig::server::ask;
use crate::rig::{eventually, play};

struct Player {
    web: SocketAddr,
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
}

fn players<const N: usize>(cluster: &Cluster) -> [Player; N] {
    let (web, http) = (cluster.at().web, cluster.at().http());
    [(); N].map(|()| {
        let Login { token, character, .. } = play(http.guest()).unwrap();
        Player { web, token, character }
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
