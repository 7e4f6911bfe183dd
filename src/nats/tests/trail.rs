use bytes::Bytes;

use super::server::Server;
use crate::nats::ConnectionState;
use crate::nats::trail::Trail;

#[test]
fn what_was_appended_is_there_after_the_server_was_killed_and_the_newest_can_be_read() {
    let Some(mut server) = Server::start("trail") else { return };
    let nats = server.connect();
    let trail = Trail::open(&nats, "audit").unwrap();
    assert_eq!(trail.newest(5).unwrap(), Vec::<Bytes>::new());
    for text in ["one", "two", "three"] {
        trail.append(Bytes::from_static(text.as_bytes())).unwrap();
    }
    assert_eq!(trail.newest(2).unwrap(), ["two", "three"]);
    server.kill();
    let mut state = nats.state();
    nats.wait(state.wait_for(|&state| state == ConnectionState::Lost)).unwrap();
    server.restart();
    nats.wait(state.wait_for(|&state| state == ConnectionState::Up)).unwrap();
    let again = Trail::open(&nats, "audit").unwrap();
    again.append(Bytes::from_static(b"four")).unwrap();
    assert_eq!(again.newest(9).unwrap(), ["one", "two", "three", "four"]);
    let stream =
        nats.wait(nats.jetstream().get_stream(format!("{}-audit", nats.prefix()))).unwrap();
    assert!(nats.wait(stream.delete_message(1)).is_err(), "nothing goes from it");
    assert!(nats.wait(stream.purge().into_future()).is_err(), "nothing goes from it");
}
