//! Health and metrics while bots play.

use undercroft::telemetry::Metrics;

use crate::rig::bots::Bots;
use crate::rig::eventually;
use crate::rig::server::Local;

/// The names that operators were promised (requirements, O1), as far as one process has them.
const PROMISED: [&str; 13] = [
    "game_server_players_online",
    "game_server_player_count",
    "game_server_connection_count",
    "game_server_tick_duration_seconds",
    "game_server_network_latency_seconds",
    "game_server_request_duration_seconds",
    "game_server_errors_total",
    "game_server_memory_usage_bytes",
    "game_server_memory_limit_bytes",
    "game_server_actions_total",
    "game_server_action_latency_seconds",
    "game_server_zone_population",
    "game_server_rate_limits_exceeded_total",
];

const BOTS: usize = 8;

#[test]
fn health_and_metrics_tell_what_happens_while_bots_play() {
    let server = Local::start("metrics", "snapshot_seconds = 1\n");
    let at = server.at;
    for probe in ["/health/live", "/health/ready", "/health/startup"] {
        assert_eq!(at.admin(probe), (200, "ok\n".to_owned()), "{probe}");
    }
    for name in PROMISED.iter().chain(&["game_server_combat_events_total"]) {
        assert!(Metrics::NAMES.contains(name), "{name} is not declared");
    }

    let bots = Bots::start(at, BOTS);
    eventually("every bot plays", || (bots.playing(1) == BOTS).then_some(()));
    let is_alive = |series: &str| {
        eventually(series, || {
            let metrics = at.metrics();
            (metrics.value(series) > 0.0).then_some(())
        });
    };
    for series in [
        "game_server_tick_duration_seconds_count",
        "game_server_tick_lateness_seconds_count",
        "game_server_tick_interval_seconds_count",
        "game_server_network_latency_seconds_count{transport=\"quic\"}",
        "game_server_network_latency_seconds_count{transport=\"websocket\"}",
        "game_server_actions_total",
        "game_server_action_latency_seconds_count",
        "game_server_frame_bytes_count",
        "game_server_keyframes_total",
        "game_server_journal_commit_seconds_count",
        "game_server_journal_entries_total",
        "game_server_journal_bytes",
        "game_server_snapshots_total",
        "game_server_memory_usage_bytes",
    ] {
        is_alive(series);
    }
    let half = BOTS as f64 / 2.0;
    eventually("everybody is counted", || {
        let metrics = at.metrics();
        let is_right = metrics.value("game_server_players_online") == BOTS as f64
            && metrics.value("game_server_player_count") == BOTS as f64
            && metrics.value("game_server_connection_count{transport=\"websocket\"}") == half
            && metrics.value("game_server_connection_count{transport=\"quic\"}") == half;
        is_right.then_some(())
    });
    let metrics = at.metrics();
    for name in PROMISED {
        let is_there = metrics.0.lines().any(|line| line.starts_with(name));
        // Families with labels show up with their first value.
        let is_labelled = name.ends_with("_total");
        assert!(is_there || is_labelled, "{name} is missing in\n{}", metrics.0);
    }
    let requests = metrics
        .0
        .lines()
        .any(|line| line.starts_with("game_server_request_duration_seconds_count{route=\"guest\""));
    assert!(requests, "{}", metrics.0);
    let (usage, limit) = (
        metrics.value("game_server_memory_usage_bytes"),
        metrics.value("game_server_memory_limit_bytes"),
    );
    assert!(usage > 1e6 && usage <= limit, "{usage} of {limit}");
    let ticks = metrics.value("game_server_tick_duration_seconds_count");
    let seconds = metrics.value("game_server_tick_duration_seconds_sum");
    assert!(seconds / ticks < 0.05, "a tick takes {} s on average", seconds / ticks);

    bots.stop();
    eventually("everybody has gone", || {
        let metrics = at.metrics();
        let is_empty = metrics.value("game_server_players_online") == 0.0
            && metrics.value("game_server_connection_count{transport=\"quic\"}") == 0.0;
        is_empty.then_some(())
    });
}
