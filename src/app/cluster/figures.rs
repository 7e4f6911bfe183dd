//! What processes say of their work every second, for whoever watches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::leases::Tenure;
use super::mail::{self, Figures};
use crate::model::{InstanceId, ZoneId};
use crate::nats::{Bus, Nats};
use crate::telemetry::metrics::{Metrics, TickCounts};

/// How often.
pub const SAY_EVERY: Duration = Duration::from_secs(1);
/// Seconds over which ticks are looked at.
const TICK_SECONDS: usize = 10;

/// Says every second what an instance has to do.
pub fn say(
    nats: &Nats,
    bus: Bus,
    instance: InstanceId,
    tenure: Arc<Tenure>,
    metrics: Arc<Metrics>,
) {
    nats.spawn(async move {
        let mut second = tokio::time::interval(SAY_EVERY);
        let mut counts: VecDeque<TickCounts> = VecDeque::new();
        loop {
            second.tick().await;
            counts.push_back(metrics.tick_counts());
            if counts.len() > TICK_SECONDS {
                counts.pop_front();
            }
            let players = |zone: ZoneId| {
                let label = [&*zone.to_string()];
                let count = metrics.zone_population.with_label_values(&label).get();
                (zone, u32::try_from(count).unwrap_or(0))
            };
            let zones = tenure.zones().into_iter().map(players).collect();
            let figures = Figures::Instance { instance, zones, tick: tick(&counts) };
            bus.publish(mail::FIGURES, mail::encode(&figures));
        }
    });
}

/// The work of a tick in microseconds, half of them and 99 of 100.
fn tick(counts: &VecDeque<TickCounts>) -> Option<(u32, u32)> {
    let of_late = counts.back()?.since(counts.front()?);
    let bound = |percent| Some((of_late.bound(percent)? * 1e6) as u32);
    Some((bound(50)?, bound(99)?))
}
