//! What makes one world different from another; made at the first start, then kept.

use std::path::Path;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use super::config::{Config, in_line};
use crate::disk::DataFolder;
use crate::game::catalog::arenas;
use crate::game::generate::ZoneSpec;
use crate::game::state::ZoneKind;
use crate::model::ZoneId;
use crate::model::limits::FLOORS;
use crate::nats::Nats;
use crate::nats::table::Table;

const FILE: &str = "world.toml";
/// The table in NATS that holds the world, and its one key.
const TABLE: &str = "world";

/// The world of a data folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// As text: TOML's integers are signed.
    seed: String,
    pub width: u16,
    pub height: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monsters: Option<u32>,
    /// Whether the floors are open halls.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    hall: bool,
}

/// What a new world is to be like.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Random where there is none.
    pub seed: Option<u64>,
    pub width: u16,
    pub height: u16,
    pub monsters: Option<u32>,
    pub hall: bool,
}

impl World {
    fn make(wanted: Wanted) -> anyhow::Result<Self> {
        let seed = match wanted.seed {
            Some(seed) => seed,
            None => u64::from_le_bytes(random()?),
        };
        let Wanted { width, height, monsters, hall, .. } = wanted;
        Ok(Self { seed: seed.to_string(), width, height, monsters, hall })
    }

    /// The world that all processes of a cluster share. Made by the first that has a wish; others
    /// wait for it.
    pub fn shared(nats: &Nats, wanted: Option<Wanted>) -> anyhow::Result<Self> {
        let table = Table::open(nats, TABLE)?;
        let (tell, told) = crossbeam_channel::unbounded();
        let watch = table.watch(move |_watched| {
            // An error: it was found already.
            let _ = tell.send(());
        });
        let world = Self::found(&table, wanted, &told);
        watch.abort();
        world
    }

    fn found(
        table: &Table,
        wanted: Option<Wanted>,
        told: &crossbeam_channel::Receiver<()>,
    ) -> anyhow::Result<Self> {
        loop {
            if let Some(row) = table.get(TABLE)? {
                let text =
                    std::str::from_utf8(&row.value).context("the world in NATS is no text")?;
                let world: Self =
                    toml::from_str(text).context("the world in NATS cannot be read")?;
                if let Some(seed) = wanted.and_then(|wanted| wanted.seed) {
                    ensure!(
                        world.seed() == seed,
                        "the world in NATS has seed {}, not {seed}: leave world_seed away or \
                         choose another prefix",
                        world.seed
                    );
                }
                return Ok(world);
            }
            let Some(wanted) = wanted else {
                log::info!("there is no world yet: waiting for a game-instance to make one");
                told.recv().context("watching the world in NATS")?;
                continue;
            };
            let text = toml::to_string(&Self::make(wanted)?).context("writing down the world")?;
            // Whoever was first has made it.
            table.replace_now(TABLE, text.into(), 0)?;
        }
    }

    /// The world of this folder, made from the configuration if there is none yet. A
    /// configuration that asks for another world than the one that is there is refused.
    pub fn load_or_make(folder: &DataFolder, config: &Config) -> anyhow::Result<Self> {
        let path = folder.file(FILE);
        if path.exists() {
            let world = Self::load(&path)?;
            if let Some(seed) = config.world_seed {
                ensure!(
                    world.seed() == seed,
                    "the world in {} has seed {}, not {seed}: leave world_seed away or choose \
                     another data folder",
                    folder.path().display(),
                    world.seed
                );
            }
            return Ok(world);
        }
        let world = Self::make(Wanted {
            seed: config.world_seed,
            width: config.zone_width,
            height: config.zone_height,
            monsters: config.monsters_per_zone,
            hall: config.hall,
        })?;
        let text = toml::to_string(&world).context("writing down the world")?;
        folder
            .write_secret(FILE, text.as_bytes())
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(world)
    }

    /// Reads a world file.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}, restore it from a backup", path.display()))?;
        let world: Self =
            toml::from_str(&text).map_err(|error| in_line(&text, &error)).with_context(|| {
                format!("{} is damaged, restore the file from a backup", path.display())
            })?;
        ensure!(
            world.seed.parse::<u64>().is_ok(),
            "the seed in {} is not a number: restore the file from a backup",
            path.display()
        );
        Ok(world)
    }

    /// The file of a data folder.
    #[must_use]
    pub fn file(folder: &Path) -> std::path::PathBuf {
        folder.join(FILE)
    }

    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed.parse().unwrap_or(0)
    }

    /// How the generator makes a zone: floors by their depth; what is none is an arena.
    #[must_use]
    pub fn spec(&self, id: ZoneId) -> ZoneSpec {
        let mut spec = match u8::try_from(id.0) {
            Ok(depth) if u32::from(depth) <= FLOORS => {
                let kind = if self.hall { ZoneKind::Hall } else { ZoneKind::Floor };
                let floor = ZoneSpec::floor(id, self.seed(), depth, self.width, self.height);
                ZoneSpec { kind, ..floor }
            }
            _ => ZoneSpec::arena(id, self.seed()),
        };
        if spec.kind != ZoneKind::Arena {
            spec.monsters = self.monsters.or(spec.monsters);
        }
        spec
    }

    /// What players call a zone.
    #[must_use]
    pub fn zone_name(&self, id: ZoneId) -> String {
        arenas::of_zone(id).map_or_else(|| format!("Floor {id}"), |arena| arena.name.to_owned())
    }
}

/// Random bytes from the operating system.
pub fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).context("asking the operating system for random bytes")?;
    Ok(bytes)
}
