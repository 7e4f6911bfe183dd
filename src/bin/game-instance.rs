//! An instance: runs zones.

fn main() -> std::process::ExitCode {
    undercroft::app::game_instance::main()
}
