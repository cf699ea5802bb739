//! The parent's side of one measurement.

use crate::control::{now, Control, END, MEASURE, STOP, WAIT, WARM};
use crate::settings::{Settings, Work};
use crate::{iox, Failure};
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::time::{Duration, Instant};

type Report = HashMap<String, u64>;

/// What a role said: nothing but its being ready, its report, or why there is none.
struct Event {
    index: usize,
    said: Result<Option<Report>, String>,
}

/// Makes the measurement and prints its result.
pub fn measure(s: &Settings, args: &[String]) -> Result<(), Failure> {
    let inapplicable = match s.work {
        _ if s.durable => "iceoryx2 keeps nothing",
        Work::Append | Work::Replay => "iceoryx2 keeps nothing",
        _ if s.batch > 1 => "it takes records one by one",
        _ => "",
    };
    if !inapplicable.is_empty() {
        println!("{{{},\"inapplicable\":\"{inapplicable}\"}}", head(s));
        return Ok(());
    }
    let dir = PathBuf::from(format!("/dev/shm/mlog-bench-iox-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    let mut roles = Roles { children: Vec::new(), dir: dir.clone() };
    end_on_signal(dir.clone());
    let services = iox::open(s, &dir)?;
    let reports = roles.run(s, args, &Control::open(&dir)?)?;
    drop(services);
    drop(roles);
    println!("{}", result(s, &reports)?);
    Ok(())
}

/// Removes what the measurement left, however it ended.
pub fn remove(dir: &Path) {
    let _ = std::fs::remove_dir_all(dir);
    let prefix = iox::prefix(dir);
    for entry in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Has this process end in order when it is asked to. The roles end when their standard input does.
fn end_on_signal(dir: PathBuf) {
    // SAFETY: the set is initialized by sigemptyset, and the mask is this thread's, inherited by those to come.
    let set = unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGINT);
        libc::sigaddset(&mut set, libc::SIGTERM);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        set
    };
    std::thread::spawn(move || {
        let mut signal = 0;
        // SAFETY: both places are valid for the call.
        unsafe { libc::sigwait(&set, &mut signal) };
        remove(&dir);
        std::process::exit(1);
    });
}

/// The processes of a measurement; dropping it ends them.
struct Roles {
    children: Vec<Child>,
    dir: PathBuf,
}

impl Drop for Roles {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        remove(&self.dir);
    }
}

impl Roles {
    /// Starts producers and consumers, and returns what they report, in that order.
    fn run(&mut self, s: &Settings, args: &[String], control: &Control) -> Result<Vec<Report>, Failure> {
        control.set_phase(WAIT);
        let limit = Instant::now() + Duration::from_secs_f64(s.limit);
        let (tx, rx) = channel();
        for i in 0..s.producers {
            self.start(format!("producer:{i}"), s, args, &tx)?;
        }
        for i in 0..s.consumers {
            self.start(format!("consumer:{i}"), s, args, &tx)?;
        }
        for _ in 0..s.producers + s.consumers {
            next(&rx, limit)?;
        }
        conduct(s, control);
        let mut reports = vec![Report::new(); s.producers + s.consumers];
        let mut consumers = s.consumers;
        for _ in 0..s.producers + s.consumers {
            let (index, report) = next(&rx, limit)?;
            reports[index] = report.ok_or("a role was ready twice")?;
            consumers -= (index >= s.producers) as usize;
            if consumers == 0 {
                control.set_phase(END);
            }
        }
        Ok(reports)
    }

    fn start(&mut self, role: String, s: &Settings, args: &[String], tx: &Sender<Event>) -> Result<(), Failure> {
        let program = std::env::current_exe()?;
        let mut command = if s.pin == "none" { Command::new(&program) } else { Command::new("taskset") };
        if s.pin != "none" {
            let core = if s.pin == "apart" && role.starts_with("consumer") { "1" } else { "0" };
            command.arg("-c").arg(core).arg(&program);
        }
        command.args(args).env("MLOG_BENCH_ROLE", &role).env("MLOG_BENCH_SHARED", &self.dir);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().ok_or("no pipe")?).lines();
        let (tx, index) = (tx.clone(), self.children.len());
        std::thread::spawn(move || {
            let mut reported = false;
            for line in lines.map_while(Result::ok) {
                if let Some(values) = line.strip_prefix("report ") {
                    reported = true;
                    let _ = tx.send(Event { index, said: Ok(Some(parse(values))) });
                } else if line == "ready" {
                    let _ = tx.send(Event { index, said: Ok(None) });
                }
            }
            if !reported {
                let _ = tx.send(Event { index, said: Err(format!("{role} ended without a report")) });
            }
        });
        self.children.push(child);
        Ok(())
    }
}

fn next(rx: &Receiver<Event>, limit: Instant) -> Result<(usize, Option<Report>), Failure> {
    let left = limit.saturating_duration_since(Instant::now());
    let event = rx.recv_timeout(left).map_err(|_| "not done in the time allowed by -limit")?;
    Ok((event.index, event.said?))
}

/// Sets the phases up to the end of the measured time.
fn conduct(s: &Settings, control: &Control) {
    control.set_start(now() + 5_000_000);
    if s.work == Work::Latency || s.count > 0 {
        control.set_phase(MEASURE);
        return;
    }
    control.set_phase(WARM);
    std::thread::sleep(Duration::from_secs_f64(s.warm));
    control.set_phase(MEASURE);
    std::thread::sleep(Duration::from_secs_f64(s.seconds));
    control.set_phase(STOP);
}

fn parse(values: &str) -> Report {
    let pairs = values.split(' ').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_string(), value.parse().unwrap_or(0))).collect()
}

/// The result, from the slowest consumer, as one line of JSON.
fn result(s: &Settings, reports: &[Report]) -> Result<String, Failure> {
    let took = |r: &Report| (r["end"] - r["start"]) as f64 / 1e9;
    let rate = |r: &Report| r["records"] as f64 / took(r);
    let slowest = reports[s.producers..].iter().min_by(|a, b| rate(a).total_cmp(&rate(b))).ok_or("no consumer")?;
    if slowest["records"] == 0 {
        return Err("nothing was measured: no record came in the measured time".into());
    }
    let (mut latency, mut shown) = ("null".to_string(), rate(slowest));
    if s.work == Work::Latency {
        let fields = ["count", "p50", "p90", "p99", "p999", "p9999", "max"];
        let pairs: Vec<String> = fields.iter().map(|f| format!("\"{f}\":{}", slowest[*f])).collect();
        latency = format!("{{{}}}", pairs.join(","));
        shown = s.rate;
    }
    let cpu: u64 = reports.iter().map(|r| r["cpu"]).sum();
    Ok(format!(
        "{{{},\"records\":{},\"seconds\":{:.6},\"rate\":{shown:.0},\"latency_ns\":{latency},\"cpu_seconds\":{:.3},\"notes\":\"\"}}",
        head(s), slowest["records"], took(slowest), cpu as f64 / 1e9
    ))
}

fn head(s: &Settings) -> String {
    let work = match s.work {
        Work::Append => "append",
        Work::Stream => "stream",
        Work::Latency => "latency",
        Work::Replay => "replay",
    };
    format!(
        "\"peer\":\"iceoryx2\",\"version\":\"iceoryx2 {}\",\"work\":\"{work}\",\"size\":{},\"producers\":{},\"consumers\":{},\
         \"durable\":{},\"spin\":{},\"pin\":\"{}\",\"batch\":{}",
        iox::VERSION, s.size, s.producers, s.consumers, s.durable, s.spin, s.pin, s.batch
    )
}
