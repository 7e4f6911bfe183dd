//! Every metric of the server, in one table.

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use super::memory;

/// Work of a tick or a commit, in seconds: 50 microseconds to about a second.
const SHORT: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
];
/// From one tick to the next, in seconds: fine around the twentieth and the thirtieth part.
const INTERVAL: &[f64] = &[
    0.025, 0.032, 0.033, 0.033_5, 0.034, 0.036, 0.04, 0.045, 0.048, 0.049, 0.049_5, 0.05, 0.050_25,
    0.050_5, 0.051, 0.052, 0.054, 0.057, 0.065, 0.08, 0.1, 0.25, 1.0,
];
/// What a player waits for, in seconds: 5 milliseconds to 5 seconds.
const LONG: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0];
/// Sizes of frames, in bytes.
const FRAME: &[f64] = &[8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 768.0, 1_100.0];

macro_rules! metrics {
    ($($field:ident: $kind:ident $([$($label:literal),+])? $(of $buckets:ident)? = $name:literal, $help:literal;)*) => {
        /// Holds every metric and the registry they are in; fields are safe to clone and share.
        #[derive(Debug)]
        pub struct Metrics {
            registry: Registry,
            $(#[doc = $help] pub $field: $kind,)*
        }

        impl Metrics {
            /// The name of every metric, as dashboards and alerts have it.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// Makes all metrics, at zero.
            #[must_use]
            pub fn new() -> Self {
                let registry = Registry::new();
                $(let $field = registered(
                    &registry,
                    metrics!(@make $kind [$($($label),+)?] [$($buckets)?] $name, $help),
                );)*
                Self { registry, $($field),* }
            }
        }
    };
    (@make IntGauge [] [] $name:literal, $help:literal) => { IntGauge::new($name, $help) };
    (@make IntCounter [] [] $name:literal, $help:literal) => { IntCounter::new($name, $help) };
    (@make IntGaugeVec [$($label:literal),+] [] $name:literal, $help:literal) => {
        IntGaugeVec::new(Opts::new($name, $help), &[$($label),+])
    };
    (@make IntCounterVec [$($label:literal),+] [] $name:literal, $help:literal) => {
        IntCounterVec::new(Opts::new($name, $help), &[$($label),+])
    };
    (@make Histogram [] [$buckets:ident] $name:literal, $help:literal) => {
        Histogram::with_opts(HistogramOpts::new($name, $help).buckets($buckets.to_vec()))
    };
    (@make HistogramVec [$($label:literal),+] [$buckets:ident] $name:literal, $help:literal) => {
        HistogramVec::new(
            HistogramOpts::new($name, $help).buckets($buckets.to_vec()),
            &[$($label),+],
        )
    };
}

metrics! {
    players_online: IntGauge = "game_server_players_online", "Players with a connection.";
    player_count: IntGauge = "game_server_player_count", "Player characters in the world, connected or not.";
    connection_count: IntGaugeVec["transport"] = "game_server_connection_count", "Open connections.";
    closes: IntCounterVec["reason"] = "game_server_closes_total", "Connections ended by the server.";
    handshakes_refused: IntCounter = "game_server_handshakes_refused_total", "Connections refused before they were made.";
    rate_limits_exceeded: IntCounterVec["limit"] = "game_server_rate_limits_exceeded_total", "Requests and messages over a limit.";
    requests_refused: IntCounterVec["reason"] = "game_server_requests_refused_total", "API requests of those who are banned, and for accounts while none are made.";
    network_latency: HistogramVec["transport"] of LONG = "game_server_network_latency_seconds", "Round trip between the server and a client.";

    tick_duration: Histogram of SHORT = "game_server_tick_duration_seconds", "Work of one tick of one zone.";
    tick_lateness: Histogram of SHORT = "game_server_tick_lateness_seconds", "Start of a tick after its intended time.";
    tick_interval: Histogram of INTERVAL = "game_server_tick_interval_seconds", "Start of one tick of a zone to the start of the next.";
    simulation_device: IntGaugeVec["kind"] = "game_server_simulation_device", "1 for what simulates: the processor alone (cpu) or with a graphics device (gpu).";
    simulation_device_failures: IntCounter = "game_server_simulation_device_failures_total", "Graphics devices that failed; the processor simulates since.";
    zone_population: IntGaugeVec["zone"] = "game_server_zone_population", "Players in a zone.";
    actions: IntCounter = "game_server_actions_total", "Commands of players that were executed.";
    action_latency: Histogram of LONG = "game_server_action_latency_seconds", "Arrival of the first commands of a tick at a zone to the departure of its frames.";
    combat_events: IntCounter = "game_server_combat_events_total", "Blows, kills and deaths.";

    frame_size: Histogram of FRAME = "game_server_frame_bytes", "Size of a frame.";
    keyframes: IntCounter = "game_server_keyframes_total", "Frames that build on no earlier one.";
    frames_dropped: IntCounter = "game_server_frames_dropped_total", "Frames not sent because the client reads too slowly.";
    resumes: IntCounter = "game_server_session_resumes_total", "Sessions that went on over another connection.";

    journal_commit: Histogram of SHORT = "game_server_journal_commit_seconds", "One durable commit of journal entries.";
    journal_entries: IntCounter = "game_server_journal_entries_total", "Entries made durable.";
    journal_failures: IntCounter = "game_server_journal_failures_total", "Attempts to write the journal that failed.";
    journal_size: IntGauge = "game_server_journal_bytes", "Size of the journal.";
    snapshots: IntCounter = "game_server_snapshots_total", "Snapshots of zones made durable.";

    bus_sent: IntCounterVec["kind"] = "game_server_bus_sent_total", "Messages sent to other processes.";
    bus_received: IntCounterVec["kind"] = "game_server_bus_received_total", "Messages heard of other processes.";
    inputs_late: IntCounter = "game_server_inputs_late_total", "Times that players' inputs reached an instance after the tick that they were sent for; the next takes them.";
    bus_gaps: IntCounter = "game_server_bus_gaps_total", "Times that messages of an instance were lost on their way to a gateway.";
    events_refused: IntCounter = "game_server_events_refused_total", "Events that the store refused for good and that were put aside.";
    zones_held: IntGauge = "game_server_zones_held", "Zones that this process runs.";
    zones_followed: IntGauge = "game_server_zones_followed", "Zones of other processes that this one could take over at once.";
    takeovers: IntCounter = "game_server_takeovers_total", "Zones that were taken over because their owner was silent.";

    request_duration: HistogramVec["route", "status"] of LONG = "game_server_request_duration_seconds", "One HTTP request.";
    matchmaking_queue: IntGaugeVec["mode"] = "game_server_matchmaking_queue", "Tickets that wait for others.";
    cache_hits: IntCounterVec["cache"] = "game_server_cache_hits_total", "Answers that were at hand.";
    cache_misses: IntCounterVec["cache"] = "game_server_cache_misses_total", "Answers that had to be made.";
    errors: IntCounterVec["room"] = "game_server_errors_total", "Errors of the server itself.";
    drains_refused: IntCounter = "game_server_drains_refused_total", "Requests to drain without the right token.";
    memory_usage: IntGauge = "game_server_memory_usage_bytes", "Memory of this process that is resident.";
    memory_limit: IntGauge = "game_server_memory_limit_bytes", "Memory this process may use.";
}

impl Metrics {
    /// All metrics in the text format of Prometheus; memory is measured now.
    #[must_use]
    pub fn encode(&self) -> String {
        if let Some(bytes) = memory::usage_bytes() {
            self.memory_usage.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        if let Some(bytes) = memory::limit_bytes() {
            self.memory_limit.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        let families = self.registry.gather();
        match TextEncoder::new().encode_utf8(&families, &mut text) {
            Ok(()) => text,
            Err(error) => format!("# {error}\n"),
        }
    }
}

impl Metrics {
    /// The bound that 99 of 100 ticks keep, in seconds; see [`TickCounts::bound`].
    #[must_use]
    pub fn tick_p99(&self) -> Option<f64> {
        self.tick_counts().bound(99)
    }

    /// How many ticks there have been of which length.
    #[must_use]
    pub fn tick_counts(&self) -> TickCounts {
        let families = self.tick_duration.collect();
        let metric = families.first().and_then(|family| family.get_metric().first());
        let Some(histogram) = metric.map(|metric| metric.get_histogram()) else {
            return TickCounts::default();
        };
        let buckets = histogram.get_bucket().iter();
        let within = buckets.map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
        TickCounts { within: within.collect(), all: histogram.get_sample_count() }
    }
}

/// How many ticks lasted no longer than each bound, in seconds, and how many there were.
#[derive(Clone, Debug, Default)]
pub struct TickCounts {
    within: Vec<(f64, u64)>,
    all: u64,
}

impl TickCounts {
    /// Those that came after an earlier count.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let pairs = self.within.iter().zip(&earlier.within);
        let within = pairs.map(|(&(bound, now), &(_, then))| (bound, now - then)).collect();
        Self { within, all: self.all - earlier.all }
    }

    /// The bound that so many of 100 ticks keep, in seconds, as exactly as the buckets are; nothing
    /// if there was none or they last longer than any bucket.
    #[must_use]
    pub fn bound(&self, percent: u64) -> Option<f64> {
        let enough = self.all * percent;
        let mut within = self.within.iter().filter(|_| enough > 0);
        within.find(|(_, count)| count * 100 >= enough).map(|&(bound, _)| bound)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn registered<M: Collector + Clone + 'static>(
    registry: &Registry,
    metric: prometheus::Result<M>,
) -> M {
    let metric = metric.expect("the table holds valid names and labels");
    registry.register(Box::new(metric.clone())).expect("the table holds each name once");
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_follows_the_conventions() {
        for name in Metrics::NAMES {
            assert!(name.starts_with("game_server_"), "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        }
        assert!(Metrics::NAMES.is_sorted_by(|a, b| a != b));
    }

    #[test]
    fn the_text_shows_what_was_counted() {
        let metrics = Metrics::new();
        metrics.players_online.set(3);
        metrics.closes.with_label_values(&["flooding"]).inc();
        metrics.journal_commit.observe(0.000_3);
        let text = metrics.encode();
        for line in [
            "game_server_players_online 3",
            "game_server_closes_total{reason=\"flooding\"} 1",
            "game_server_journal_commit_seconds_bucket{le=\"0.0005\"} 1",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert_eq!(metrics.tick_p99(), None);
        for _ in 0..98 {
            metrics.tick_duration.observe(0.000_2);
        }
        metrics.tick_duration.observe(0.02);
        metrics.tick_duration.observe(0.02);
        assert_eq!(metrics.tick_p99(), Some(0.025));
        let before = metrics.tick_counts();
        assert_eq!(before.bound(50), Some(0.000_25));
        metrics.tick_duration.observe(0.08);
        let of_late = metrics.tick_counts().since(&before);
        assert_eq!((of_late.bound(50), before.since(&before).bound(50)), (Some(0.1), None));
        assert!(metrics.memory_usage.get() > 100_000);
        assert!(metrics.memory_limit.get() >= metrics.memory_usage.get());
    }
}
