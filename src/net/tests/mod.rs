//! Every carrier over real sockets on port 0.

mod http;
mod quic;
mod websocket;
