//! Each kernel beside its twin. Without a device they say so and pass, unless `REQUIRE_GPU` is set.

mod distance;
mod environment;

use std::io::Write;
use std::sync::{Arc, LazyLock};

use super::device::Device;

/// The device that tests share, if there is one.
pub(in crate::sim) fn device() -> Option<Arc<Device>> {
    static DEVICE: LazyLock<Option<Arc<Device>>> = LazyLock::new(|| Some(Arc::new(open()?)));
    DEVICE.clone()
}

/// A device that a test has to itself, if there is one.
pub(crate) fn open() -> Option<Device> {
    let opened = Device::open();
    if let Err(error) = &opened {
        assert!(std::env::var_os("REQUIRE_GPU").is_none(), "no graphics device: {error:?}");
        // Past the harness, which keeps what passing tests say to itself.
        let said = b"skipped: kernels on a graphics device: there is none\n";
        std::io::stderr().write_all(said).unwrap();
    }
    opened.ok()
}

/// Fails at the first cell in which a plane on the device differs from the one of the reference.
pub(in crate::sim) fn compare<T: PartialEq + std::fmt::Debug>(
    kernel: &str,
    (zone, width): (usize, usize),
    tick: u64,
    expected: &[T],
    found: &[T],
) {
    assert_eq!(expected.len(), found.len());
    if let Some(cell) = (0..expected.len()).find(|&cell| expected[cell] != found[cell]) {
        panic!(
            "{kernel}, zone {zone}, tick {tick}, cell {cell} ({}, {}): {:?} in the reference, {:?} on \
             the device",
            cell % width,
            cell / width,
            expected[cell],
            found[cell]
        );
    }
}
