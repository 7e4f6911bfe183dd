//! What one run of a server and its clients gave.

use serde::Serialize;

/// What carries the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Transport {
    Websocket,
    Quic,
}

impl Transport {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Websocket => "WebSocket",
            Self::Quic => "QUIC",
        }
    }
}

/// Where the players play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Scene {
    /// A floor as players meet it, its monsters awake: most of them come and fight.
    Cave,
    /// An open hall of moths, which roam and harm nobody, with players all over it.
    Hall,
}

/// Middle, high and highest of many values, in the unit of the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Spread {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl Spread {
    /// Of `values`, in any order; all zero if there are none.
    pub(super) fn of(values: &mut [f64]) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let Some(&max) = values.last() else { return Self::default() };
        let at = |thousandths: usize| {
            let rank = (values.len() * thousandths).div_ceil(1_000);
            values[rank.saturating_sub(1)]
        };
        Self { p50: at(500), p99: at(990), max }
    }
}

/// One server under one load. Rates are per client and second, times of clients in milliseconds.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Measured {
    pub server: &'static str,
    pub transport: Option<Transport>,
    pub clients: u32,
    pub seconds: f64,
    pub frames_per_second: f64,
    /// Mean size of what the server sends, without the framing of the transport.
    pub frame_bytes: f64,
    pub inputs_per_second: f64,
    pub input_bytes: f64,
    /// User and system time of the server, in microseconds per client and second.
    pub cpu_us: f64,
    pub memory_bytes_per_client: f64,
    pub frame_interval_ms: Spread,
    pub command_to_frame_ms: Spread,
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn a_spread_is_of_ranks() {
        let mut values: Vec<f64> = (1..=1_000).rev().map(f64::from).collect();
        let spread = Spread::of(&mut values);
        assert_eq!(spread, Spread { p50: 500.0, p99: 990.0, max: 1_000.0 });
        assert_eq!(Spread::of(&mut [7.0]), Spread { p50: 7.0, p99: 7.0, max: 7.0 });
        assert_eq!(Spread::of(&mut []), Spread::default());
    }
}
