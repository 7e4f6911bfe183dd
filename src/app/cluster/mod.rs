//! What the processes of a cluster share: the messages between them, the tables that all see, and
//! the threads that join both to the loops of [`super`].

pub mod admin;
pub mod audit;
pub mod bans;
pub mod characters;
pub mod clerk;
pub mod figures;
pub mod flags;
pub mod gateways;
pub mod leases;
pub mod mail;
pub mod players;
pub mod post;
pub mod senders;
pub mod settled;
pub mod standby;
pub mod tenancy;
pub mod zones;
