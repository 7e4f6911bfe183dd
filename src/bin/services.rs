//! Accounts and what else outlives a zone.

fn main() -> std::process::ExitCode {
    undercroft::app::services::main()
}
