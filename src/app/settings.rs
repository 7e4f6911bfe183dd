//! How the processes of a cluster are set up: defaults, then a file, then the environment, then
//! flags. The keys of the file are the flags, with underscores.

use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::{CommandFactory, Parser};

use crate::nats;
use crate::telemetry::logging;

/// The exit code of bad flags and a bad configuration (EX_USAGE of sysexits).
const EXIT_USAGE: u8 = 64;
const CONFIG_ENV: &str = "UNDERCROFT_CONFIG";

/// What every process of a cluster is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Configuration file in TOML; the keys are the flags with underscores
    #[arg(long, env = CONFIG_ENV, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Check the configuration and stop
    #[arg(long)]
    pub check_config: bool,
    #[command(flatten)]
    pub nats: NatsFlags,
    /// Address of health and metrics
    #[arg(
        long,
        env = "UNDERCROFT_ADMIN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:9090"
    )]
    pub admin: SocketAddr,
    /// What to log: error, warn, info, debug or trace
    #[arg(long, env = "UNDERCROFT_LOG", value_name = "LEVEL", default_value = "info")]
    pub log: log::LevelFilter,
    /// Where to log
    #[arg(long, env = "UNDERCROFT_LOG_TO", value_enum, value_name = "TARGET",
        default_value_t = logging::Target::Auto)]
    pub log_to: logging::Target,
}

/// Who may drain a process over its administrative port.
#[derive(Clone, Debug, clap::Args)]
pub struct DrainFlags {
    /// File that holds the token for POST /admin/drain [default: it is refused]
    #[arg(long, env = "UNDERCROFT_ADMIN_TOKEN_FILE", value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
}

impl DrainFlags {
    pub fn token(&self) -> anyhow::Result<Option<String>> {
        let Some(file) = &self.admin_token_file else { return Ok(None) };
        let token = read_secret(file)?;
        // Whoever sends none would have it.
        ensure!(!token.is_empty(), "the admin token in {} is empty", file.display());
        Ok(Some(token))
    }
}

/// Where NATS is, and what is of this world there.
#[derive(Clone, Debug, clap::Args)]
pub struct NatsFlags {
    /// Addresses of NATS, with commas between them
    #[arg(
        long,
        global = true,
        env = "UNDERCROFT_NATS",
        value_name = "URL",
        default_value = "nats://127.0.0.1:4222"
    )]
    pub nats: String,
    /// On how many servers of a cluster of NATS each stream lies: 1, 3 or 5; streams that are there
    /// are brought to it [default: they stay as they are, and new ones lie on one]
    #[arg(long, global = true, env = "UNDERCROFT_NATS_REPLICAS", value_name = "NUMBER",
        value_parser = replicas)]
    pub nats_replicas: Option<usize>,
    /// File that holds the token for NATS
    #[arg(long, global = true, env = "UNDERCROFT_NATS_TOKEN_FILE", value_name = "FILE")]
    pub nats_token_file: Option<PathBuf>,
    /// What the names of all that this world has in NATS begin with
    #[arg(
        long,
        global = true,
        env = "UNDERCROFT_PREFIX",
        value_name = "NAME",
        default_value = "undercroft"
    )]
    pub prefix: String,
}

impl NatsFlags {
    /// How to reach NATS, as the process of this name.
    pub fn config(&self, name: &str) -> anyhow::Result<nats::Config> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.prefix.is_empty() || !self.prefix.chars().all(is_plain) {
            bail!("prefix is \"{}\"; it may have letters, digits, - and _ only", self.prefix);
        }
        let token = self.nats_token_file.as_deref().map(read_secret).transpose()?;
        let (servers, prefix) = (self.nats.clone(), self.prefix.clone());
        let replicas = self.nats_replicas;
        Ok(nats::Config { servers, name: name.to_owned(), token, prefix, replicas })
    }
}

/// An even number of replicas bears no more deaths than the odd one below it.
fn replicas(text: &str) -> Result<usize, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        "5" => Ok(5),
        _ => Err("it must be 1, 3 or 5".to_owned()),
    }
}

/// The one line of a file that holds a secret.
pub fn read_secret(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("reading the secret in {}", path.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Flags of a process.
pub trait Settings: Parser {
    fn common(&self) -> &Common;

    /// What can be wrong beside the form of each value; looks at files, but at no port.
    fn check(&self) -> anyhow::Result<()>;
}

/// The whole of a process: reads the settings, runs it, prints an error once.
pub fn main<S: Settings>(run: impl FnOnce(&S) -> anyhow::Result<()>) -> ExitCode {
    let name = S::command().get_name().to_owned();
    let complain = |error: &anyhow::Error| {
        let error = format!("{error:#}");
        let error: Vec<&str> = error.lines().map(str::trim).collect();
        // Where the standard error is closed there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "{name}: {}", error.join(" "));
    };
    let settings = match read::<S>(std::env::args_os().collect()) {
        Ok(Ok(settings)) => settings,
        Ok(Err(said)) => {
            let _ = said.print();
            return ExitCode::from(if said.use_stderr() { EXIT_USAGE } else { 0 });
        }
        Err(error) => {
            complain(&error);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if let Err(error) = settings.check() {
        complain(&error);
        return ExitCode::from(EXIT_USAGE);
    }
    if settings.common().check_config {
        return ExitCode::SUCCESS;
    }
    logging::init_service(settings.common().log, settings.common().log_to);
    match run(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, to the standard error or to systemd's journal.
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Reads flags, environment and file. The inner error is for flags, the outer one for the file.
fn read<S: Parser>(args: Vec<OsString>) -> anyhow::Result<Result<S, clap::Error>> {
    let Some(path) = config_file(&args) else { return Ok(S::try_parse_from(args)) };
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("reading the configuration file {shown}"))?;
    let table: toml::Table = toml::from_str(&text)
        .map_err(|error| super::config::in_line(&text, &error))
        .with_context(|| format!("in the configuration file {shown}"))?;
    let flags =
        flags_of::<S>(&table).with_context(|| format!("in the configuration file {shown}"))?;
    // What comes later wins: the flags that were given.
    let all = args.iter().take(1).cloned().chain(flags).chain(args.iter().skip(1).cloned());
    match S::try_parse_from(all) {
        Err(error) if error.use_stderr() && S::try_parse_from(&args).is_ok() => {
            let text = error.to_string();
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let said: Vec<&str> = lines.take_while(|line| !line.starts_with("Usage:")).collect();
            let said = said.join(" ");
            let said = said.strip_prefix("error: ").unwrap_or(&said);
            bail!("in the configuration file {shown}: {said}")
        }
        parsed => Ok(parsed),
    }
}

fn config_file(args: &[OsString]) -> Option<PathBuf> {
    let mut args = args.iter().skip(1);
    while let Some(arg) = args.next() {
        if arg == "--config" {
            return args.next().map(PathBuf::from);
        }
        if let Some(path) = arg.to_str().and_then(|arg| arg.strip_prefix("--config=")) {
            return Some(PathBuf::from(path));
        }
    }
    std::env::var_os(CONFIG_ENV).map(PathBuf::from)
}

/// What a file says as flags, but for what the environment says.
fn flags_of<S: CommandFactory>(table: &toml::Table) -> anyhow::Result<Vec<OsString>> {
    let command = S::command();
    let mut flags = Vec::new();
    for (key, value) in table {
        let long = key.replace('_', "-");
        let known = command.get_arguments().find(|arg| arg.get_long() == Some(&long));
        let Some(arg) = known.filter(|arg| {
            !["config", "check-config"].contains(&&*long) && arg.get_long().is_some()
        }) else {
            bail!("unknown key {key}");
        };
        if arg.get_env().is_some_and(|name| std::env::var_os(name).is_some()) {
            continue;
        }
        match value {
            toml::Value::Boolean(true) => flags.push(format!("--{long}").into()),
            toml::Value::Boolean(false) => {}
            toml::Value::String(text) => flags.push(format!("--{long}={text}").into()),
            toml::Value::Integer(number) => flags.push(format!("--{long}={number}").into()),
            toml::Value::Float(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)
            | toml::Value::Table(_) => bail!("{key} must be a text, a number, true or false"),
        }
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    #[command(args_override_self = true)]
    struct Flags {
        #[command(flatten)]
        common: Common,
        #[arg(long, default_value_t = 3)]
        zones_max: u32,
        #[arg(long)]
        hall: bool,
    }

    fn file(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("settings-{name}-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path
    }

    fn read_with(name: &str, text: &str, flags: &[&str]) -> anyhow::Result<Flags> {
        let path = file(name, text);
        let mut args = vec![OsString::from("x"), "--config".into(), path.clone().into()];
        args.extend(flags.iter().map(OsString::from));
        let read = read::<Flags>(args);
        std::fs::remove_file(path).unwrap();
        Ok(read?.unwrap())
    }

    #[test]
    fn a_file_is_read_and_flags_win() {
        let text = "nats = \"nats://a:1\"\nzones_max = 7\nhall = true\n";
        let flags = read_with("both", text, &["--nats", "nats://b:2"]).unwrap();
        assert_eq!(
            (flags.common.nats.nats.as_str(), flags.zones_max, flags.hall),
            ("nats://b:2", 7, true)
        );
        let flags = read_with("empty", "", &[]).unwrap();
        assert_eq!((flags.zones_max, flags.hall), (3, false));
    }

    #[test]
    fn a_mistake_in_a_file_is_named_with_the_file() {
        for (name, text, named) in [
            ("key", "zone_max = 7", "unknown key zone_max"),
            ("value", "zones_max = \"many\"", "--zones-max"),
            ("kind", "zones_max = [1]", "zones_max must be"),
            ("toml", "nats =", "line 1"),
            ("self", "config = \"x\"", "unknown key config"),
            ("level", "log = \"loud\"", "--log"),
            ("replicas", "nats_replicas = 2", "it must be 1, 3 or 5"),
        ] {
            let error = format!("{:#}", read_with(name, text, &[]).unwrap_err());
            assert!(error.contains(named) && error.contains("configuration file"), "{error}");
        }
    }

    #[test]
    fn a_prefix_that_nats_would_misread_is_refused() {
        let mut nats = read_with("prefix", "", &[]).unwrap().common.nats;
        assert!(nats.config("x").is_ok());
        nats.prefix = "a.b".into();
        assert!(nats.config("x").unwrap_err().to_string().contains("prefix"));
    }
}
