//! `undercroft play`: the terminal client.

mod app;
mod auto;
mod draw;
mod keys;
pub mod matchmaker;
mod panels;
mod sight;
mod terminal;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::content::ContentTables;
use super::driver::Driver;
use super::http::Server;
use super::link::{Connector, Transport};
use crate::client::{Client, Config, Credentials};
use matchmaker::Matchmaker;

/// Arguments of `undercroft play`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The server's HTTP address.
    #[arg(long, default_value = "http://127.0.0.1:8080", env = "UNDERCROFT_SERVER")]
    pub server: String,
    #[arg(long, value_enum, default_value_t = Transport::Quic)]
    pub transport: Transport,
    /// Log in to this account; without it a guest is made.
    #[arg(long, requires = "password")]
    pub name: Option<String>,
    #[arg(long, env = "UNDERCROFT_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
    /// Keep the session in this file, and go on with the one that is there.
    #[arg(long)]
    pub resume_file: Option<PathBuf>,
}

/// Plays until the player leaves.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime of the terminal client")?;
    runtime.block_on(play(args))
}

async fn play(args: Args) -> anyhow::Result<ExitCode> {
    let server = Server::parse(&args.server).context("reading --server")?;
    let tables = ContentTables::fetch(&server).await?;
    let connector = Connector::new(&server, args.transport).await?;
    let resume = read_resume(args.resume_file.as_deref())?;
    let login = match (&args.name, &args.password) {
        // The session is enough to play; who cannot be logged in now finds no duels.
        (Some(name), Some(password)) if !resume.is_empty() => {
            server.login(name, password).await.ok()
        }
        _ if !resume.is_empty() => None,
        (Some(name), Some(password)) => Some(server.login(name, password).await?),
        _ => Some(server.guest().await?),
    };
    let matchmaker = Matchmaker::new(server, login.as_ref().map(|it| it.token.clone()));
    let (token, character) = login.map(|l| (l.token, l.character)).unwrap_or_default();
    let credentials = Credentials { token, character, resume };
    let seed = u64::from(std::process::id());
    let config = Config::new(credentials, connector.has_datagrams(), seed);
    let mut driver = Driver::new(Client::new(config), connector);
    let end = terminal::run(&mut driver, tables, matchmaker).await;
    let session = driver.client.session().map(|s| s.resume.clone());
    match end? {
        terminal::End::Left { goodbye } => {
            if goodbye {
                driver.leave().await;
                forget_resume(args.resume_file.as_deref())?;
            } else if let (Some(path), Some(session)) = (&args.resume_file, session) {
                write_resume(path, &session)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        terminal::End::Lost(why) => {
            forget_resume(args.resume_file.as_deref())?;
            bail!("the game ended: {}", driver.client.farewell(why))
        }
    }
}

fn read_resume(path: Option<&Path>) -> anyhow::Result<String> {
    let Some(path) = path else { return Ok(String::new()) };
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// The file lets whoever reads it play on: only its owner may.
fn write_resume(path: &Path, session: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(session.as_bytes()))
        .with_context(|| format!("writing {}", path.display()))
}

fn forget_resume(path: Option<&Path>) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}
