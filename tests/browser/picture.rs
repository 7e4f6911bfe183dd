//! The picture at the top of the README.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};

use undercroft::app::config::Flags;
use undercroft::cli::bots;
use undercroft::cli::http::Server;
use undercroft::client::Behaviour;

use super::{Host, PATIENCE, alone, browser};

const SEED: u64 = 7;
const EXPLORING: Duration = Duration::from_secs(30);

/// Fights whoever is beside the player, else explores.
const WANDER: &str = "
    const s = undercroft.state();
    const beside = (a) => Math.max(Math.abs(a.x - s.pos.x), Math.abs(a.y - s.pos.y)) === 1;
    const foe = s.actors.find((a) => a.kind !== 0 && beside(a));
    const near = foe ?? s.actors.find((a) => a.kind !== 0);
    if (near && (foe || !s.travelling)) document.querySelector(`#actors [data-id='${near.id}']`)?.click();
    else if (!s.travelling) undercroft.explore();";

/// How much there is to see: light, and company in it.
const SCORE: &str = "
    const s = undercroft.state();
    const small = Object.assign(document.createElement('canvas'), { width: 128, height: 80 });
    const pen = small.getContext('2d');
    pen.drawImage(document.getElementById('view'), 0, 0, 128, 80);
    const { data } = pen.getImageData(0, 0, 98, 80);
    let lit = 0;
    for (let i = 0; i < data.length; i += 4) lit += Math.max(data[i], data[i + 1], data[i + 2]) > 60;
    const monsters = s.actors.filter((a) => a.kind !== 0).length;
    const players = s.actors.length - monsters;
    return Math.round(lit * (1 + Math.min(players, 4) / 5 + Math.min(monsters, 4) / 4));";

/// The same picture with fewer shades, most of them dark: half the bytes, and nobody sees it.
const THIN_OUT: &str = "
    const [picture, done] = arguments;
    const bytes = Uint8Array.from(atob(picture), (c) => c.charCodeAt(0));
    createImageBitmap(new Blob([bytes], { type: 'image/png' })).then((image) => {
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [image.width, image.height];
      const pen = canvas.getContext('2d');
      pen.drawImage(image, 0, 0);
      const pixels = pen.getImageData(0, 0, image.width, image.height);
      pixels.data.forEach((v, i, all) => { if (i % 4 !== 3) all[i] = v & (v < 64 ? 252 : 248); });
      pen.putImageData(pixels, 0, 0);
      done(canvas.toDataURL('image/png').split(',')[1]);
    });";

#[test]
fn the_picture_of_the_readme() {
    if env::var_os("BLESS_SCREENSHOT").is_none() {
        return;
    }
    let _alone = alone();
    let Some(browser) = browser() else { return };
    let flags = Flags {
        world_seed: Some(SEED),
        zone_width: Some(32),
        zone_height: Some(32),
        monsters_per_zone: Some(10),
        ..Flags::default()
    };
    let host = Host::start("picture", flags);
    let company = bots::Config {
        server: Server::parse(&host.url()).unwrap(),
        count: 8,
        carrier: bots::Carrier::Websocket,
        seconds: EXPLORING.as_secs() + 5,
        commands_per_second: 8,
        joins_per_second: 4,
        behaviour: Behaviour::Play,
        seed: 3,
        threads: 1,
        ledger: false,
        progress: false,
        pulse: None,
    };
    browser.open(&format!("{}/?guest=Ada", host.url()));
    browser.wait("s.connected && s.pos", PATIENCE).expect("the game begins");
    let bots = std::thread::spawn(move || bots::run(&company).unwrap());
    let end = Instant::now() + EXPLORING;
    let mut best = (0, String::new());
    while Instant::now() < end {
        browser.run(WANDER);
        browser.wait("!s.travelling", Duration::from_millis(400));
        let score = browser.run(SCORE).as_u64().unwrap_or(0);
        if score > best.0 {
            best = (score, browser.screenshot());
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screenshot.png");
    fs::write(path, browser.convert(THIN_OUT, &best.1)).unwrap();
    bots.join().unwrap();
}
