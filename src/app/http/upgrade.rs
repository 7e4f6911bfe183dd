//! Between the accept loop and the routes: peers' addresses, and the way from HTTP to WebSocket.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use crossbeam_channel::Sender;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;

use crate::net::http::{Peer, UpgradeError, websocket_upgrade};
use crate::net::{NetEvent, WEBSOCKET_PATH};

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// The routes, and beside them, where there is a gateway, WebSocket: upgraded connections go to
/// its thread.
pub fn service(
    routes: Router,
    gateway: Option<Sender<NetEvent>>,
) -> impl Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future = Answer>
+ Clone
+ Send
+ 'static {
    let routes = TowerToHyperService::new(routes);
    service_fn(move |mut request: Request<Incoming>| -> Answer {
        if let Some(gateway) = gateway.clone().filter(|_| request.uri().path() == WEBSOCKET_PATH) {
            let answer = websocket_upgrade(&mut request, move |upgraded| {
                // A gateway that is gone or far behind closes the connection by dropping it.
                let _ = gateway.try_send(NetEvent::Upgraded(upgraded));
            });
            let answer = answer.unwrap_or_else(UpgradeError::response);
            return Box::pin(std::future::ready(Ok(answer.map(|()| Body::empty()))));
        }
        if let Some(&Peer(peer)) = request.extensions().get() {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        Box::pin(routes.call(request))
    })
}
