//! Reads the metrics of a server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, ensure};

const TIMEOUT: Duration = Duration::from_secs(5);

/// The metrics at one moment, in the text format of Prometheus.
#[derive(Clone, Debug)]
pub(super) struct Scrape {
    text: String,
}

impl Scrape {
    /// Asks the admin address `HOST:PORT`.
    pub(super) fn of(admin: &str) -> anyhow::Result<Self> {
        let text = fetch(admin).with_context(|| format!("reading http://{admin}/metrics"))?;
        Ok(Self { text })
    }

    /// The sum of all series of a name, 0 if there is none.
    pub(super) fn sum(&self, name: &str) -> f64 {
        self.series(name).map(|(_, value)| value).sum()
    }

    /// What a histogram without labels has counted.
    pub(super) fn histogram(&self, name: &str) -> Buckets {
        let bucket = format!("{name}_bucket");
        let bound = |labels: &str| -> Option<f64> {
            let (_, rest) = labels.split_once("le=\"")?;
            rest.split_once('"')?.0.replace("+Inf", "inf").parse().ok()
        };
        let buckets =
            self.series(&bucket).filter_map(|(labels, count)| Some((bound(labels)?, count)));
        Buckets(buckets.collect())
    }

    fn series<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.text.lines().filter_map(move |line| {
            let (head, value) = line.rsplit_once(' ')?;
            let labels = head.strip_prefix(name)?;
            let whole = labels.is_empty() || labels.starts_with('{');
            whole.then_some((labels, value.parse().ok()?))
        })
    }
}

fn fetch(admin: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(admin)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "the answer is no 200");
    Ok(answer)
}

/// Upper bounds in seconds and how many values were not above each, by rising bound.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Buckets(Vec<(f64, f64)>);

impl Buckets {
    /// What came after `earlier`.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let before = |bound: f64| earlier.0.iter().find(|b| b.0 == bound).map_or(0.0, |b| b.1);
        Self(self.0.iter().map(|&(bound, count)| (bound, count - before(bound))).collect())
    }

    pub(super) fn total(&self) -> f64 {
        self.0.last().map_or(0.0, |b| b.1)
    }

    /// The value that a share of all is not above, in seconds; within a bucket values are taken to
    /// lie evenly. Beyond the last bound it is that bound.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let rank = share * self.total();
        let (mut low, mut below) = (0.0, 0.0);
        for &(bound, count) in &self.0 {
            if count > 0.0 && count >= rank {
                let inside = (rank - below) / (count - below).max(f64::MIN_POSITIVE);
                return if bound.is_finite() { low + (bound - low) * inside } else { low };
            }
            (low, below) = (bound, count);
        }
        0.0
    }

    /// The bound that no value is above, in seconds: infinite if the last bucket holds any.
    pub(super) fn ceiling(&self) -> f64 {
        let total = self.total();
        self.0.iter().find(|b| b.1 >= total).filter(|_| total > 0.0).map_or(0.0, |b| b.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Scrape;

    #[test]
    fn histograms_are_read_and_subtracted() {
        let text = |a: u32, b: u32, c: u32| Scrape {
            text: format!(
                "# TYPE late histogram\nlate_bucket{{le=\"0.001\"}} {a}\n\
                 late_bucket{{le=\"0.01\"}} {b}\nlate_bucket{{le=\"+Inf\"}} {c}\nlate_sum 2\n\
                 late_count {c}\nonline{{transport=\"quic\"}} 3\nonline{{transport=\"ws\"}} 4\n"
            ),
        };
        let (before, after) = (text(10, 10, 10), text(100, 110, 110));
        let late = after.histogram("late").since(&before.histogram("late"));
        assert_eq!(late.total(), 100.0);
        assert_eq!(late.quantile(0.45), 0.0005);
        assert!((late.quantile(0.95) - 0.0055).abs() < 1e-9);
        assert_eq!(late.ceiling(), 0.01);
        assert_eq!(after.sum("online"), 7.0);
        assert_eq!(after.histogram("absent").quantile(0.5), 0.0);
    }

    #[test]
    fn beyond_the_last_bound_there_is_no_ceiling() {
        let text = "late_bucket{le=\"1\"} 1\nlate_bucket{le=\"+Inf\"} 2\n".to_owned();
        let late = Scrape { text }.histogram("late");
        assert_eq!((late.quantile(0.99), late.ceiling()), (1.0, f64::INFINITY));
    }
}
