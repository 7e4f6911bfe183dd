//! The first connection: whether the database can be used at all, and why not.

use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Error, PgConnection};
use tokio::time::timeout;

use super::pool::{CALL_TIMEOUT, in_words};
use super::schema;

/// Longest time that the tables may take to be brought up to date, by this process or another.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(60);

/// Why the database cannot be used; one line with cause and remedy, and no password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(
        "the address of PostgreSQL is none ({detail}): give it as \
         postgres://USER:PASSWORD@HOST:5432/DATABASE, special characters as %40"
    )]
    Address { detail: String },
    #[error("PostgreSQL at {server} cannot be reached ({detail}); start it or correct the address")]
    Unreachable { server: String, detail: String },
    #[error("PostgreSQL at {server} refused the login ({detail}); check user and password")]
    Refused { server: String, detail: String },
    #[error("PostgreSQL at {server} has no such database ({detail}); make it with createdb")]
    NoDatabase { server: String, detail: String },
    #[error(
        "the store in PostgreSQL at {server} was written by a newer version (format {found}, this \
         one knows up to {known}); update the server"
    )]
    Newer { server: String, found: i64, known: i64 },
    #[error(
        "the tables of the store in PostgreSQL at {server} cannot be made ({detail}); give it a \
         database of its own whose owner its user is"
    )]
    Tables { server: String, detail: String },
}

/// Understands the address.
pub(super) fn parse(url: &str) -> Result<PgConnectOptions, ConnectError> {
    let address = |detail: String| ConnectError::Address { detail };
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
    let rest = rest.ok_or_else(|| address("it does not begin with postgres://".to_owned()))?;
    // A password that was not encoded would be taken for a path, and said.
    let path = rest.find(['/', '?', '#']).map_or("", |end| &rest[end..]);
    if path.contains('@') {
        return Err(address("the password holds special characters as they are".to_owned()));
    }
    url.parse().map_err(|error| address(in_words(&error)))
}

/// Where the database is, for messages.
pub(super) fn describe(options: &PgConnectOptions) -> String {
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => options.get_host().to_owned(),
    };
    let database = options.get_database().unwrap_or(options.get_username());
    format!("{host}:{}/{database}", options.get_port())
}

/// Connects once, says in words what keeps it from that, and brings the tables up to date.
pub(super) async fn prepare(options: &PgConnectOptions, server: &str) -> Result<(), ConnectError> {
    let silent = |after: Duration| ConnectError::Unreachable {
        server: server.to_owned(),
        detail: format!("no answer within {} s", after.as_secs()),
    };
    let connected = timeout(CALL_TIMEOUT, PgConnection::connect_with(options)).await;
    let mut connection =
        connected.map_err(|_| silent(CALL_TIMEOUT))?.map_err(|error| refusal(server, &error))?;
    let prepared = timeout(MIGRATION_TIMEOUT, schema::bring_up_to_date(&mut connection)).await;
    prepared.map_err(|_| silent(MIGRATION_TIMEOUT))?.map_err(|error| unfit(server, &error))?;
    // What was asked is done.
    let _ = timeout(CALL_TIMEOUT, connection.close()).await;
    Ok(())
}

/// PostgreSQL's codes: <https://www.postgresql.org/docs/17/errcodes-appendix.html>.
fn refusal(server: &str, error: &Error) -> ConnectError {
    let (server, detail) = (server.to_owned(), in_words(error));
    let code = error.as_database_error().and_then(|error| error.code());
    match code.as_deref() {
        Some("28P01" | "28000") => ConnectError::Refused { server, detail },
        Some("3D000") => ConnectError::NoDatabase { server, detail },
        _ => ConnectError::Unreachable { server, detail },
    }
}

fn unfit(server: &str, error: &MigrateError) -> ConnectError {
    let server = server.to_owned();
    if let MigrateError::VersionMissing(found) = error {
        return ConnectError::Newer { server, found: *found, known: schema::VERSION };
    }
    ConnectError::Tables { server, detail: in_words(error) }
}
