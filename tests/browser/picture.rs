//! The picture at the top of the README.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};

use undercroft::app::config::Flags;
use undercroft::cli::bots;
use undercroft::cli::http::Server;
use undercroft::client::Behaviour;

use super::{Host, PATIENCE, alone, browser};

const SEED: u64 = 21;
const EXPLORING: Duration = Duration::from_secs(60);

/// Fights whoever is beside the player, else explores.
const WANDER: &str = "
    const s = undercroft.state();
    const beside = (a) => Math.max(Math.abs(a.x - s.pos.x), Math.abs(a.y - s.pos.y)) === 1;
    const foe = s.actors.find((a) => a.kind !== 0 && beside(a));
    if (foe) document.querySelector(`#actors [data-id='${foe.id}']`)?.click();
    else if (!s.travelling) undercroft.explore();";

/// How much there is to see: light in the middle of the picture, and company.
const SCORE: &str = "
    const s = undercroft.state();
    const view = document.getElementById('view');
    const small = Object.assign(document.createElement('canvas'), { width: 64, height: 40 });
    const pen = small.getContext('2d');
    pen.drawImage(view, 0, 0, 64, 40);
    const light = pen.getImageData(0, 0, 50, 40).data.reduce((n, v, i) => n + (i % 4 === 3 ? 0 : v), 0);
    const monsters = s.actors.filter((a) => a.kind !== 0).length;
    const players = s.actors.length - monsters;
    return Math.round(light / 6000 * (1 + Math.min(players, 4) / 6 + Math.min(monsters, 4) / 3) * 100);";

#[test]
fn the_picture_of_the_readme() {
    if env::var_os("BLESS_SCREENSHOT").is_none() {
        return;
    }
    let _alone = alone();
    let Some(browser) = browser() else { return };
    let host = Host::start(
        "picture",
        Flags {
            world_seed: Some(env::var("PICTURE_SEED").map_or(SEED, |s| s.parse().unwrap())),
            monsters_per_zone: Some(60),
            ..Flags::default()
        },
    );
    let company = bots::Config {
        server: Server::parse(&host.url()).unwrap(),
        count: 12,
        carrier: bots::Carrier::Websocket,
        seconds: EXPLORING.as_secs() + 20,
        commands_per_second: 8,
        joins_per_second: 4,
        behaviour: Behaviour::Play,
        seed: 3,
        threads: 1,
        ledger: false,
        progress: false,
    };
    browser.open(&format!("{}/?guest=Ada", host.url()));
    browser.wait("s.connected && s.pos", PATIENCE).expect("the game begins");
    let bots = std::thread::spawn(move || bots::run(&company).unwrap());
    let end = Instant::now() + EXPLORING;
    let mut best = (0, Vec::new());
    while Instant::now() < end {
        browser.run(WANDER);
        browser.wait("!s.travelling", Duration::from_millis(400));
        let score = browser.run(SCORE).as_u64().unwrap_or(0);
        if score > best.0 {
            best = (score, browser.screenshot());
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screenshot.png");
    fs::write(path, best.1).unwrap();
    bots.join().unwrap();
}
