//! A headless Chromium, steered through chromedriver: the few WebDriver requests that are needed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Longest time for one answer of chromedriver; starting a browser on a busy machine is slow.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(90);
/// Longest time that a wait inside the page may take before it is asked for again.
const SCRIPT_TIME_MAX: Duration = Duration::from_secs(60);
const FLAGS: [&str; 8] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
];

/// A browser with one window; ends with its value.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    profile: PathBuf,
}

/// The program, wherever the system has put it.
fn program(names: &[&str]) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|path| path.is_file())
}

impl Browser {
    /// Starts one with a fresh profile; `None` if chromium or chromedriver is not installed.
    pub(crate) fn start() -> Option<Self> {
        let chromium = program(&["chromium", "chromium-browser", "google-chrome"])?;
        let chromedriver = program(&["chromedriver"])?;
        let mut driver = Command::new(chromedriver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            line.rsplit_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
        });
        // What it says later is read too, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let profile =
            env::temp_dir().join(format!("undercroft-browser-{}-{number}", std::process::id()));
        let port = port.expect("chromedriver says its port");
        let mut browser = Self { driver, port, session: String::new(), profile };
        let mut flags: Vec<String> = FLAGS.iter().map(|&flag| flag.to_owned()).collect();
        flags.push(format!("--user-data-dir={}", browser.profile.display()));
        let options = json!({ "args": flags, "binary": chromium });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "timeouts": { "script": SCRIPT_TIME_MAX.as_millis() as u64 },
        } } });
        let answer = browser.ask("POST", "/session", &wanted).unwrap();
        browser.session = answer["sessionId"].as_str().unwrap().to_owned();
        browser.resize(1280, 800);
        Some(browser)
    }

    fn resize(&self, width: u32, height: u32) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        let command = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": metrics });
        self.post("goog/cdp/execute", &command).unwrap();
    }

    pub(crate) fn open(&self, url: &str) {
        self.post("url", &json!({ "url": url })).unwrap();
    }

    pub(crate) fn reload(&self) {
        self.post("refresh", &json!({})).unwrap();
    }

    /// Runs the body of a function in the page.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("execute/sync", &json!({ "script": script, "args": [] })).unwrap()
    }

    /// Waits until an expression is true in the page, and returns its value; `None` if it never
    /// was. `s` is `undercroft.state()`.
    pub(crate) fn wait(&self, expression: &str, time_max: Duration) -> Option<Value> {
        let script = format!(
            "const [until, done] = [performance.now() + arguments[0], arguments[1]];
             const look = () => {{
               const s = window.undercroft?.state();
               const found = s && ({expression});
               if (found || performance.now() > until) done(found || null);
               else setTimeout(look, 20);
             }};
             look();"
        );
        let end = Instant::now() + time_max;
        loop {
            let left = end.saturating_duration_since(Instant::now()).min(SCRIPT_TIME_MAX / 2);
            let body = json!({ "script": script, "args": [left.as_millis() as u64] });
            let found = self.post("execute/async", &body).unwrap();
            if !found.is_null() || Instant::now() >= end {
                return Some(found).filter(|value| !value.is_null());
            }
        }
    }

    /// Clicks the element that an expression gives, as a person would.
    pub(crate) fn click(&self, expression: &str) {
        let id = self.element(expression);
        self.post(&format!("element/{id}/click"), &json!({})).unwrap();
    }

    /// Types into the element that an expression gives.
    pub(crate) fn enter(&self, expression: &str, text: &str) {
        let id = self.element(expression);
        self.post(&format!("element/{id}/value"), &json!({ "text": text })).unwrap();
    }

    /// Presses one key after another, wherever the focus is.
    pub(crate) fn press(&self, keys: &str) {
        let each = |key: char| ["keyDown", "keyUp"].map(|t| json!({ "type": t, "value": key }));
        let actions: Vec<Value> = keys.chars().flat_map(each).collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.post("actions", &json!({ "actions": [keyboard] })).unwrap();
    }

    /// The window as a PNG file, in base64.
    pub(crate) fn screenshot(&self) -> String {
        let picture = self.request("GET", "screenshot", &Value::Null).unwrap();
        picture.as_str().unwrap().to_owned()
    }

    /// Gives something in base64 to a script that calls back with the like.
    pub(crate) fn convert(&self, script: &str, base64: &str) -> Vec<u8> {
        let body = json!({ "script": script, "args": [base64] });
        let converted = self.post("execute/async", &body).unwrap();
        STANDARD.decode(converted.as_str().unwrap()).unwrap()
    }

    fn element(&self, expression: &str) -> String {
        let element = self.run(&format!("return {expression};"));
        let found = element.as_object().and_then(|o| o.values().next()?.as_str());
        found.unwrap_or_else(|| panic!("nothing on the page is {expression}")).to_owned()
    }

    fn post(&self, what: &str, body: &Value) -> Result<Value, String> {
        self.request("POST", what, body)
    }

    fn request(&self, method: &str, what: &str, body: &Value) -> Result<Value, String> {
        self.ask(method, &format!("/session/{}/{what}", self.session), body)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(ANSWER_TIME_MAX)).unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (port, length) = (self.port, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let line = line.trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).unwrap();
        let mut answer: Value = serde_json::from_slice(&answer).unwrap();
        let value = answer["value"].take();
        match value["error"].as_str() {
            Some(error) => Err(format!("{method} {path}: {error}: {}", value["message"])),
            None => Ok(value),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // The browser may be gone already.
            let _ = self.ask("DELETE", &format!("/session/{}", self.session), &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}
