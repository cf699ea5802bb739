//! Words that the processes of one measurement share, and the clock: the parent sets them, the others read them.

use crate::Failure;
use std::fs::OpenOptions;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub const WAIT: u64 = 0;
pub const WARM: u64 = 1;
pub const MEASURE: u64 = 2;
pub const STOP: u64 = 3;
/// The consumers have all.
pub const END: u64 = 4;

const BYTES: usize = 4096;

#[repr(C)]
struct Words {
    phase: AtomicU64,
    start: AtomicU64,
}

/// A mapping of the shared file. It lasts as long as the process.
#[derive(Clone, Copy)]
pub struct Control(&'static Words);

impl Control {
    pub fn open(dir: &Path) -> Result<Control, Failure> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(dir.join("control"))?;
        file.set_len(BYTES as u64)?;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping of a file of this size; it is never unmapped, and any bytes are valid words.
        unsafe {
            let at = libc::mmap(std::ptr::null_mut(), BYTES, protection, libc::MAP_SHARED, file.as_raw_fd(), 0);
            if at == libc::MAP_FAILED {
                return Err(std::io::Error::last_os_error().into());
            }
            Ok(Control(&*(at as *const Words)))
        }
    }

    pub fn phase(&self) -> u64 {
        self.0.phase.load(Ordering::Relaxed)
    }

    pub fn set_phase(&self, phase: u64) {
        self.0.phase.store(phase, Ordering::Release);
    }

    /// The time at which the first record is due.
    pub fn start(&self) -> u64 {
        self.0.start.load(Ordering::Acquire)
    }

    pub fn set_start(&self, at: u64) {
        self.0.start.store(at, Ordering::Release);
    }

    /// Returns when the phase is this one or a later one.
    pub fn wait_for(&self, phase: u64) {
        while self.phase() < phase {
            std::thread::sleep(Duration::from_micros(20));
        }
    }
}

fn clock(which: libc::clockid_t) -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: t is a valid place for the answer.
    unsafe { libc::clock_gettime(which, &mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

/// CLOCK_MONOTONIC in ns, the same for all processes of a host.
pub fn now() -> u64 {
    clock(libc::CLOCK_MONOTONIC)
}

/// The CPU time that this process has used, in ns.
pub fn cpu_time() -> u64 {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}
