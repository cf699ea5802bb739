//! The flags of one measurement.

use crate::{record, Failure};

#[derive(Clone, PartialEq)]
pub enum Work {
    Append,
    Stream,
    Latency,
    Replay,
}

pub struct Settings {
    pub work: Work,
    pub size: usize,
    pub producers: usize,
    pub consumers: usize,
    pub durable: bool,
    pub seconds: f64,
    pub warm: f64,
    /// Records of each producer instead of by time; 0 for by time.
    pub count: u64,
    pub rate: f64,
    pub batch: usize,
    pub verify: bool,
    pub spin: bool,
    pub pin: String,
    pub limit: f64,
}

impl Settings {
    /// Reads flags of the forms -name value, -name=value and, for switches, -name.
    pub fn parse(args: &[String]) -> Result<Settings, Failure> {
        let mut s = Settings {
            work: Work::Stream,
            size: 256,
            producers: 1,
            consumers: 1,
            durable: false,
            seconds: 1.0,
            warm: 0.2,
            count: 0,
            rate: 10_000.0,
            batch: 1,
            verify: true,
            spin: false,
            pin: "none".into(),
            limit: 30.0,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let flag = arg.trim_start_matches('-');
            if flag == arg {
                return Err(format!("unexpected argument {arg:?}").into());
            }
            match flag.split_once('=') {
                Some((name, value)) => s.set(name, value)?,
                None if ["durable", "verify", "spin"].contains(&flag) => s.set(flag, "true")?,
                None => s.set(flag, args.next().ok_or_else(|| format!("-{flag} needs a value"))?)?,
            }
        }
        s.check()?;
        Ok(s)
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<(), Failure> {
        match flag {
            "work" => {
                self.work = match value {
                    "append" => Work::Append,
                    "stream" => Work::Stream,
                    "latency" => Work::Latency,
                    "replay" => Work::Replay,
                    _ => return Err(format!("-work {value:?}: not append, stream, latency or replay").into()),
                }
            }
            "size" => self.size = value.parse()?,
            "producers" => self.producers = value.parse()?,
            "consumers" => self.consumers = value.parse()?,
            "durable" => self.durable = value.parse()?,
            "seconds" => self.seconds = value.parse()?,
            "warm" => self.warm = value.parse()?,
            "count" => self.count = value.parse()?,
            "rate" => self.rate = value.parse()?,
            "batch" => self.batch = value.parse()?,
            "verify" => self.verify = value.parse()?,
            "spin" => self.spin = value.parse()?,
            "pin" => self.pin = value.into(),
            "dir" => {} // nothing is kept
            "limit" => self.limit = value.trim_end_matches('s').parse()?,
            _ => return Err(format!("unknown flag -{flag}").into()),
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Failure> {
        let roles = 1..=64;
        if !(record::HEADER_BYTES..=record::MAX_SIZE).contains(&self.size) {
            return Err(
                format!("-size {}: not from {} to {}", self.size, record::HEADER_BYTES, record::MAX_SIZE).into()
            );
        }
        if !roles.contains(&self.producers) || !roles.contains(&self.consumers) {
            return Err("from 1 to 64 producers and consumers".into());
        }
        if [Work::Latency, Work::Replay].contains(&self.work) && (self.producers, self.consumers) != (1, 1) {
            return Err("latency and replay have one producer and one consumer".into());
        }
        if self.spin && self.work != Work::Latency {
            return Err("-spin is for -work latency".into());
        }
        if !["none", "same", "apart"].contains(&self.pin.as_str()) {
            return Err(format!("-pin {:?}: not none, same or apart", self.pin).into());
        }
        if self.batch < 1 || self.rate <= 0.0 || self.seconds <= 0.0 || self.warm < 0.0 || self.limit <= 0.0 {
            return Err("-batch, -rate, -seconds and -limit must be above 0, -warm not below".into());
        }
        Ok(())
    }

    /// Whether a side with nothing to do may poll without giving way.
    pub fn polls(&self) -> bool {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        match self.work {
            Work::Latency => self.spin,
            _ => self.pin != "same" && self.producers + self.consumers <= cores,
        }
    }

    /// Records of the latency schedule that are not counted.
    pub fn warm_records(&self) -> u64 {
        (self.rate * self.warm) as u64
    }
}
