//! Why a server ends a connection.

use super::DecodeError;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $label:literal, $text:literal;)*) => {
        /// Why a connection ends; the number is the WebSocket close code minus 4000 and the QUIC
        /// application error code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum CloseReason { $($(#[$doc])* $name = $number),* }

        impl CloseReason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The value of the `reason` label of metrics.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label),* }
            }

            /// One sentence for the player.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

reasons! {
    /// The client said goodbye.
    Goodbye = 0, "goodbye", "goodbye";
    Malformed = 1, "malformed", "the client sent something that is not a message";
    TooLarge = 2, "too_large", "the client sent a message that is too large";
    Version = 3, "version", "this client speaks another version; reload the page or update it";
    Unauthenticated = 4, "unauthenticated", "the token is missing, forged or expired; log in again";
    NoCharacter = 5, "no_character", "the account has no such character";
    /// Another connection took the session over.
    Superseded = 6, "superseded", "the character was taken over by another connection";
    Flooding = 7, "flooding", "the client sent more than the server takes; slow down";
    TooSlow = 8, "too_slow", "the client reads too slowly";
    Idle = 9, "idle", "nothing was heard from the client for too long";
    Full = 10, "full", "the server is full; try again later";
    Draining = 11, "draining", "the server is restarting; connect again";
    Internal = 12, "internal", "the server met a problem of its own; connect again";
    OutOfOrder = 13, "out_of_order", "the client sent a message that does not belong there";
    Banned = 14, "banned", "the account or the address is banned";
    /// By an admin; the player may come back.
    Kicked = 15, "kicked", "an admin has closed the connection";
    /// Joins are limited, or nobody new is let in for a while.
    Later = 16, "later", "nobody is let in here at this moment; try again later";
}

impl CloseReason {
    /// The reason of a number.
    pub fn from_number(number: u8) -> Result<Self, DecodeError> {
        Self::ALL
            .iter()
            .copied()
            .find(|&r| r as u8 == number)
            .ok_or(DecodeError::Unknown { what: "close reason", number: number.into() })
    }

    /// Whether a client that reconnects with its session may go on where it was.
    #[must_use]
    pub const fn is_temporary(self) -> bool {
        matches!(
            self,
            Self::Draining | Self::Internal | Self::TooSlow | Self::Idle | Self::Full | Self::Later
        )
    }
}
