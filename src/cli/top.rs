//! `undercroft top`: what a cluster does now, each second anew.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args as ClapArgs;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::DefaultTerminal;
use ratatui::widgets::Paragraph;

use super::admin::{connect, print};
use super::table::table;
use crate::app::cluster::admin;
use crate::app::cluster::figures::SAY_EVERY;
use crate::app::cluster::mail::{self, Figures};
use crate::app::settings::NatsFlags;
use crate::model::{GatewayId, InstanceId, ZoneId};
use crate::nats::Bus;

/// Watch a cluster: instances, gateways, zones, players, ticks.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    nats: NatsFlags,
    /// Print one table and stop
    #[arg(long)]
    once: bool,
}

/// What says nothing for so long is gone.
const GONE_AFTER: Duration = Duration::from_secs(10);
/// Longest wait for a key.
const KEY_WAIT: Duration = Duration::from_millis(200);

/// Carries the subcommand out.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (_runtime, nats) = connect(&args.nats, "undercroft top")?;
    admin::find_cluster(&nats)?;
    let (tell, told) = crossbeam_channel::unbounded();
    let _listening = Bus::new(&nats).subscribe(mail::FIGURES, move |bytes| {
        if let Some(figures) = mail::decode::<Figures>(&bytes) {
            // An error: nobody watches any more.
            let _ = tell.send((figures, Instant::now()));
        }
    });
    let mut heard = Heard::default();
    if args.once {
        // Whoever lives says so meanwhile, even if a word is lost.
        heard.listen(&told, Instant::now() + SAY_EVERY * 2 + SAY_EVERY / 2);
        print(&heard.text(Instant::now()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut terminal = ratatui::try_init().context("taking over the terminal")?;
    let shown = heard.show(&told, &mut terminal);
    ratatui::restore();
    shown.map(|()| ExitCode::SUCCESS)
}

/// The newest figures of each process, and when they came.
#[derive(Default)]
struct Heard {
    instances: BTreeMap<InstanceId, (Instance, Instant)>,
    gateways: BTreeMap<GatewayId, (Gateway, Instant)>,
}

struct Instance {
    zones: Vec<(ZoneId, u32)>,
    tick: Option<(u32, u32)>,
}

struct Gateway {
    websocket: String,
    connections: u32,
    players: u32,
}

impl Heard {
    fn listen(&mut self, told: &Receiver<(Figures, Instant)>, until: Instant) {
        loop {
            match told.recv_deadline(until) {
                Ok((figures, at)) => self.take(figures, at),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn take(&mut self, figures: Figures, at: Instant) {
        match figures {
            Figures::Instance { instance, zones, tick } => {
                self.instances.insert(instance, (Instance { zones, tick }, at));
            }
            Figures::Gateway { gateway, websocket, connections, players } => {
                let figures = Gateway { websocket, connections, players };
                self.gateways.insert(gateway, (figures, at));
            }
        }
    }

    /// Shows it until somebody has seen enough.
    fn show(
        &mut self,
        told: &Receiver<(Figures, Instant)>,
        terminal: &mut DefaultTerminal,
    ) -> anyhow::Result<()> {
        loop {
            let now = Instant::now();
            told.try_iter().for_each(|(figures, at)| self.take(figures, at));
            self.instances.retain(|_, (_, at)| now.duration_since(*at) < GONE_AFTER);
            self.gateways.retain(|_, (_, at)| now.duration_since(*at) < GONE_AFTER);
            let text = self.text(now) + "\nq  leave";
            let draw = |frame: &mut ratatui::Frame<'_>| {
                frame.render_widget(Paragraph::new(text), frame.area());
            };
            terminal.draw(draw).context("drawing")?;
            if event::poll(KEY_WAIT)?
                && let Event::Key(key) = event::read()?
            {
                let is_interrupt = key.modifiers == KeyModifiers::CONTROL;
                let is_enough = matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
                    || key.code == KeyCode::Char('c') && is_interrupt;
                if is_enough {
                    return Ok(());
                }
            }
        }
    }

    /// All of it, as tables.
    fn text(&self, now: Instant) -> String {
        let age = |at: &Instant| format!("{:.1}", now.duration_since(*at).as_secs_f64());
        let instances = self.instances.iter().map(|(id, (it, at))| {
            let players: u32 = it.zones.iter().map(|(_, players)| players).sum();
            let bound = |microseconds: u32| format!("{:.2}", f64::from(microseconds) / 1_000.0);
            let tick = it.tick.map(|(half, most)| (bound(half), bound(most)));
            let (half, most) = tick.unwrap_or_else(|| ("-".to_owned(), "-".to_owned()));
            let zones = it.zones.len().to_string();
            vec![id.to_string(), zones, players.to_string(), half, most, age(at)]
        });
        let gateways = self.gateways.iter().map(|(id, (it, at))| {
            let [connections, players] = [it.connections, it.players].map(|n| n.to_string());
            vec![id.to_string(), it.websocket.clone(), connections, players, age(at)]
        });
        let mut zones: Vec<_> = self
            .instances
            .iter()
            .flat_map(|(id, (it, _))| {
                it.zones.iter().map(move |&(zone, players)| (zone, id, players))
            })
            .collect();
        zones.sort_unstable();
        let zones = zones.into_iter().map(|(zone, instance, players)| {
            vec![zone.to_string(), instance.to_string(), players.to_string()]
        });
        [
            table(
                &["instance", "zones", "players", "tick p50 ms", "p99 ms", "heard s ago"],
                &instances.collect::<Vec<_>>(),
            ),
            table(
                &["gateway", "websocket", "connections", "players", "heard s ago"],
                &gateways.collect::<Vec<_>>(),
            ),
            table(&["zone", "instance", "players"], &zones.collect::<Vec<_>>()),
        ]
        .join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_figures_of_each_are_shown() {
        let mut heard = Heard::default();
        let begun = Instant::now();
        let instance = |zones: &[(u32, u32)], tick| Figures::Instance {
            instance: InstanceId(1),
            zones: zones.iter().map(|&(zone, players)| (ZoneId(zone), players)).collect(),
            tick,
        };
        heard.take(instance(&[(1, 9)], None), begun);
        heard.take(instance(&[(1, 4), (7, 3)], Some((250, 2_500))), begun);
        let gateway = Figures::Gateway {
            gateway: GatewayId(77),
            websocket: ":8081".to_owned(),
            connections: 8,
            players: 7,
        };
        heard.take(gateway, begun);
        let text = heard.text(begun + Duration::from_millis(1_500));
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        for line in [
            &["1", "2", "7", "0.25", "2.50", "1.5"][..],
            &["77", ":8081", "8", "7", "1.5"],
            &["1", "1", "4"],
            &["7", "1", "3"],
        ] {
            assert!(lines.contains(&line.to_vec()), "{line:?} in\n{text}");
        }
    }
}
