//! A gateway: ends players' connections.

fn main() -> std::process::ExitCode {
    undercroft::app::connection::main()
}
