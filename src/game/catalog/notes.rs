//! Notes: every line that the log of a player can say.
//!
//! Placeholders: `{who}` and `{other}` are somebody ("you", "the jackal", a player's name,
//! "something"), `{item}` an item with its article, `{n}` a number. Words joined as in `hit|hits`
//! agree with the nearest `{who}` or `{other}` before them: the first form for "you", the second
//! for anybody else. Whoever shows a note capitalises its first letter.

macro_rules! notes {
    ($($name:ident: $text:literal;)*) => {
        /// A kind of note; its number is its row.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Note { $(#[doc = $text] $name),* }

        impl Note {
            /// Every kind, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }

        /// The templates, one a kind.
        pub static TEMPLATES: [&str; Note::ALL.len()] = [$($text),*];
    };
}

notes! {
    // Fights. {who} acts on {other}.
    Hits: "{who} hit|hits {other} for {n}.";
    CriticalHit: "{who} strike|strikes {other} hard for {n}!";
    SneakAttack: "{who} stab|stabs {other} unawares for {n}!";
    Misses: "{who} miss|misses {other}.";
    Shoots: "{who} shoot|shoots {other} for {n}.";
    ShotMisses: "{who} shoot|shoots and miss|misses {other}.";
    Bites: "{who} bite|bites {other} for {n}.";
    Stings: "{who} sting|stings {other} for {n}.";
    Claws: "{who} claw|claws {other} for {n}.";
    Slimes: "{who} slap|slaps {other} with slime for {n}.";
    Kills: "{who} kill|kills {other}.";
    Dies: "{who} die|dies.";
    Destroyed: "{who} fall|falls apart.";
    Drowns: "{who} drown|drowns.";
    BurnsToDeath: "{who} burn|burns to death.";
    MeltsInLava: "{who} sink|sinks into the molten rock.";
    DiesOfPoison: "{who} die|dies of poison.";
    Explodes: "{who} burst|bursts!";
    Splits: "{who} split|splits in two!";
    Shielded: "a shimmering shield softens the blow to {other}.";
    Reflects: "the bolt bounces off {who}.";
    Unharmed: "{other} are|is not harmed.";
    Flees: "{who} turn|turns to flee.";
    Rallies: "{who} turn|turns to fight again.";
    Blocked: "something is in the way.";
    NoTarget: "there is nobody there.";
    FriendlySwap: "{who} swap|swaps places with {other}.";
    CannotHurtFriend: "{who} will not strike {other} here.";
    Grabs: "{who} seize|seizes {other}.";
    BreaksFree: "{who} break|breaks free.";
    HeldFast: "{who} struggle|struggles but cannot move.";
    CorrodesArmor: "{who} corrode|corrodes {item}, worn by {other}.";
    CorrodesWeapon: "acid eats into {item}.";
    DrainsStrength: "{who} drain|drains strength from {other}.";
    LungesAt: "{who} lunge|lunges at {other} for {n}!";

    // Growth.
    LevelUp: "{who} reach|reaches level {n}.";
    GainsExperience: "{who} gain|gains {n} experience.";
    FeelsBetter: "{who} feel|feels better.";
    FullyHealed: "{who} are|is in full health.";
    GrowsStronger: "{who} grow|grows stronger.";
    GrowsTougher: "{who} gain|gains {n} health for good.";

    // Effects that begin and end.
    Hasted: "{who} move|moves faster.";
    HasteEnds: "{who} slow|slows down to a usual pace.";
    Slowed: "{who} move|moves sluggishly.";
    SlowEnds: "{who} no longer feel|feels sluggish.";
    Confused: "{who} stagger|staggers in confusion.";
    ConfusionEnds: "{who} come|comes to clear senses.";
    Paralysed: "{who} go|goes rigid.";
    ParalysisEnds: "{who} can move again.";
    Poisoned: "{who} feel|feels very sick.";
    PoisonEnds: "{who} shake|shakes off the poison.";
    Levitates: "{who} float|floats into the air.";
    LevitationEnds: "{who} sink|sinks back to the ground.";
    Telepathic: "{who} sense|senses the minds on this floor.";
    TelepathyEnds: "the other minds fade from {who}.";
    NoMinds: "there are no other minds to be sensed.";
    Discordant: "{who} turn|turns on friend and foe alike.";
    DiscordEnds: "{who} know|knows friend from foe again.";
    ShieldUp: "a shimmering shield surrounds {who}.";
    ShieldEnds: "the shield around {who} fades.";
    Weakened: "{who} feel|feels weak.";
    WeaknessEnds: "{who} feel|feels as strong as before.";
    Regenerates: "the wounds of {who} begin to close.";
    RegenerationEnds: "the wounds of {who} close at their usual pace.";
    CatchesFire: "{who} catch|catches fire!";
    FireDies: "{who} no longer burn|burns.";
    BurnsFor: "{who} burn|burns for {n}.";
    Darkened: "shadows gather about {who}.";
    DarknessEnds: "the shadows leave {who}.";
    Terrified: "{who} are|is overcome by dread.";
    TerrorEnds: "{who} take|takes heart again.";
    FireImmune: "{who} no longer fear|fears fire.";
    FireImmunityEnds: "{who} feel|feels the heat again.";
    AlreadyCured: "nothing is wrong with {who}.";

    // Moving, doors, stairs, secrets.
    WallInTheWay: "there is a wall in the way.";
    DoorLocked: "the door is locked: it needs its key.";
    DoorUnlocked: "{who} unlock|unlocks the door.";
    KeyElsewhere: "{item} does not belong to this floor.";
    FindsSecretDoor: "{who} find|finds a secret door!";
    FindsTrap: "{who} find|finds a hidden trap!";
    FindsNothing: "{who} find|finds nothing.";
    NoStairs: "there are no stairs here.";
    Descends: "{who} go|goes down to floor {n}.";
    Ascends: "{who} go|goes up to floor {n}.";
    StairsEnd: "the way beyond is sealed.";
    StairsBusy: "the stairs are crowded: wait a moment.";
    Arrives: "{who} arrive|arrives.";
    Leaves: "{who} leave|leaves.";
    GoesToRest: "{who} go|goes to rest.";
    ConnectionLost: "{who} stand|stands still, lost in thought.";
    ConnectionBack: "{who} stir|stirs again.";
    Entangled: "{who} are|is caught in the tangle.";
    WebCatches: "{who} are|is stuck in the web.";
    SneakOn: "{who} tread|treads softly.";
    SneakOff: "{who} walk|walks upright.";
    TooConfused: "{who} reel|reels about.";
    Overloaded: "too many commands: some are dropped.";

    // Traps, gas, fire, water.
    TrapSprings: "{who} step|steps on a trap!";
    CausticTrap: "caustic gas hisses out of the floor!";
    ConfusionTrap: "a sweet smell rises from the floor!";
    FireTrap: "flames shoot out of the floor!";
    AlarmTrap: "a piercing alarm sounds!";
    AlarmHeard: "somewhere an alarm sounds.";
    MethaneExplodes: "the methane explodes!";
    MethaneSmell: "{who} smell|smells marsh gas.";
    ChokesOnGas: "{who} choke|chokes on the gas.";
    ItemSwept: "{item} is swept away by the water!";
    ItemBurns: "{item} burns up.";
    ItemLostInLava: "{item} is swallowed by the molten rock.";
    FireSpreads: "the fire spreads.";
    FloorShakes: "the ground shakes.";

    // Stealth and company.
    Notices: "{who} notice|notices {other}.";
    LosesTrack: "{who} lose|loses track of {other}.";
    WakesUp: "{who} wake|wakes up.";
    FallsAsleep: "{who} fall|falls asleep.";
    HearsNoise: "{who} hear|hears a noise.";
    BecomesAlly: "{who} join|joins {other}.";
    AllyLeaves: "{who} no longer follow|follows {other}.";
    CallsForHelp: "{who} call|calls for help!";
    Summons: "{who} call|calls others to its side!";
    Burrows: "{who} burrow|burrows through the wall.";
    Submerges: "{who} slip|slips under the water.";
    Surfaces: "{who} rise|rises from the water!";
    Blinks: "{who} blink|blinks away.";
    Teleports: "{who} vanish|vanishes.";
    AppearsNear: "{who} appear|appears out of thin air!";

    // Thieves and casters.
    Steals: "{who} steal|steals {item} from {other}!";
    StealsGold: "{who} steal|steals {n} gold from {other}!";
    DropsLoot: "{who} drop|drops {item}.";
    CastsLightning: "{who} hurl|hurls lightning at {other} for {n}.";
    CastsFire: "{who} hurl|hurls fire at {other}.";
    CastsSlow: "{who} slow|slows {other}.";
    CastsHaste: "{who} haste|hastes {other}.";
    CastsHeal: "{who} heal|heals {other}.";
    CastsShield: "{who} shield|shields {other}.";
    CastsNegation: "{who} strip|strips the magic from {other}.";
    CastsDiscord: "{who} sow|sows discord about {other}.";
    CastsDarkness: "{who} draw|draws darkness about.";
    CastsSpark: "{who} loose|looses a spark at {other} for {n}.";
    SpinsWeb: "{who} spit|spits a web at {other}.";
    SpitsAcid: "{who} spit|spits acid at {other} for {n}.";
    BreathesFire: "{who} breathe|breathes fire!";
    ThrowsSpear: "{who} hurl|hurls a spear at {other} for {n}.";

    // Items in the hand.
    Finds: "{who} now have|has {item}.";
    FindsMany: "{who} now have|has {item} (×{n}).";
    FindsGold: "{who} find|finds {n} pieces of gold.";
    NothingHere: "there is nothing here to pick up.";
    PackFull: "the pack is full.";
    SlotEmpty: "there is nothing in that slot.";
    Drops: "{who} drop|drops {item}.";
    SeesItem: "{who} see|sees {item} here.";
    Wields: "{who} now wield|wields {item}.";
    Wears: "{who} now wear|wears {item}.";
    PutsAway: "{who} put|puts {item} away.";
    CannotEquip: "{item} can be neither wielded nor worn.";
    TooHeavy: "{who} are|is hardly strong enough for {item}.";
    LearnsItem: "{who} now know|knows {item}.";
    LearnsEnchant: "{who} are|is now familiar with {item}.";
    FeelsMalevolent: "{who} sense|senses malice in {item}.";
    CannotUse: "{item} has no use by itself.";
    CannotAim: "{item} cannot be pointed at anything.";
    NeedsTarget: "{item} must be pointed at something.";
    MustWield: "{item} must be wielded first.";
    CannotThrowWorn: "{item} is worn: take it off first.";
    OutOfRange: "that is out of range.";
    OutOfCharges: "{item} fizzles.";
    StillRecharging: "{item} needs {n} more turns.";
    CannotActHeld: "{who} cannot do that while held.";
    Throws: "{who} throw|throws {item}.";
    ThrownHits: "{item} hits {other} for {n}.";
    ThrownMisses: "{item} misses {other}.";
    Shatters: "{item} shatters!";
    OpensCage: "{who} take|takes {item}: the other cages close.";
    Drinks: "{who} drink|drinks {item}.";
    Reads: "{who} read|reads {item}.";
    Zaps: "{who} point|points {item}.";
    UsesCharm: "{who} rub|rubs {item}.";

    // What items do.
    Heals: "{who} are|is healed of {n}.";
    GasPours: "gas pours out!";
    MethanePours: "a smell of marsh gas spreads!";
    SporesPour: "healing spores fill the air!";
    FlamesPour: "flames billow out!";
    DarknessPours: "the light goes out of the world about {who}.";
    FungusGrows: "luminescent fungus creeps over the ground.";
    ItemGlows: "{item} gleams in the dark.";
    NothingToEnchant: "{who} have|has nothing to enchant.";
    Identifies: "{who} learn|learns what {item} is.";
    NothingToIdentify: "{who} already know|knows everything {who} have|has.";
    MalevolenceGone: "a malign presence leaves the pack of {who}.";
    NoMalevolence: "{who} feel|feels nothing malign.";
    Recharges: "the staffs and charms of {who} hum with power.";
    NothingToRecharge: "{who} have|has nothing to recharge.";
    MapsFloor: "an image of the floor appears in the mind of {who}.";
    NegationWave: "strange magic drains from everything near {who}.";
    WallsShatter: "the walls around {who} turn to crystal and crumble.";
    WallTunneled: "the wall crumbles.";
    NothingToTunnel: "the beam grinds against nothing.";
    Aggravates: "a shrill sound echoes through the floor!";
    SummonsMonsters: "the air tears open and monsters step out!";
    SummonFails: "the air ripples, and nothing comes.";
    Sanctity: "sacred light drives the monsters from {who}.";
    DiscordSpreads: "the monsters near {who} turn on each other.";
    FearSpreads: "the monsters near {who} are seized by dread.";
    TeleportFails: "{who} shimmer|shimmers for a moment.";
    LightningStrikes: "lightning strikes {other} for {n}.";
    FireboltHits: "fire bursts over {other} for {n}.";
    PoisonBoltHits: "{other} are|is stricken with poison.";
    EntrancedBy: "{other} stand|stands spellbound.";
    CrystalGrows: "crystal fills the air.";
    BeamHitsNothing: "the beam hits nobody.";
    BlinkBlocked: "there is no room to blink to.";
    HastesOther: "{who} haste|hastes {other}.";
    HealsOther: "{who} heal|heals {other} of {n}.";
    ProtectsOther: "{who} shield|shields {other}.";
    CharmNoEffect: "nothing happens.";

    // Gold, vaults, the end.
    VaultOpens: "the vault door swings open.";
    VaultEmpty: "the vault has been emptied.";
    PrizeTaken: "{who} hold|holds {item}! Carry it up into the light.";
    PrizeCarriedOut: "{who} carry|carries {item} into the light!";
    KeyVanishes: "{item} crumbles to dust.";
    KeyReturns: "{item} slips back to where it was found.";

    // Death and coming back.
    YouDie: "{who} die|dies on floor {n}.";
    Killed: "{who} are|is killed by {other}.";
    Respawns: "{who} wake|wakes up again.";
    RespawnSoon: "{who} will wake up again in {n} seconds.";
    ItemsScatter: "the belongings of {who} lie scattered.";
    Welcome: "{who} stand|stands on floor {n} of the dungeon.";
    DeepestYet: "{who} have|has never been this deep: floor {n}.";
    ArenaWins: "{who} win|wins the bout.";
    ArenaLoses: "{who} lose|loses the bout.";
}

impl Note {
    /// What it says.
    #[must_use]
    pub fn template(self) -> &'static str {
        TEMPLATES[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::Note;

    #[test]
    fn every_template_can_be_filled_in() {
        assert!(Note::ALL.len() <= 256);
        for &note in Note::ALL {
            let mut rest = note.template();
            assert!(rest.ends_with(['.', '!']), "{note:?}");
            while let Some(at) = rest.find('{') {
                let end = rest[at..].find('}').map(|n| at + n).expect("closed");
                assert!(
                    matches!(&rest[at..=end], "{who}" | "{other}" | "{item}" | "{n}"),
                    "{note:?}"
                );
                rest = &rest[end + 1..];
            }
            assert!(!rest.contains('}'), "{note:?}");
        }
    }

    #[test]
    fn a_choice_of_words_follows_somebody() {
        for &note in Note::ALL {
            let words: Vec<&str> = note.template().split(' ').collect();
            for (at, word) in words.iter().enumerate() {
                if let Some((first, second)) = word.split_once('|') {
                    assert!(!first.is_empty() && !second.is_empty(), "{note:?}");
                    let before = words[..at].iter().any(|w| matches!(*w, "{who}" | "{other}"));
                    assert!(before, "{note:?}");
                }
            }
        }
    }
}
