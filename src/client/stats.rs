//! What a client counts.

use std::time::Duration;

/// Counters since the client was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Frames that were newer than all before them.
    pub frames: u64,
    /// Frames that came too late to show.
    pub late_frames: u64,
    pub keyframes: u64,
    /// Other actors in view, summed over `frames`, and how many of them had moved since the frame
    /// before.
    pub actors: u64,
    pub actors_moved: u64,
    /// Frames whose hash did not match.
    pub hash_errors: u64,
    /// Frames that built on one that was lost.
    pub missing_baselines: u64,
    /// Messages that could not be read.
    pub broken_messages: u64,
    /// Welcomes, the first included.
    pub welcomes: u64,
    /// Welcomes after the first.
    pub resumes: u64,
    /// Welcomes that knew fewer commands than frames had acknowledged before: lost commands.
    pub rollbacks: u64,
    /// Commands taken; one that is sent again counts once.
    pub commands: u64,
    /// Commands covered by a frame or a Welcome.
    pub acknowledged: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Of the newest answered ping.
    pub round_trip: Option<Duration>,
}

/// Durations noted since they were last taken, in microseconds, at most
/// [`Samples::KEPT_MAX`] of each; further ones are not noted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    /// From a command to the first frame that covers it.
    pub command_to_frame: Vec<u32>,
    /// Between two frames of one connection.
    pub frame_intervals: Vec<u32>,
}

impl Samples {
    pub const KEPT_MAX: usize = 4_096;

    pub(super) fn note(list: &mut Vec<u32>, duration: Duration) {
        if list.len() < Self::KEPT_MAX {
            list.push(u32::try_from(duration.as_micros()).unwrap_or(u32::MAX));
        }
    }
}
