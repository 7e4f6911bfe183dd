//! What admins see of a cluster and do to it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use crossbeam_channel::RecvTimeoutError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::audit::{Act, Audit, Outcome};
use super::bans::{self, BanRecord};
use super::mail::{self, InstanceAnswer, InstanceOrder};
use super::{flags, leases, players};
use crate::app::registrar::unix_now;
use crate::lease::{InstanceRecord, ZoneRecord};
use crate::model::{InstanceId, ZoneId};
use crate::nats::table::{Table, Watched};
use crate::nats::{Bus, Nats};

/// An instance that renews its record within this time lives.
const BEATS_WITHIN: Duration = Duration::from_secs(2);
/// How long a zone may take to its new owner.
const MOVES_WITHIN: Duration = Duration::from_secs(10);
/// How long all zones of an instance may take.
const DRAINS_WITHIN: Duration = Duration::from_secs(60);

/// Who runs a zone.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ZoneView {
    pub zone: ZoneId,
    pub owner: Option<InstanceId>,
    pub epoch: u64,
    pub has_standby: bool,
}

/// An instance, which may be gone.
#[derive(Clone, Debug, Serialize)]
pub struct InstanceView {
    pub instance: InstanceId,
    pub is_living: bool,
    pub zones: Vec<ZoneId>,
    pub capacity: u32,
    pub version: u32,
    pub is_draining: bool,
}

/// Looks whether there is anything of this prefix: tables that are missing are made where they are
/// opened, and an admin who looks at the wrong place would see an empty cluster.
pub fn find_cluster(nats: &Nats) -> anyhow::Result<()> {
    Ok(Table::open_known(nats, leases::ZONES).map(drop)?)
}

/// All zones that there are.
pub fn zones(nats: &Nats) -> anyhow::Result<Vec<ZoneView>> {
    let view = |(zone, ZoneRecord { owner, epoch, has_standby, .. })| {
        let owner = owner.map(|owner| owner.instance);
        ZoneView { zone, owner, epoch, has_standby }
    };
    Ok(leases::owners(nats)?.into_iter().map(view).collect())
}

/// All instances that ever were; takes two seconds where one is silent.
pub fn instances(nats: &Nats) -> anyhow::Result<Vec<InstanceView>> {
    let (records, living) = listen(nats)?;
    let owners = leases::owners(nats)?;
    let view = |(instance, record): (InstanceId, InstanceRecord)| InstanceView {
        instance,
        is_living: living.contains(&instance),
        zones: held(&owners, instance).collect(),
        capacity: record.capacity,
        version: record.version,
        is_draining: record.is_draining,
    };
    Ok(records.into_iter().map(view).collect())
}

/// Does something and waits until it is done. It is in the audit log before and after; what cannot
/// be logged is not done.
pub fn carry_out(nats: &Nats, who: &str, act: Act) -> anyhow::Result<()> {
    let logged = || {
        let audit = Audit::open(nats)?;
        audit.note(who, &act, Outcome::Begun)?;
        anyhow::Ok(audit)
    };
    let audit = logged().context("nothing was done, for it cannot be logged")?;
    let done = do_it(nats, who, &act);
    let outcome = match &done {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::Failed { why: format!("{error:#}") },
    };
    let missing = format!("{act}: {outcome}; but the audit log does not say so");
    audit.note(who, &act, outcome).context(missing)?;
    done
}

fn do_it(nats: &Nats, who: &str, act: &Act) -> anyhow::Result<()> {
    match act {
        Act::Move { zone, to } => move_zone(nats, *zone, *to),
        Act::Drain { instance } => drain(nats, *instance),
        Act::Standby { zone, has_standby } => set_standby(nats, *zone, *has_standby),
        Act::DrainGateway { gateway } => {
            bail!("gateway {gateway} is drained over its own administrative port, or by SIGTERM")
        }
        Act::Ban { target, until, reason } => {
            let (target, until, since) = (*target, *until, unix_now());
            let (reason, by) = (reason.clone(), who.to_owned());
            let ban = BanRecord { target, reason, since, until, by };
            Ok(bans::set(nats, target, Some(&ban))?)
        }
        Act::Unban { target } => {
            if !bans::list(nats)?.iter().any(|ban| ban.target == *target) {
                bail!("{target} is not banned; `undercroft admin ban list` shows who is");
            }
            Ok(bans::set(nats, *target, None)?)
        }
        Act::SetFlag { flag, value } => Ok(flags::set(nats, *flag, Some(value))?),
        Act::UnsetFlag { flag } => Ok(flags::set(nats, *flag, None)?),
        Act::Kick { character, name, reason } => players::kick(nats, *character, name, reason),
    }
}

fn move_zone(nats: &Nats, zone: ZoneId, to: InstanceId) -> anyhow::Result<()> {
    let (record, from) = owned(nats, zone)?;
    if from == to {
        bail!("zone {zone} is with instance {to} already; there is nothing to do");
    }
    let (records, living) = listen(nats)?;
    let theirs = known(&records, to)?.version;
    if !record.can_go_to(theirs) {
        let zones = record.version;
        bail!(
            "instance {to} runs version {theirs} of the simulation, but zone {zone} is of {zones}; \
             name an instance of that version"
        );
    }
    if !living.contains(&to) {
        bail!("instance {to} was silent for {BEATS_WITHIN:?}; start it, or name another");
    }
    order(nats, from, InstanceOrder::Move { zone, to })?;
    let now = follow(nats, leases::ZONES, MOVES_WITHIN, |id, now: ZoneRecord| {
        let instance = now.owner.filter(|_| ZoneId(id) == zone)?.instance;
        (instance != from).then_some(instance)
    })?;
    match now {
        Some(instance) if instance == to => Ok(()),
        Some(instance) => bail!(
            "zone {zone} went to instance {instance}, as instance {to} could not take it any \
             more; move it again"
        ),
        None => bail!(
            "zone {zone} is still with instance {from} after {MOVES_WITHIN:?}; see the log of \
             instance {from}"
        ),
    }
}

fn set_standby(nats: &Nats, zone: ZoneId, has_standby: bool) -> anyhow::Result<()> {
    let (record, owner) = owned(nats, zone)?;
    if record.has_standby == has_standby {
        let verb = if has_standby { "has a standby already" } else { "has no standby" };
        bail!("zone {zone} {verb}; there is nothing to do");
    }
    order(nats, owner, InstanceOrder::SetStandby { zone, has_standby })?;
    let now = follow(nats, leases::ZONES, MOVES_WITHIN, |id, now: ZoneRecord| {
        (ZoneId(id) == zone && now.has_standby == has_standby).then_some(())
    })?;
    now.with_context(|| {
        format!("zone {zone} is as before after {MOVES_WITHIN:?}; see the log of instance {owner}")
    })
}

/// The record of a zone and the instance that runs it.
fn owned(nats: &Nats, zone: ZoneId) -> anyhow::Result<(ZoneRecord, InstanceId)> {
    let owners = leases::owners(nats)?;
    let record = owners.get(&zone).ok_or_else(|| {
        anyhow!("there is no zone {zone}; `undercroft admin zone list` shows those there are")
    })?;
    let Some(owner) = record.owner else {
        bail!("nobody runs zone {zone} at this moment; try again once it has an owner");
    };
    Ok((*record, owner.instance))
}

fn drain(nats: &Nats, instance: InstanceId) -> anyhow::Result<()> {
    let (records, living) = listen(nats)?;
    known(&records, instance)?;
    if !living.contains(&instance) {
        bail!(
            "instance {instance} was silent for {BEATS_WITHIN:?}; if it is dead, others take its \
             zones by themselves"
        );
    }
    let owners = leases::owners(nats)?;
    let takes = |record: &ZoneRecord| {
        living.iter().filter(|&&id| id != instance).any(|id| {
            let other = &records[id];
            !other.is_draining && record.can_go_to(other.version)
        })
    };
    let mut left: BTreeSet<ZoneId> = held(&owners, instance).collect();
    if let Some(zone) = left.iter().find(|zone| !takes(&owners[zone])) {
        let version = owners[zone].version;
        bail!(
            "no other instance can take zone {zone}; start one of version {version} of the \
             simulation first"
        );
    }
    order(nats, instance, InstanceOrder::Drain)?;
    if left.is_empty() {
        return Ok(());
    }
    let empty = follow(nats, leases::ZONES, DRAINS_WITHIN, |id, now: ZoneRecord| {
        if now.owner.is_some_and(|owner| owner.instance == instance) {
            left.insert(ZoneId(id));
        } else {
            left.remove(&ZoneId(id));
        }
        left.is_empty().then_some(())
    })?;
    let zones: Vec<_> = left.iter().map(ZoneId::to_string).collect();
    empty.with_context(|| {
        format!(
            "instance {instance} still has zones ({}) after {DRAINS_WITHIN:?}; see its log, and \
             whether others have room",
            zones.join(", ")
        )
    })
}

/// The zones that an instance has by the table.
fn held(
    owners: &BTreeMap<ZoneId, ZoneRecord>,
    instance: InstanceId,
) -> impl Iterator<Item = ZoneId> {
    let is_its = move |record: &ZoneRecord| record.owner.is_some_and(|by| by.instance == instance);
    owners.iter().filter(move |(_, record)| is_its(record)).map(|(&zone, _)| zone)
}

fn known(
    records: &BTreeMap<InstanceId, InstanceRecord>,
    instance: InstanceId,
) -> anyhow::Result<&InstanceRecord> {
    records.get(&instance).ok_or_else(|| {
        anyhow!(
            "there is no instance {instance}; `undercroft admin instance list` shows those there \
             are"
        )
    })
}

/// What instances say of themselves, and which of them renew their record.
fn listen(
    nats: &Nats,
) -> anyhow::Result<(BTreeMap<InstanceId, InstanceRecord>, BTreeSet<InstanceId>)> {
    let mut records = leases::instances(nats)?;
    let mut living = BTreeSet::new();
    follow(nats, leases::INSTANCES, BEATS_WITHIN, |id, record: InstanceRecord| {
        if records.insert(InstanceId(id), record) != Some(record) {
            living.insert(InstanceId(id));
        }
        (living.len() == records.len()).then_some(())
    })?;
    Ok((records, living))
}

/// Asks something of an instance, which begins with it when it says yes.
fn order(nats: &Nats, instance: InstanceId, order: InstanceOrder) -> anyhow::Result<()> {
    let answer = Bus::new(nats).ask(&mail::instance(instance), mail::encode(&order));
    let answer = answer.map_err(|error| {
        anyhow!("{error}; if instance {instance} is dead, others take its zones: try again then")
    })?;
    match mail::decode::<InstanceAnswer>(&answer) {
        Some(Ok(())) => Ok(()),
        Some(Err(why)) => bail!("instance {instance} refuses: {why}"),
        None => bail!(
            "instance {instance} is of another version; use the `undercroft` that came with it"
        ),
    }
}

/// Looks at a table from its present state on until `seen` finds what it wants, or the time is
/// over.
fn follow<R: DeserializeOwned, T>(
    nats: &Nats,
    table: &str,
    longest: Duration,
    mut seen: impl FnMut(u32, R) -> Option<T>,
) -> anyhow::Result<Option<T>> {
    let deadline = Instant::now() + longest;
    let (tell, told) = crossbeam_channel::unbounded();
    let watch = Table::open(nats, table)?.watch(move |watched| {
        // An error: enough was seen.
        let _ = tell.send(watched);
    });
    let found = loop {
        match told.recv_deadline(deadline) {
            Ok(Watched::Row(row)) => {
                let found = leases::read(&row).and_then(|(id, record)| seen(id, record));
                if found.is_some() {
                    break Ok(found);
                }
            }
            Err(RecvTimeoutError::Timeout) => break Ok(None),
            Ok(Watched::Ended) | Err(RecvTimeoutError::Disconnected) => {
                break Err(anyhow!("NATS at {} went away; look again", nats.servers()));
            }
        }
    };
    watch.abort();
    found
}
