//! Commands from the wire, as inputs.

use crate::game::state::Input;
use crate::model::{CharacterId, Command};

/// Numbers the commands of one message. Chat loses control characters.
pub(super) fn commands(
    character: CharacterId,
    first: u32,
    commands: Vec<Command>,
) -> impl Iterator<Item = Input> {
    commands.into_iter().zip(0_u32..).map(move |(command, n)| {
        let number = first.wrapping_add(n);
        let command = if let Command::Chat { text } = command {
            Command::Chat { text: text.chars().filter(|c| !c.is_control()).collect() }
        } else {
            command
        };
        Input::Command { character, number, command }
    })
}
