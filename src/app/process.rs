//! What every process of a cluster does beside its work: sockets that systemd has opened, health
//! and metrics, signals, and telling systemd how it is.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use axum::Router;
use sd_notify::NotifyState;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::http::upgrade;
use super::serve::in_use;
use crate::net::http::HttpConfig;
use crate::telemetry::admin::{self, Drain};
use crate::telemetry::{Health, Metrics};

/// How often systemd is told how the process is.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Sockets that systemd has opened, by name.
#[derive(Debug, Default)]
pub struct Activated(Vec<(String, OwnedFd)>);

impl Activated {
    /// Takes what systemd hands over. To be called once, before there are other threads.
    pub fn take() -> anyhow::Result<Self> {
        let sockets = sd_notify::listen_fds_with_names().context("taking systemd's sockets")?;
        // SAFETY: systemd has opened these descriptors for this process, and nothing else has
        // taken them.
        let owned = |fd| unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self(sockets.map(|(fd, name)| (name, owned(fd))).collect()))
    }

    fn named(&mut self, name: &str) -> Option<OwnedFd> {
        let at = self.0.iter().position(|(own, _)| own == name)?;
        Some(self.0.remove(at).1)
    }

    /// The listener of this name, or one that is opened now.
    pub fn tcp(&mut self, name: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
        let listener = match self.named(name) {
            Some(socket) => TcpListener::from(socket),
            None => TcpListener::bind(address).map_err(|error| in_use(name, address, &error))?,
        };
        listener.set_nonblocking(true).with_context(|| format!("preparing {address}"))?;
        Ok(listener)
    }

    /// The UDP socket of this name, or one that is opened now.
    pub fn udp(&mut self, name: &str, address: SocketAddr) -> anyhow::Result<UdpSocket> {
        match self.named(name) {
            Some(socket) => Ok(UdpSocket::from(socket)),
            None => UdpSocket::bind(address).map_err(|error| in_use(name, address, &error)),
        }
    }
}

/// What stands around a process's work.
#[derive(Debug)]
pub struct Process {
    pub runtime: Runtime,
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
    /// Where health and metrics are.
    pub admin: SocketAddr,
    stopped: watch::Sender<bool>,
    failure: watch::Sender<Option<String>>,
    drain: Arc<Drain>,
    drained: watch::Sender<bool>,
}

/// Ends the process, from anywhere.
#[derive(Clone, Debug)]
pub struct Failure(watch::Sender<Option<String>>);

impl Failure {
    /// The process cannot go on, because of this.
    pub fn tell(&self, cause: String) {
        self.0.send_replace(Some(cause));
    }
}

impl Process {
    /// Starts the runtime, and serves health and metrics from now on.
    /// `token`: of whoever may drain the process over that port.
    pub fn start(
        sockets: &mut Activated,
        admin: SocketAddr,
        token: Option<String>,
    ) -> anyhow::Result<Self> {
        let listener = sockets.tcp("admin", admin)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("starting the input and output thread")?;
        let (stopped, _) = watch::channel(false);
        let (failure, _) = watch::channel(None);
        let admin =
            listener.local_addr().context("asking for the address of health and metrics")?;
        let (drained, _) = watch::channel(false);
        let process = Self {
            runtime,
            metrics: Arc::new(Metrics::new()),
            health: Arc::new(Health::new()),
            admin,
            stopped,
            failure,
            drain: Arc::new(Drain::new(token)),
            drained,
        };
        let routes =
            admin::router(process.health.clone(), process.metrics.clone(), process.drain.clone());
        process.serve(listener, routes, None)?;
        Ok(process)
    }

    /// Serves routes, and WebSocket where there is a gateway, until the process stops.
    pub fn serve(
        &self,
        listener: TcpListener,
        routes: Router,
        gateway: Option<crossbeam_channel::Sender<crate::net::NetEvent>>,
    ) -> anyhow::Result<()> {
        self.serve_with(HttpConfig::default(), listener, routes, gateway)
    }

    /// The same for what comes through a proxy, whose `X-Forwarded-For` is believed.
    pub fn serve_proxied(
        &self,
        address: Option<SocketAddr>,
        routes: Router,
        gateway: Option<crossbeam_channel::Sender<crate::net::NetEvent>>,
    ) -> anyhow::Result<()> {
        let Some(address) = address else { return Ok(()) };
        let listener = Activated::default().tcp("proxied", address)?;
        let config = HttpConfig { is_behind_proxy: true, ..HttpConfig::default() };
        self.serve_with(config, listener, routes, gateway)
    }

    fn serve_with(
        &self,
        config: HttpConfig,
        listener: TcpListener,
        routes: Router,
        gateway: Option<crossbeam_channel::Sender<crate::net::NetEvent>>,
    ) -> anyhow::Result<()> {
        let _entered = self.runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener).context("taking a port")?;
        let mut stopped = self.stopped.subscribe();
        let end = async move {
            // An error: the process is gone, which is a stop as well.
            let _ = stopped.wait_for(|&stop| stop).await;
        };
        let service = upgrade::service(routes, gateway);
        self.runtime.spawn(crate::net::http::serve(listener, service, config, Arc::default(), end));
        Ok(())
    }

    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure(self.failure.clone())
    }

    /// Lets whoever has the token end the process, if `begin` says nothing against it.
    pub fn allow_drain(&self, begin: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static) {
        let drained = self.drained.clone();
        self.drain.allow(Box::new(move |who| {
            begin(who)?;
            drained.send_replace(true);
            Ok(())
        }));
    }

    /// Says that the process serves, to systemd and in one line that programs read, and keeps
    /// systemd told until a signal comes or something fails. Gives what ended it.
    pub fn run(&self, line: &str, status: impl Fn() -> String) -> anyhow::Result<&'static str> {
        // Before anybody is told: a signal that comes at once must not end it as a crash would.
        let mut signals = Signals::hear(&self.runtime)?;
        self.health.set_started();
        tell(&[NotifyState::Ready]);
        let mut out = std::io::stdout();
        writeln!(out, "ready admin=http://{}{line}", self.admin)
            .context("writing to the standard output")?;
        let ended = self.runtime.block_on(async {
            let mut failure = self.failure.subscribe();
            let mut drained = self.drained.subscribe();
            let watchdog = sd_notify::watchdog_enabled();
            let every = watchdog.map_or(TELL_EVERY, |limit| TELL_EVERY.min(limit / 3));
            let mut time = tokio::time::interval(every);
            loop {
                tokio::select! {
                    signal = signals.next() => return anyhow::Ok(signal),
                    _ = drained.wait_for(|&drained| drained) => return Ok("POST /admin/drain"),
                    failed = failure.wait_for(Option::is_some) => {
                        let cause = failed.ok().and_then(|cause| cause.clone());
                        return Err(anyhow!(cause.unwrap_or_default()));
                    }
                    _ = time.tick() => {
                        let status = status();
                        tell(&[NotifyState::Status(&status)]);
                        if self.health.not_live().is_empty() {
                            tell(&[NotifyState::Watchdog]);
                        }
                    }
                }
            }
        });
        tell(&[NotifyState::Stopping]);
        ended
    }

    /// Stops serving, and ends what runs on the runtime.
    pub fn stop(self) {
        self.stopped.send_replace(true);
        self.runtime.shutdown_timeout(Duration::from_secs(2));
    }
}

/// The signals that end a process.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on they end nothing by themselves.
    pub(super) fn hear(runtime: &Runtime) -> std::io::Result<Self> {
        let _guard = runtime.enter();
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The name of the next one.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log::debug!("systemd was not told: {error}");
    }
}
