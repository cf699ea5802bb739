//! What is measured: a publish-subscribe service of iceoryx2, with an event service for consumers that block.

use crate::role::{Consumer, Producer};
use crate::settings::{Settings, Work};
use crate::Failure;
use iceoryx2::port::listener::Listener;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::port::update_connections::UpdateConnections;
use iceoryx2::prelude::*;
use std::path::Path as FsPath;

/// That of Cargo.toml.
pub const VERSION: &str = "0.10.0";

type PubSub = iceoryx2::service::port_factory::publish_subscribe::PortFactory<ipc::Service, [u8], ()>;
type Events = iceoryx2::service::port_factory::event::PortFactory<ipc::Service>;

/// The beginning of the names of what this measurement has in shared memory.
pub fn prefix(dir: &FsPath) -> String {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    format!("{}_", name.replace("mlog-bench-", "mlogbench_").replace('-', "_"))
}

pub struct Services {
    messages: PubSub,
    events: Events,
    _node: Node<ipc::Service>,
}

/// Opens the services. The parent does so first, and keeps them: roles that created them all at once might fail.
pub fn open(s: &Settings, dir: &FsPath) -> Result<Services, Failure> {
    set_log_level(LogLevel::Error);
    let mut config = Config::default();
    config.global.set_root_path(&Path::new(dir.to_string_lossy().as_bytes())?);
    config.global.prefix = FileName::new(prefix(dir).as_bytes())?;
    let node = NodeBuilder::new().config(&config).create::<ipc::Service>()?;
    let messages = node
        .service_builder(&"messages".try_into()?)
        .publish_subscribe::<[u8]>()
        .payload_alignment(Alignment::new(8).ok_or("alignment")?)
        .max_publishers(s.producers)
        .max_subscribers(s.consumers)
        .max_nodes(s.producers + s.consumers + 1)
        .history_size(0)
        .subscriber_max_buffer_size(depth(s))
        .subscriber_max_borrowed_samples(2)
        .enable_safe_overflow(false) // nothing may be lost: the publisher waits
        .open_or_create()?;
    let events = node
        .service_builder(&"events".try_into()?)
        .event()
        .max_notifiers(s.producers)
        .max_listeners(s.consumers)
        .max_nodes(s.producers + s.consumers + 1)
        .open_or_create()?;
    Ok(Services { messages, events, _node: node })
}

/// Records that a subscriber's queue holds: at most 4 MiB, so that what is in flight stays in the cache.
fn depth(s: &Settings) -> usize {
    ((4 << 20) / s.size).clamp(16, 1024)
}

/// Whether consumers block on events instead of polling.
fn blocks(s: &Settings) -> bool {
    s.work == Work::Latency && !s.spin
}

pub fn produce(s: &Settings, dir: &FsPath, producer: &mut Producer) -> Result<(), Failure> {
    let services = open(s, dir)?;
    let notifier = services.events.notifier_builder().create()?;
    let publisher = services
        .messages
        .publisher_builder()
        .initial_max_slice_len(s.size)
        .max_loaned_samples(1)
        .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
        .create()?;
    while services.messages.dynamic_config().number_of_subscribers() < s.consumers {
        std::thread::yield_now();
    }
    publisher.update_connections()?;
    producer.ready();
    let blocking = blocks(s);
    while producer.more() {
        let mut sample = publisher.loan_slice_uninit(s.size)?;
        let payload = sample.payload_mut();
        // SAFETY: fill writes every byte of the slice, and a byte of any value is valid.
        let sample = unsafe {
            producer.fill(std::slice::from_raw_parts_mut(payload.as_mut_ptr().cast::<u8>(), payload.len()));
            sample.assume_init()
        };
        // A consumer that has the last record may be gone before send has counted it.
        if sample.send()? != s.consumers && !producer.ended() {
            return Err("a consumer is gone before the last record".into());
        }
        if blocking {
            notifier.notify()?;
        }
    }
    producer.finish();
    Ok(())
}

pub fn consume(s: &Settings, dir: &FsPath, consumer: &mut Consumer) -> Result<(), Failure> {
    let services = open(s, dir)?;
    let listener = services.events.listener_builder().create()?;
    let subscriber = services.messages.subscriber_builder().buffer_size(depth(s)).create()?;
    while services.messages.dynamic_config().number_of_publishers() < s.producers {
        std::thread::yield_now();
    }
    subscriber.update_connections()?; // a publisher does not wait for one that has not done so
    consumer.ready();
    if blocks(s) {
        return wait_and_receive(&listener, &subscriber, consumer);
    }
    let polls = s.polls();
    while !consumer.done() {
        match subscriber.receive()? {
            Some(sample) => consumer.take(sample.payload())?,
            None if polls => std::hint::spin_loop(),
            None => std::thread::yield_now(),
        }
    }
    Ok(())
}

fn wait_and_receive(
    listener: &Listener<ipc::Service>,
    subscriber: &Subscriber<ipc::Service, [u8], ()>,
    consumer: &mut Consumer,
) -> Result<(), Failure> {
    while !consumer.done() {
        listener.blocking_wait(|_| {})?;
        while let Some(sample) = subscriber.receive()? {
            consumer.take(sample.payload())?;
        }
    }
    Ok(())
}
