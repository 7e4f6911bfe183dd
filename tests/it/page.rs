//! The page in a real browser, on a cluster whose parts die.

use std::io::{Write, stderr};
use std::time::Duration;

use undercroft::model::{InstanceId, ZoneId};

use crate::rig::cluster::{Cluster, Part};
use crate::webdriver::Browser;

const PATIENCE: Duration = Duration::from_secs(30);
const PRIMARY: &str = "document.querySelector('#start-body .primary')";

#[test]
fn a_page_plays_on_while_its_gateway_and_its_instance_are_killed() {
    let Some(mut cluster) = Cluster::start("page", 2, 2) else { return };
    let Some(browser) = Browser::start() else {
        assert!(std::env::var_os("REQUIRE_BROWSER").is_none(), "there is no browser");
        // Past the harness, which keeps what a test prints.
        let said = b"skipped: the page on a cluster: chromium or chromedriver is not installed\n";
        return stderr().write_all(said).unwrap();
    };
    cluster.wait_for_gateways(2);
    let expect = |what: &str, expression: &str| {
        browser.wait(expression, PATIENCE).unwrap_or_else(|| {
            let seen = browser.run("return JSON.stringify(undercroft.state());");
            panic!("the page never came to this: {what} ({expression}); it shows {seen}")
        })
    };
    let state = || browser.run("return undercroft.state();");
    for carrier in ["websocket", "webtransport"] {
        browser.open(&format!("http://{}/?new&transport={carrier}", cluster.at().web));
        expect("the start screen", PRIMARY);
        browser.enter("document.querySelector('#start-body input[name=name]')", "Ada");
        browser.click(PRIMARY);
        expect("the game", "s.connected && s.pos && s.knownCells > 10");
        assert_eq!(state()["transport"], carrier);
        let session = state()["session"].clone();
        let goes_on = |what: &str| {
            let tick = state()["tick"].clone();
            expect(what, &format!("s.connected && s.session === {session} && s.tick > {tick}"));
        };

        let owner = cluster.owner(&cluster.connect(), ZoneId(1));
        let other = InstanceId(if owner.0 == 1 { 2 } else { 1 });
        cluster.kill(Part::Instance(owner.0));
        let nats = cluster.connect();
        crate::rig::eventually("the other owner", || {
            (cluster.owner(&nats, ZoneId(1)) == other).then_some(())
        });
        goes_on("the picture moves on after an instance was killed");
        cluster.run(Part::Instance(owner.0));

        // It was on one of the two; one after the other dies and comes back.
        for gateway in [1, 2] {
            cluster.kill(Part::Gateway(gateway));
            goes_on("the page is back after a gateway was killed");
            cluster.run(Part::Gateway(gateway));
        }
    }
    drop(browser);
    cluster.verify();
}
