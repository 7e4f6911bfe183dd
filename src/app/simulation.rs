//! What simulates the zones of a process: the processor alone, or a graphics device as well.

#[cfg(feature = "gpu")]
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(feature = "gpu")]
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Deserialize;

#[cfg(feature = "gpu")]
use crate::game::derive::SEALED;
use crate::game::state::ZoneState;
#[cfg(feature = "gpu")]
use crate::sim::gpu::device::Device;
use crate::sim::{Executor, Failed};
use crate::telemetry::Metrics;

/// Ticks that are timed where the faster is to be taken.
#[cfg(feature = "gpu")]
const TICKS_TIMED: u32 = 64;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Simulation {
    /// The processor.
    #[default]
    Cpu,
    /// A graphics device; without one the process does not start.
    Gpu,
    /// Whichever is the faster.
    Auto,
}

/// Makes what simulates, for each thread, and tells when a device has failed.
#[derive(Debug)]
pub struct Simulator {
    #[cfg(feature = "gpu")]
    device: Option<Arc<Device>>,
    has_failed: AtomicBool,
}

impl Simulator {
    /// Opens a device where one is asked for. `zones` are those at hand, to be timed.
    pub fn start(
        wanted: Simulation,
        zones: impl FnOnce() -> Vec<ZoneState>,
        metrics: &Metrics,
    ) -> anyhow::Result<Self> {
        let simulator = Self {
            #[cfg(feature = "gpu")]
            device: match wanted {
                Simulation::Cpu => None,
                Simulation::Gpu => Some(open().context("simulation is gpu")?),
                Simulation::Auto => faster(zones()),
            },
            has_failed: AtomicBool::new(false),
        };
        #[cfg(not(feature = "gpu"))]
        {
            let lacks = "this program was built without graphics devices";
            match wanted {
                Simulation::Cpu => {}
                Simulation::Gpu => return Err(anyhow::anyhow!(lacks)).context("simulation is gpu"),
                Simulation::Auto => log::info!("the processor simulates: {lacks}"),
            }
            drop(zones);
        }
        show(metrics, simulator.device_name().is_some());
        Ok(simulator)
    }

    /// What a thread simulates with.
    pub fn executor(&self, metrics: &Metrics) -> Executor {
        #[cfg(feature = "gpu")]
        if let Some(device) = &self.device {
            return Executor::on(Arc::clone(device)).unwrap_or_else(|failed| {
                self.tell(&failed, metrics);
                Executor::Cpu
            });
        }
        let _ = metrics;
        Executor::Cpu
    }

    /// A thread goes on without the device. The others will, as soon as they use it.
    pub fn tell(&self, failed: &Failed, metrics: &Metrics) {
        if !self.has_failed.swap(true, Ordering::Relaxed) {
            log::error!("{failed}; the processor simulates from now on");
            metrics.simulation_device_failures.inc();
            show(metrics, false);
        }
    }

    /// What systemd shows of it, behind the rest.
    #[must_use]
    pub fn status(&self) -> String {
        match self.device_name() {
            None => String::new(),
            Some(name) if self.has_failed.load(Ordering::Relaxed) => {
                format!(", {name} has failed: simulated by the processor")
            }
            Some(name) => format!(", simulated with {name}"),
        }
    }

    fn device_name(&self) -> Option<&str> {
        #[cfg(feature = "gpu")]
        return self.device.as_ref().map(|device| device.name());
        #[cfg(not(feature = "gpu"))]
        None
    }
}

fn show(metrics: &Metrics, with_device: bool) {
    let gauge = &metrics.simulation_device;
    gauge.with_label_values(&["cpu"]).set(i64::from(!with_device));
    gauge.with_label_values(&["gpu"]).set(i64::from(with_device));
}

/// The device of this machine, if the kernels run on it.
#[cfg(feature = "gpu")]
fn open() -> anyhow::Result<Arc<Device>> {
    let missing = "no graphics device can be used: it takes Vulkan's loader (libvulkan.so.1), the \
                   driver of a device, and leave to open it (/dev/dri, /dev/nvidia*)";
    let device = Arc::new(Device::open().context(missing)?);
    Executor::on(Arc::clone(&device))?;
    let software = if device.is_software() { ", a program on the processor" } else { "" };
    log::info!("gas and fire are simulated with {}{software}", device.name());
    Ok(device)
}

/// The device, if it is faster than the processor with these zones.
#[cfg(feature = "gpu")]
fn faster(mut zones: Vec<ZoneState>) -> Option<Arc<Device>> {
    let device = match Device::open() {
        Ok(device) if device.is_software() => {
            log::info!("{} is a program on the processor: that simulates", device.name());
            return None;
        }
        Ok(device) => Arc::new(device),
        Err(error) => {
            let error = anyhow::Error::from(error);
            log::info!("the processor simulates: {error:#}");
            return None;
        }
    };
    zones.iter_mut().for_each(fill);
    let timed = Executor::on(Arc::clone(&device)).and_then(|mut with_device| {
        Ok((time(&mut Executor::Cpu, &zones)?, time(&mut with_device, &zones)?))
    });
    match timed {
        Ok((processor, with_device)) => {
            let is_faster = with_device < processor;
            log::info!(
                "a tick of {} zones full of gas takes {} us on the processor and {} us with {}: \
                 {} simulates",
                zones.len(),
                (processor / TICKS_TIMED).as_micros(),
                (with_device / TICKS_TIMED).as_micros(),
                device.name(),
                if is_faster { "the device" } else { "the processor" }
            );
            is_faster.then_some(device)
        }
        Err(failed) => {
            log::warn!("{failed}; the processor simulates");
            None
        }
    }
}

/// Gas wherever it can be: what matters is the worst tick.
#[cfg(feature = "gpu")]
fn fill(state: &mut ZoneState) {
    crate::sim::restore(state);
    for plane in &mut state.gas {
        for (level, air) in plane.iter_mut().zip(&state.derived.air) {
            *level = if air & SEALED == 0 { 200 } else { 0 };
        }
    }
}

/// How long the ticks of these zones take.
#[cfg(feature = "gpu")]
fn time(executor: &mut Executor, zones: &[ZoneState]) -> Result<Duration, Failed> {
    use crate::sim::{Job, Scratch, StepOutput};

    let fresh = |state: &ZoneState| (state.clone(), Scratch::new(), StepOutput::default());
    let mut zones: Vec<_> = zones.iter().map(fresh).collect();
    let mut step = || {
        let job = |(state, scratch, out)| Job { state, inputs: &[], scratch, out };
        let mut jobs: Vec<_> =
            zones.iter_mut().map(|(state, scratch, out)| job((state, scratch, out))).collect();
        executor.step(&mut jobs)
    };
    // The first makes room and fills it.
    step()?;
    let begun = Instant::now();
    for _ in 0..TICKS_TIMED {
        step()?;
    }
    Ok(begun.elapsed())
}

#[cfg(all(test, feature = "gpu"))]
mod tests {
    use super::*;
    use crate::sim::gpu::tests::open as open_device;
    use crate::sim::{Job, Scratch, StepOutput, ZoneSpec, generate, hash};

    fn zone() -> ZoneState {
        let mut zone = generate(&ZoneSpec::floor(crate::model::ZoneId(3), 1, 3, 64, 48));
        fill(&mut zone);
        zone
    }

    #[test]
    fn a_device_that_is_lost_is_told_of_once_and_the_processor_goes_on() {
        let Some(device) = open_device().map(Arc::new) else { return };
        let metrics = Metrics::new();
        let name = device.name().to_owned();
        let simulator =
            Simulator { device: Some(Arc::clone(&device)), has_failed: AtomicBool::new(false) };
        show(&metrics, true);
        assert_eq!(simulator.status(), format!(", simulated with {name}"));
        let kind = |kind: &str| metrics.simulation_device.with_label_values(&[kind]).get();
        assert_eq!((kind("cpu"), kind("gpu")), (0, 1));
        let [mut threads, mut reference] = [(); 2].map(|()| {
            let fresh = || (zone(), Scratch::new(), StepOutput::default());
            [fresh(), fresh()]
        });
        let mut executors = [(); 2].map(|()| simulator.executor(&metrics));
        for tick in 0..4 {
            if tick == 2 {
                device.lose_after(3);
            }
            for (executor, (state, scratch, out)) in executors.iter_mut().zip(&mut threads) {
                let mut job = [Job { state, inputs: &[], scratch, out }];
                if let Err(failed) = executor.step(&mut job) {
                    simulator.tell(&failed, &metrics);
                }
            }
            for ((state, scratch, out), (found, ..)) in reference.iter_mut().zip(&threads) {
                Job { state, inputs: &[], scratch, out }.run();
                assert_eq!(hash(state), hash(found), "tick {tick}");
            }
        }
        assert!(executors.iter().all(|executor| matches!(executor, Executor::Cpu)));
        assert_eq!(metrics.simulation_device_failures.get(), 1);
        assert_eq!((kind("cpu"), kind("gpu")), (1, 0));
        let said = format!(", {name} has failed: simulated by the processor");
        assert_eq!(simulator.status(), said);
    }

    #[test]
    fn the_processor_is_taken_where_the_device_is_a_program_on_it() {
        let metrics = Metrics::new();
        let zones = || vec![zone()];
        let simulator = Simulator::start(Simulation::Auto, zones, &metrics).unwrap();
        let Some(device) = open_device().filter(Device::is_software) else { return };
        assert!(matches!(simulator.executor(&metrics), Executor::Cpu));
        assert_eq!(metrics.simulation_device.with_label_values(&["cpu"]).get(), 1);
        let mut with_device = Executor::on(Arc::new(device)).unwrap();
        assert!(time(&mut with_device, &zones()).unwrap() > Duration::ZERO);
    }
}
