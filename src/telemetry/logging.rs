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
