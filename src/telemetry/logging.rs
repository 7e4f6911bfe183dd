//! Sets the log up.

use std::io::{self, Write};

use env_logger::fmt::Formatter;
use log::{Level, LevelFilter, Record};

/// Where the lines go, which decides how they look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Time, level and colours where the terminal has them.
    #[default]
    Terminal,
    /// Lines for systemd's journal, which knows the time itself: the priority goes in front.
    Journal,
}

/// Logs to the standard error from now on. Our own lines from `level` on, those of libraries from
/// warnings on. A second call changes nothing.
pub fn init(level: LevelFilter, style: Style) {
    let mut builder = env_logger::Builder::new();
    builder
        .filter_level(level.min(LevelFilter::Warn))
        .filter_module("undercroft", level)
        .target(env_logger::Target::Stderr);
    match style {
        Style::Terminal => {
            builder.format_timestamp_millis().format_target(level >= LevelFilter::Debug);
        }
        Style::Journal => {
            builder.format(journal_line);
        }
    }
    // Tests and embedders may have set a logger of their own, which then stays.
    let _ = builder.try_init();
}

/// Where the log of a service goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Target {
    /// Systemd's journal where the standard error leads there, otherwise the standard error.
    #[default]
    Auto,
    /// Systemd's journal, through its socket: in a container, where nothing tells.
    Journal,
    Stderr,
}

/// Logs to systemd's journal, with a field for each key, or to the standard error.
pub fn init_service(level: LevelFilter, target: Target) {
    let journal = match target {
        Target::Auto => systemd_journal_logger::connected_to_journal(),
        Target::Journal => true,
        Target::Stderr => false,
    };
    let made = journal.then(systemd_journal_logger::JournalLog::new);
    match made {
        Some(Ok(logger)) => {
            let logger = OwnFirst { logger, level };
            // Tests and embedders may have set a logger of their own, which then stays.
            if log::set_boxed_logger(Box::new(logger)).is_ok() {
                log::set_max_level(level);
            }
        }
        Some(Err(_)) => init(level, Style::Journal),
        None => init(level, Style::Terminal),
    }
}

/// Our own lines from a level on, those of libraries from warnings on.
struct OwnFirst {
    logger: systemd_journal_logger::JournalLog,
    level: LevelFilter,
}

impl log::Log for OwnFirst {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        let is_own = metadata.target().starts_with("undercroft");
        metadata.level() <= if is_own { self.level } else { self.level.min(LevelFilter::Warn) }
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.logger.log(record);
        }
    }

    fn flush(&self) {
        self.logger.flush();
    }
}

fn journal_line(out: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    out.write_all(line(record).as_bytes())
}

/// `<priority>message key=value ...`: one line whatever the message holds.
fn line(record: &Record<'_>) -> String {
    let priority = match record.level() {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    };
    let mut text = format!("<{priority}>{}", record.args());
    let mut pairs = Pairs(&mut text);
    // The visitor never fails.
    let _ = record.key_values().visit(&mut pairs);
    let mut text = text.replace(['\n', '\r'], " ");
    text.push('\n');
    text
}

struct Pairs<'a>(&'a mut String);

impl<'kvs> log::kv::VisitSource<'kvs> for Pairs<'_> {
    fn visit_pair(
        &mut self,
        key: log::kv::Key<'kvs>,
        value: log::kv::Value<'kvs>,
    ) -> Result<(), log::kv::Error> {
        self.0.push_str(&format!(" {key}={value}"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_line_has_its_priority_and_its_pairs() {
        let pairs: &[(&str, i32)] = &[("zone", 3), ("tick", 99)];
        let record = Record::builder()
            .level(Level::Warn)
            .args(format_args!("late\nagain"))
            .key_values(&pairs)
            .build();
        assert_eq!(line(&record), "<4>late again zone=3 tick=99\n");
    }
}
