//! The whole game through a real browser: the page's own controls, once over each carrier.
//!
//! Needs chromium and chromedriver; without them it says so and passes, unless `REQUIRE_BROWSER=1`
//! is set. `BLESS_SCREENSHOT=1` makes the README's picture anew.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod friend;
mod picture;
mod webdriver;

use std::io::{Write, stderr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{env, fs};

use serde_json::Value;
use undercroft::app::config::{Config, Flags};
use undercroft::app::dev::{self, Running};

use friend::{Friend, GREETING};
use webdriver::Browser;

/// Long enough for a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);
const ENTER: &str = "\u{E007}";
const ESCAPE: &str = "\u{E00C}";
/// Somebody else who looks for a duel, by the API alone.
const RIVAL: &str = "
    const ask = (method, path, body) => fetch(path, {
        method, body, headers: {
            'Content-Type': 'application/json', 'Idempotency-Key': 'rival',
            'Authorization': 'Bearer TOKEN',
        },
    }).then((answer) => answer.json());
    const tickets = '/api/matchmaking/tickets';
    ask('POST', tickets, JSON.stringify({ character: 'CHARACTER', mode: 'duel' })).then((made) => {
        const look = async () => {
            const seen = await ask('GET', `${tickets}/${made.ticket}`);
            if (seen.state === 'allocated') await ask('POST', `${tickets}/${made.ticket}/take-up`);
            if (seen.allocation?.progress['CHARACTER'] !== 'arrived') setTimeout(look, 200);
        };
        look();
    });";
const PRIMARY: &str = "document.querySelector('#start-body .primary')";

/// A server that can be stopped and started again on the same ports and data.
struct Host {
    config: Config,
    running: Option<Running>,
}

impl Host {
    fn start(name: &str, flags: Flags) -> Self {
        let folder = env::temp_dir().join(format!("undercroft-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let any = Some(([127, 0, 0, 1], 0).into());
        let flags = Flags { data: Some(folder), web: any, quic: any, admin: any, ..flags };
        let mut config = Config::load(&flags).unwrap();
        config.requests_per_minute = 10_000;
        let running = dev::start(&config).unwrap();
        (config.web, config.quic, config.admin) = (running.web, running.quic, running.admin);
        Self { config, running: Some(running) }
    }

    fn url(&self) -> String {
        format!("http://{}", self.config.web)
    }

    fn stop(&mut self) {
        self.running.take().unwrap().stop().unwrap();
    }

    fn start_again(&mut self) {
        self.running = Some(dev::start(&self.config).unwrap());
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // A test that has failed already says why.
            let _ = running.stop();
        }
        let _ = fs::remove_dir_all(&self.config.data);
    }
}

/// One browser at a time: two of them would starve each other.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn browser() -> Option<Browser> {
    let browser = Browser::start();
    if browser.is_none() {
        let missing = "browser: chromium or chromedriver is not installed";
        assert!(env::var_os("REQUIRE_BROWSER").is_none(), "{missing}");
        // Past the harness, which would keep it to itself.
        stderr().write_all(format!("skipped: {missing}\n").as_bytes()).unwrap();
    }
    browser
}

fn button(label: &str) -> String {
    format!(
        "[...document.querySelectorAll('#start button')].find((b) => b.textContent.includes('{label}'))"
    )
}

fn field(name: &str) -> String {
    format!("document.querySelector('#start-body input[name={name}]')")
}

/// One person at one page.
struct Visit<'a> {
    browser: &'a Browser,
    host: Host,
}

impl Visit<'_> {
    fn expect(&self, what: &str, expression: &str) -> Value {
        self.browser.wait(expression, PATIENCE).unwrap_or_else(|| {
            let seen = self
                .browser
                .run("return JSON.stringify(undercroft.state()) + document.body.innerText;");
            panic!("the page never came to this: {what} ({expression}); it shows {seen}")
        })
    }

    fn state(&self) -> Value {
        self.browser.run("return undercroft.state();")
    }

    /// Walks a step in whatever direction leads somewhere.
    fn walk(&self) {
        let before = self.state()["pos"].clone();
        let moved = format!("s.pos.x !== {} || s.pos.y !== {}", before["x"], before["y"]);
        let walked = "hjklyubn".chars().any(|key| {
            self.browser.press(&key.to_string());
            self.browser.wait(&moved, Duration::from_secs(1)).is_some()
        });
        assert!(walked, "no key moves the character away from {before}");
    }

    fn enter_as_guest(&self, carrier: &str) {
        self.browser.open(&format!("{}/?transport={carrier}", self.host.url()));
        self.expect("the start screen", PRIMARY);
        self.browser.enter(&field("name"), "Ada");
        self.browser.click(PRIMARY);
        self.expect("the game", "s.connected && s.pos && s.name === 'Ada' && s.knownCells > 10");
        assert_eq!(self.state()["transport"], carrier);
        let painted = "(() => { const c = document.getElementById('view'); const p = \
            c.getContext('2d')?.getImageData(0, 0, c.width, c.height).data; \
            return p?.some((v, i) => i % 4 !== 3 && v > 60); })()";
        self.expect("a picture", painted);
    }

    fn meet(&self) {
        let friend = Friend::join(&self.host.url());
        let seen = "s.actors.find((a) => a.kind === 0)";
        let first = self.expect("another player", seen);
        let id = &first["id"];
        let (x, y) = (&first["x"], &first["y"]);
        let away = format!("s.actors.some((a) => a.id === {id} && (a.x !== {x} || a.y !== {y}))");
        self.expect("the other player moves", &away);
        self.expect("a greeting", &format!("s.log.some((line) => line.includes('{GREETING}'))"));
        self.browser.press(ENTER);
        let chat = "document.getElementById('chat-text')";
        self.expect("the line to type in", &format!("document.activeElement === {chat}"));
        self.browser.enter(chat, &format!("to the stairs{ENTER}"));
        assert!(friend.hears("to the stairs", PATIENCE), "the other player hears what is said");
    }

    /// Finds somebody to fight with a key, and has beaten who goes away.
    fn fight_a_duel(&self) {
        let friend = Friend::join(&self.host.url());
        self.browser.press("m");
        let line = |text: &str| format!("s.log.some((line) => line.includes('{text}'))");
        self.expect("a line about looking", &line("You look for an opponent"));
        self.browser.run(
            &RIVAL
                .replace("TOKEN", &friend.login.token)
                .replace("CHARACTER", &friend.login.character.to_string()),
        );
        self.expect("the arena", &format!("s.zone === 1001 && {}", line("The match begins!")));
        drop(friend);
        self.expect("the way home", &format!("s.zone === 1 && {}", line("The match is won")));
    }

    /// Lays something down by the pack's menu and picks it up again.
    fn handle_things(&self) {
        let pack = self.expect("a pack", "s.inventory.length && s.inventory");
        let item = pack.as_array().unwrap().last().unwrap();
        let (slot, look) = (item["slot"].as_u64().unwrap(), &item["look"]);
        let letter = char::from(b'a' + u8::try_from(slot).unwrap());
        self.browser.press(&format!("i{letter}"));
        self.expect("the menu", "!document.getElementById('menu').hidden");
        self.browser.press("d");
        let held = format!("s.inventory.some((item) => item.look === {look})");
        self.expect("it is gone", &format!("!{held}"));
        // On stairs things slide to the next cell: exploring goes there and takes what lies about.
        self.browser.press("x");
        self.expect("it is back", &held);
        self.browser.press(ESCAPE);
        self.expect("a stop", "!s.travelling && s.waiting === 0");
    }

    fn reload(&self) {
        let before = self.state();
        self.browser.reload();
        let same = format!(
            "s.connected && s.pos && s.session === {} && s.character === {}",
            before["session"], before["character"]
        );
        self.expect("the same session after a reload", &same);
        assert_eq!(self.state()["pos"], before["pos"]);
    }

    fn outlive_a_restart(&mut self) {
        let before = self.state();
        self.host.stop();
        let told = "!s.connected && !document.getElementById('banner').hidden";
        self.expect("word that the connection is lost", told);
        self.host.start_again();
        let on = format!("s.connected && s.character === {} && s.pos", before["character"]);
        self.expect("the game goes on", &on);
        let newer = format!(
            "s.tick > {} && document.getElementById('banner').hidden && s.pos",
            before["tick"]
        );
        assert_eq!(self.expect("a new picture", &newer), before["pos"]);
        self.walk();
    }

    /// Explores until stairs are known, and takes them.
    fn go_down(&self) {
        let down = "s.depth === 2 && s.pos";
        for _ in 0..40 {
            self.browser.press(">");
            self.browser.wait(&format!("!s.travelling || ({down})"), PATIENCE);
            if self.browser.wait(down, Duration::from_secs(1)).is_some() {
                return;
            }
            self.browser.press("x");
            self.browser.wait("!s.travelling", Duration::from_secs(2));
        }
        self.expect("the second floor", down);
    }

    fn register_and_log_in(&self, carrier: &str) {
        let [name, password] = [format!("smith-{carrier}"), "correct horse".to_owned()];
        self.browser.click("document.getElementById('leave-button')");
        self.expect("the start screen again", PRIMARY);
        self.browser.click(&button("Register"));
        self.browser.enter(&field("name"), &name);
        self.browser.enter(&field("password"), &password);
        self.browser.click(PRIMARY);
        self.expect("the characters", "document.querySelector('.people')");
        if self.browser.run("return !document.querySelector('.people li')") == true {
            self.browser.enter(&field("name"), "Grace");
            self.browser.click(PRIMARY);
        } else {
            self.browser.click("document.querySelector('.people button')");
        }
        self.expect("the game of the new account", "s.connected && s.pos");
        let character = self.state()["character"].clone();

        self.browser.click("document.getElementById('leave-button')");
        self.expect("the start screen", PRIMARY);
        self.browser.click(&button("Characters of"));
        self.expect("the characters", "document.querySelector('.people li')");
        self.browser.click(&button("Log out"));
        self.expect("nobody is logged in", &format!("!({})", button("Characters of")));
        self.browser.click(&button("Log in"));
        self.browser.enter(&field("name"), &name);
        self.browser.enter(&field("password"), "wrong password");
        self.browser.click(PRIMARY);
        self.expect("a refusal", "document.getElementById('start-error').textContent");
        self.browser.run(&format!("{}.value = ''", field("password")));
        self.browser.enter(&field("password"), &password);
        self.browser.click(PRIMARY);
        self.expect("the characters", "document.querySelector('.people li')");
        self.browser.click("document.querySelector('.people button')");
        self.expect("the same character", &format!("s.connected && s.character === {character}"));
    }
}

fn play_over(carrier: &str) {
    let _alone = alone();
    let Some(browser) = browser() else { return };
    let flags = Flags {
        world_seed: Some(7),
        zone_width: Some(32),
        zone_height: Some(32),
        monsters_per_zone: Some(0),
        ..Flags::default()
    };
    let host = Host::start(&format!("browser-{carrier}"), flags);
    let mut visit = Visit { browser: &browser, host };
    visit.enter_as_guest(carrier);
    visit.walk();
    visit.meet();
    visit.fight_a_duel();
    visit.handle_things();
    visit.reload();
    visit.outlive_a_restart();
    visit.go_down();
    visit.register_and_log_in(carrier);
}

#[test]
fn the_game_is_played_over_webtransport() {
    play_over("webtransport");
}

#[test]
fn the_game_is_played_over_websocket() {
    play_over("websocket");
}
