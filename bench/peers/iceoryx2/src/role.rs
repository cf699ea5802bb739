//! A producer or a consumer: what it sends or checks, and what it reports. It ends when its parent does.

use crate::control::{cpu_time, now, Control, END, MEASURE, STOP, WARM};
use crate::record::{Checker, Maker};
use crate::settings::{Settings, Work};
use crate::{iox, session, Failure};
use hdrhistogram::Histogram;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

const SPIN_NS: u64 = 200_000; // before a record is due, for sleeping is later than asked for
const LONGEST_NS: u64 = 60_000_000_000; // what is later counts as this

/// Plays the role that the parent asked for, as "kind:index", and prints its report.
pub fn play(settings: &Settings, which: &str) -> Result<(), Failure> {
    let (kind, index) = which.split_once(':').ok_or("no role")?;
    let dir = PathBuf::from(std::env::var("MLOG_BENCH_SHARED")?);
    end_with_parent(dir.clone());
    // SAFETY: it changes only how exactly this thread's sleeps end.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1, 0, 0, 0) };
    let control = Control::open(&dir)?;
    let report = match kind {
        "producer" => {
            let mut producer = Producer::new(settings, control, index.parse()?);
            iox::produce(settings, &dir, &mut producer)?;
            producer.span.report()
        }
        _ => {
            let mut consumer = Consumer::new(settings, control)?;
            iox::consume(settings, &dir, &mut consumer)?;
            consumer.report()
        }
    };
    println!("report {report}");
    Ok(())
}

/// Ends this process when the parent closes its end of the standard input, which its death does too.
fn end_with_parent(dir: PathBuf) {
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        session::remove(&dir);
        std::process::exit(1);
    });
}

/// What a role did while it was measured.
#[derive(Default)]
struct Span {
    counted: bool,
    finished: bool,
    start: u64,
    end: u64,
    first: u64,
    records: u64,
    cpu: u64,
}

impl Span {
    fn begin(&mut self, records: u64) {
        (self.start, self.first, self.cpu) = (now(), records, cpu_time());
    }

    /// Begins anew when the warm-up is over. It is called with each record.
    #[inline]
    fn look(&mut self, phase: u64, records: u64) {
        if phase >= MEASURE && !self.counted {
            self.counted = true;
            if phase == MEASURE && records > 0 {
                self.begin(records);
            }
        }
    }

    /// Counts until now. Only the first call does.
    fn finish(&mut self, records: u64) {
        if !self.finished {
            self.finished = true;
            (self.end, self.records, self.cpu) = (now(), records - self.first, cpu_time() - self.cpu);
        }
    }

    fn report(&self) -> String {
        format!("start={} end={} records={} cpu={}", self.start, self.end, self.records, self.cpu)
    }
}

/// Makes the records of one producer.
pub struct Producer<'a> {
    settings: &'a Settings,
    control: Control,
    index: usize,
    maker: Maker,
    span: Span,
    start: u64,
    sequence: u64,
    due: u64,
    ended: bool,
}

impl<'a> Producer<'a> {
    fn new(settings: &'a Settings, control: Control, index: usize) -> Producer<'a> {
        let maker = Maker::new(settings.size, settings.verify);
        Producer { settings, control, index, maker, span: Span::default(), start: 0, sequence: 0, due: 0, ended: false }
    }

    /// Says that this producer is connected, and returns at the common start.
    pub fn ready(&mut self) {
        println!("ready");
        self.control.wait_for(WARM);
        self.start = self.control.start();
        self.span.begin(0);
    }

    /// Whether another record is to be sent, when it is due; then `fill` must be called.
    #[inline]
    pub fn more(&mut self) -> bool {
        if self.ended {
            return false;
        }
        let s = self.settings;
        let phase = self.control.phase();
        if s.work == Work::Latency {
            self.due = self.start + (self.sequence as f64 * 1e9 / s.rate) as u64;
            self.wait();
            self.ended = self.sequence + 1 >= s.warm_records() + ((s.rate * s.seconds) as u64).max(1);
        } else {
            self.ended = phase >= STOP || s.count > 0 && self.sequence + 1 >= s.count;
        }
        self.span.look(phase, self.sequence);
        true
    }

    /// Whether the record that was filled is the last one.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Writes the record into dst, which has its size.
    #[inline]
    pub fn fill(&mut self, dst: &mut [u8]) {
        self.maker.put(dst, self.index, self.sequence, self.due, self.ended);
        self.sequence += 1;
    }

    fn wait(&self) {
        let left = self.due.saturating_sub(now());
        if self.settings.pin == "same" {
            std::thread::sleep(Duration::from_nanos(left)); // the consumer is to run on this core
        } else if left > 2 * SPIN_NS {
            std::thread::sleep(Duration::from_nanos(left - SPIN_NS));
        }
        while now() < self.due {
            std::hint::spin_loop();
        }
    }

    /// Ends the measured time, and waits until the consumers have all.
    pub fn finish(&mut self) {
        self.span.finish(self.sequence);
        self.control.wait_for(END);
    }
}

/// Checks the records that one consumer gets.
pub struct Consumer<'a> {
    settings: &'a Settings,
    control: Control,
    checker: Checker,
    span: Span,
    latencies: Option<Histogram<u64>>,
}

impl<'a> Consumer<'a> {
    fn new(settings: &'a Settings, control: Control) -> Result<Consumer<'a>, Failure> {
        let latencies = match settings.work {
            Work::Latency => Some(Histogram::new_with_bounds(1, LONGEST_NS, 3)?),
            _ => None,
        };
        let checker = Checker::new(settings.size, settings.producers, settings.verify);
        Ok(Consumer { settings, control, checker, span: Span::default(), latencies })
    }

    /// Says that this consumer gets all that is sent from now on, and returns at the common start.
    pub fn ready(&mut self) {
        println!("ready");
        self.control.wait_for(WARM);
        self.span.begin(0);
    }

    pub fn done(&self) -> bool {
        self.checker.done()
    }

    /// Checks a record.
    #[inline]
    pub fn take(&mut self, record: &[u8]) -> Result<(), Failure> {
        if self.latencies.is_none() {
            self.span.look(self.control.phase(), self.checker.count);
        }
        let due = self.checker.take(record)?;
        if let Some(latencies) = &mut self.latencies {
            let warm = self.settings.warm_records();
            if self.checker.count == warm + 1 {
                self.span.begin(warm);
            }
            if self.checker.count > warm {
                latencies.record(now().saturating_sub(due).clamp(1, LONGEST_NS))?;
            }
        }
        if self.checker.done() {
            self.span.finish(self.checker.count);
        }
        Ok(())
    }

    fn report(&self) -> String {
        let Some(h) = &self.latencies else {
            return self.span.report();
        };
        let at = |quantile| h.value_at_quantile(quantile);
        format!(
            "{} count={} p50={} p90={} p99={} p999={} p9999={} max={}",
            self.span.report(),
            h.len(),
            at(0.5),
            at(0.9),
            at(0.99),
            at(0.999),
            at(0.9999),
            h.max()
        )
    }
}
