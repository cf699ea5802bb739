//! The records. One is, little-endian,
//!
//! ```text
//!  0  8  xxhash64 (seed 0) of all that follows, or 0 if nobody is to check it
//!  8  8  producer << 48 | sequence number from 0
//! 16  8  time due in ns (latency) or 0; the top bit marks the producer's last record
//! 24     filler, which differs from record to record
//! ```

use crate::Failure;
use xxhash_rust::xxh64::xxh64;

pub const HEADER_BYTES: usize = 24;
pub const MAX_SIZE: usize = 1 << 20;
const SEQUENCE_BITS: u32 = 48;
const LAST_MARK: u64 = 1 << 63;
const FILLER_BLOCK: usize = 1 << 16;
const FILLER_STEP: usize = 4093 * 8; // odd multiple of 8: visits every eighth place of the block

/// Makes the records of one producer.
pub struct Maker {
    hash: bool,
    filler: Vec<u8>,
}

impl Maker {
    pub fn new(size: usize, hash: bool) -> Maker {
        let mut word = 1u64;
        let filler = (0..FILLER_BLOCK + size)
            .map(|_| {
                word ^= word << 13;
                word ^= word >> 7;
                word ^= word << 17;
                (word >> 32) as u8
            })
            .collect();
        Maker { hash, filler }
    }

    /// Writes a record that fills dst.
    pub fn put(&self, dst: &mut [u8], producer: usize, sequence: u64, due: u64, last: bool) {
        let from = (sequence as usize).wrapping_mul(FILLER_STEP) % FILLER_BLOCK;
        let filler = dst.len() - HEADER_BYTES;
        dst[8..16].copy_from_slice(&((producer as u64) << SEQUENCE_BITS | sequence).to_le_bytes());
        dst[16..24].copy_from_slice(&(due | if last { LAST_MARK } else { 0 }).to_le_bytes());
        dst[HEADER_BYTES..].copy_from_slice(&self.filler[from..from + filler]);
        let sum = if self.hash { xxh64(&dst[8..], 0) } else { 0 };
        dst[..8].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Checks that each producer's records come unchanged, once, and in order.
pub struct Checker {
    size: usize,
    hash: bool,
    next: Vec<Option<u64>>, // sequence number, by producer; None after the last one
    waiting: usize,         // producers whose last record is to come
    pub count: u64,
}

impl Checker {
    pub fn new(size: usize, producers: usize, hash: bool) -> Checker {
        Checker { size, hash, next: vec![Some(0); producers], waiting: producers, count: 0 }
    }

    pub fn done(&self) -> bool {
        self.waiting == 0
    }

    /// Checks a record and returns the time at which it was due.
    pub fn take(&mut self, record: &[u8]) -> Result<u64, Failure> {
        if record.len() != self.size {
            return Err(format!("record {} has {} bytes instead of {}", self.count, record.len(), self.size).into());
        }
        let word = |at: usize| u64::from_le_bytes(record[at..at + 8].try_into().unwrap());
        if self.hash && xxh64(&record[8..], 0) != word(0) {
            return Err(format!("record {} is corrupt: its hash differs", self.count).into());
        }
        let (producer, sequence) = ((word(8) >> SEQUENCE_BITS) as usize, word(8) & ((1 << SEQUENCE_BITS) - 1));
        match self.next.get_mut(producer) {
            None => return Err(format!("record {} is corrupt: there is no producer {producer}", self.count).into()),
            Some(next) if *next != Some(sequence) => {
                return Err(format!("producer {producer}: record {sequence} is out of order, expected {next:?}").into())
            }
            Some(next) => *next = (word(16) & LAST_MARK == 0).then_some(sequence + 1),
        }
        self.count += 1;
        if word(16) & LAST_MARK != 0 {
            self.waiting -= 1;
        }
        Ok(word(16) & !LAST_MARK)
    }
}
