use std::sync::mpsc::channel;

use bytes::Bytes;

use super::server::Server;
use crate::nats::{NotTaken, Queue};

#[test]
fn what_is_refused_for_good_is_put_aside_and_the_next_is_taken() {
    let Some(server) = Server::start("queue") else { return };
    let nats = server.connect();
    let queue = Queue::open(&nats, "events").unwrap();
    for payload in ["poison", "late", "last"] {
        queue.keep(payload, Bytes::from_static(payload.as_bytes())).unwrap();
    }
    let (tell, told) = channel();
    let is_late = std::sync::atomic::AtomicBool::new(true);
    let following = nats.spawn(queue.follow(move |payload, kept| {
        tell.send((payload.clone(), kept)).unwrap();
        match &payload[..] {
            b"poison" => Err(NotTaken::Ever("never".to_owned())),
            b"late" if is_late.swap(false, std::sync::atomic::Ordering::Relaxed) => {
                Err(NotTaken::Yet("not yet".to_owned()))
            }
            _ => Ok(()),
        }
    }));
    let (order, kept): (Vec<Bytes>, Vec<u64>) = told.iter().take(4).unzip();
    assert_eq!(order, ["poison", "late", "late", "last"]);
    assert_eq!(kept[1], kept[2], "told again later, it is not of later");
    let name = format!("{}-events-refused", nats.prefix());
    let kept = nats.wait(async {
        let stream = nats.jetstream().get_stream(name).await.unwrap();
        assert_eq!(stream.cached_info().state.messages, 1);
        stream.get_raw_message(1).await.unwrap().payload
    });
    assert_eq!(kept, "poison");
    following.abort();
}
