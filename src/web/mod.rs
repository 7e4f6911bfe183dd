//! The browser client: plain ES modules, compiled into the binary as they are.
//!
//! [`ASSETS`] is all there is; `main.js` is where the page begins. The client draws what frames
//! tell it and sends commands; it must never decide anything that the server does not check.

/// One file of the browser client.
#[derive(Debug)]
pub struct Asset {
    /// Where it is served: `/index.html`, which is the root as well, or `/assets/...`.
    pub path: &'static str,
    pub content_type: &'static str,
    pub body: &'static [u8],
}

macro_rules! assets {
    ($($path:literal $file:literal $content_type:expr;)*) => {
        /// Every file of the browser client.
        pub const ASSETS: &[Asset] = &[$(Asset {
            path: $path,
            content_type: $content_type,
            body: include_bytes!($file),
        }),*];
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";
const JS: &str = "text/javascript; charset=utf-8";

assets! {
    "/index.html" "index.html" HTML;
    "/assets/style.css" "style.css" CSS;
    "/assets/icon.svg" "icon.svg" SVG;
    "/assets/api.js" "api.js" JS;
    "/assets/autopilot.js" "autopilot.js" JS;
    "/assets/bits.js" "bits.js" JS;
    "/assets/content.js" "content.js" JS;
    "/assets/debug.js" "debug.js" JS;
    "/assets/fov.js" "fov.js" JS;
    "/assets/frame.js" "frame.js" JS;
    "/assets/hud.js" "hud.js" JS;
    "/assets/input.js" "input.js" JS;
    "/assets/main.js" "main.js" JS;
    "/assets/matchmaker.js" "matchmaker.js" JS;
    "/assets/pace.js" "pace.js" JS;
    "/assets/pack.js" "pack.js" JS;
    "/assets/path.js" "path.js" JS;
    "/assets/protocol.js" "protocol.js" JS;
    "/assets/screens.js" "screens.js" JS;
    "/assets/session.js" "session.js" JS;
    "/assets/transport.js" "transport.js" JS;
    "/assets/world.js" "world.js" JS;
    "/assets/draw/actors.js" "draw/actors.js" JS;
    "/assets/draw/effects.js" "draw/effects.js" JS;
    "/assets/draw/fluids.js" "draw/fluids.js" JS;
    "/assets/draw/icons.js" "draw/icons.js" JS;
    "/assets/draw/light.js" "draw/light.js" JS;
    "/assets/draw/minimap.js" "draw/minimap.js" JS;
    "/assets/draw/noise.js" "draw/noise.js" JS;
    "/assets/draw/renderer.js" "draw/renderer.js" JS;
    "/assets/draw/tiles.js" "draw/tiles.js" JS;
}
