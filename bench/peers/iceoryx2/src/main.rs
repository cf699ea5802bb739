//! Measures iceoryx2: a publisher and subscribers in processes of their own, by the contract of bench/peers.
//! The same program plays all the roles.

mod control;
mod iox;
mod record;
mod role;
mod session;
mod settings;

use std::process::exit;

/// Why a measurement failed, in one line.
pub type Failure = Box<dyn std::error::Error>;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = settings::Settings::parse(&args).and_then(|s| match std::env::var("MLOG_BENCH_ROLE") {
        Ok(role) => role::play(&s, &role),
        Err(_) => session::measure(&s, &args),
    });
    if let Err(e) = done {
        eprintln!("iceoryx2: {e}");
        exit(1);
    }
}
