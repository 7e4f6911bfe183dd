//! The picture at the top of the README.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};

use undercroft::app::config::Flags;
use undercroft::cli::bots;
use undercroft::cli::http::Server;
use undercroft::client::Behaviour;

use super::{Host, PATIENCE, alone, browser};

const SEED: u64 = 11;
const EXPLORING: Duration = Duration::from_secs(45);

#[test]
fn the_picture_of_the_readme() {
    if env::var_os("BLESS_SCREENSHOT").is_none() {
        return;
    }
    let _alone = alone();
    let Some(browser) = browser() else { return };
    let host = Host::start("picture", Flags { world_seed: Some(SEED), ..Flags::default() });
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
    while Instant::now() < end {
        browser.run("undercroft.explore()");
        browser.wait("!s.travelling", Duration::from_secs(5));
        // Whoever is beside the player is fought; whoever is not may come nearer.
        browser.run(
            "const s = undercroft.state();
             const foe = s.actors.find((a) => a.kind !== 0 && !(a.state & 1)
               && Math.max(Math.abs(a.x - s.pos.x), Math.abs(a.y - s.pos.y)) === 1);
             if (foe) document.querySelector(`#actors [data-id='${foe.id}']`)?.click();",
        );
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screenshot.png");
    fs::write(path, browser.screenshot()).unwrap();
    bots.join().unwrap();
}
