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
    Claws: "{who} claw|claws {other} for {n}.";
    Slimes: "{who} slap|slaps {other} with slime for {n}.";
    Kills: "{who} kill|kills {other}.";
    Dies: "{who} die|dies.";
    Destroyed: "{who} fall|falls apart.";
    BurnsToDeath: "{who} burn|burns to death.";
    MeltsInLava: "{who} sink|sinks into the molten rock.";
    DiesOfPoison: "{who} die|dies of poison.";
    Explodes: "{who} burst|bursts!";
    Splits: "{who} split|splits in two!";
    Shielded: "a shimmering shield softens the blow to {other}.";
    Unharmed: "{other} are|is not harmed.";
    Flees: "{who} turn|turns to flee.";
    Rallies: "{who} turn|turns to fight again.";
    Blocked: "something is in the way.";
    FriendlySwap: "{who} swap|swaps places with {other}.";
    Grabs: "{who} seize|seizes {other}.";
    BreaksFree: "{who} break|breaks free.";
    HeldFast: "{who} struggle|struggles but cannot move.";
    CorrodesArmor: "{who} corrode|corrodes {item}, worn by {other}.";
    DrainsStrength: "{who} drain|drains strength from {other}.";
    LungesAt: "{who} lunge|lunges at {other} for {n}!";

    // Growth.
    LevelUp: "{who} reach|reaches level {n}.";
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

    // Moving, doors, stairs, secrets.
    WallInTheWay: "there is a wall in the way.";
    DoorLocked: "the door is locked: it needs its key.";
    DoorUnlocked: "{who} unlock|unlocks the door.";
    FindsSecretDoor: "{who} find|finds a secret door!";
    FindsTrap: "{who} find|finds a hidden trap!";
    NoStairs: "there are no stairs here.";
    Descends: "{who} go|goes down to floor {n}.";
    Ascends: "{who} go|goes up to floor {n}.";
    StairsEnd: "the way beyond is sealed.";
    EntersGate: "{who} step|steps through the gate of the arena.";
    ArenaWelcome: "{who} stand|stands on the sand: here players fight each other, and lose nothing.";
    Arrives: "{who} arrive|arrives.";
    Leaves: "{who} leave|leaves.";
    GoesToRest: "{who} go|goes to rest.";
    ConnectionLost: "{who} stand|stands still, lost in thought.";
    ConnectionBack: "{who} stir|stirs again.";
    Entangled: "{who} are|is caught in the tangle.";
    WebCatches: "{who} are|is stuck in the web.";
    SneakOn: "{who} tread|treads softly.";
    SneakOff: "{who} walk|walks upright.";
    Overloaded: "too many commands: some are dropped.";
    Forgotten: "what {who} still meant to do is forgotten.";
    DeadWait: "the dead can do nothing but wait.";

    // Traps, gas, fire, water.
    TrapSprings: "{who} step|steps on a trap!";
    CausticTrap: "caustic gas hisses out of the floor!";
    ConfusionTrap: "a sweet smell rises from the floor!";
    FireTrap: "flames shoot out of the floor!";
    AlarmTrap: "a piercing alarm sounds!";
    AlarmHeard: "somewhere an alarm sounds.";
    MethaneExplodes: "the methane explodes!";
    ChokesOnGas: "{who} choke|chokes on the gas.";
    ItemSwept: "{item} is swept away by the water!";
    ItemBurns: "{item} burns up.";

    // Stealth and company.
    Notices: "{who} notice|notices {other}.";
    Summons: "{who} call|calls others to its side!";
    Burrows: "{who} burrow|burrows through the wall.";
    Blinks: "{who} blink|blinks away.";
    Teleports: "{who} vanish|vanishes.";

    // Thieves and casters.
    Steals: "{who} steal|steals {item} from {other}!";
    StealsGold: "{who} steal|steals {n} gold from {other}!";
    DropsLoot: "{who} drop|drops {item}.";
    CastsFire: "{who} hurl|hurls fire at {other}.";
    CastsSlow: "{who} slow|slows {other}.";
    CastsHaste: "{who} haste|hastes {other}.";
    CastsHeal: "{who} heal|heals {other}.";
    CastsShield: "{who} shield|shields {other}.";
    CastsDiscord: "{who} sow|sows discord about {other}.";
    CastsSpark: "{who} loose|looses a spark at {other} for {n}.";
    SpinsWeb: "{who} spit|spits a web at {other}.";

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
    BeamHitsNothing: "the beam hits nobody.";
    BlinkBlocked: "there is no room to blink to.";
    HastesOther: "{who} haste|hastes {other}.";
    HealsOther: "{who} heal|heals {other} of {n}.";
    ProtectsOther: "{who} shield|shields {other}.";
    CharmNoEffect: "nothing happens.";

    // Gold, vaults, the end.
    VaultOpens: "the vault door swings open.";
    PrizeTaken: "{who} hold|holds {item}! Carry it up into the light.";
    PrizeCarriedOut: "{who} carry|carries {item} into the light!";
    KeyReturns: "{item} slips back to where it was found.";

    // Death and coming back.
    YouDie: "{who} die|dies on floor {n}.";
    Killed: "{who} are|is killed by {other}.";
    Respawns: "{who} wake|wakes up again.";
    Welcome: "{who} stand|stands on floor {n} of the dungeon.";
    DeepestYet: "{who} have|has never been this deep: floor {n}.";
    ItemsScatter: "everything that {who} carried lies scattered.";
    RespawnSoon: "{who} will wake up again in {n} seconds.";
    ArenaWins: "{who} win|wins the bout against {other}.";

    // Matches.
    Called: "{who} follow|follows a call.";
    MatchWaits: "the match begins when everybody is here.";
    MatchBegins: "the match begins!";
    MatchWon: "the match is won.";
    MatchLost: "the match is lost.";
    MatchDrawn: "the match is over: nobody has won it.";
    MatchVoid: "somebody is missing: there is no match.";
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
