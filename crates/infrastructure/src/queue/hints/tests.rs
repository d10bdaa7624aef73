//! The exchange over a way that tests can cut.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use crewd_application::ports::{ControlItem, EventStream, RunOrders, RunQueue, StreamHint, WorkSignal};
use crewd_application::testing::clock::FixedClock;
use crewd_application::testing::event_stream::{check_event_streams, numbered_event};
use crewd_application::testing::ids::SequenceIds;
use crewd_application::testing::memory::InMemoryStore;
use crewd_domain::shared::{RunId, TaskId};
use crewd_telemetry::{HintWay, Metrics};
use futures::FutureExt;
use tokio::sync::{Notify, broadcast};

use super::*;
use crate::queue::{LocalEventStream, LocalSignal};

/// The way between the processes of a test.
struct Net {
    told: broadcast::Sender<(usize, HintBatch)>,
    work: Mutex<usize>,
    added: Notify,
    is_cut: Mutex<bool>,
    corrected: AtomicU64,
}

impl Net {
    fn new() -> Arc<Self> {
        let (told, _) = broadcast::channel(64);
        let (work, is_cut) = (Mutex::new(0), Mutex::new(false));
        Arc::new(Self { told, work, added: Notify::new(), is_cut, corrected: AtomicU64::new(u64::MAX) })
    }

    fn cut(&self, is_cut: bool) {
        *self.is_cut.lock().unwrap() = is_cut;
    }

    fn check(&self) -> Result<(), TransportError> {
        if *self.is_cut.lock().unwrap() { Err(TransportError("cut".to_owned())) } else { Ok(()) }
    }
}

/// One process' end of the way.
struct End(Arc<Net>, usize);

#[async_trait]
impl HintTransport for End {
    async fn send(&self, hints: &HintBatch) -> Result<Carried, TransportError> {
        self.0.check()?;
        *self.0.work.lock().unwrap() += hints.work;
        self.0.added.notify_waiters();
        let _ = self.0.told.send((self.1, hints.clone()));
        Ok(Carried::Told)
    }

    async fn listen(&self, receiver: &HintReceiver) -> TransportError {
        let mut told = self.0.told.subscribe();
        loop {
            match told.recv().await {
                Ok((origin, _)) if origin == self.1 => {}
                Ok((_, batch)) => receiver.receive(&HintBatch { work: 0, ..batch }),
                Err(_) => return TransportError("cut".to_owned()),
            }
        }
    }

    async fn next_work(&self, most: usize) -> Result<usize, TransportError> {
        loop {
            let added = self.0.added.notified();
            self.0.check()?;
            let runs = {
                let mut work = self.0.work.lock().unwrap();
                let runs = most.min(*work);
                *work -= runs;
                runs
            };
            if runs > 0 {
                return Ok(runs);
            }
            added.await;
        }
    }

    async fn hand_on(&self, runs: usize) -> Result<(), TransportError> {
        self.send(&HintBatch { work: runs, ..HintBatch::default() }).await.map(drop)
    }

    async fn is_time_to_compare(&self) -> Result<bool, TransportError> {
        self.0.check().map(|()| true)
    }

    async fn correct(&self, queued: u64) -> Result<(), TransportError> {
        self.0.corrected.store(queued, Ordering::SeqCst);
        Ok(())
    }
}

#[derive(Default)]
struct Looked(Mutex<Vec<RunId>>);

impl RunOrders for Looked {
    fn give(&self, _: &ControlItem) {}

    fn look(&self, run_id: RunId) {
        self.0.lock().unwrap().push(run_id);
    }
}

/// A process as its parts see it.
struct Process {
    signal: SharedSignal,
    stream: SharedEventStream,
    hints: Hints,
    looked: Arc<Looked>,
}

/// The stream of a process that tells others over a transport, and hears them.
pub(crate) fn shared_stream(transport: Arc<dyn HintTransport>, way: HintWay) -> SharedEventStream {
    let (signal, stream) = (Arc::new(LocalSignal::default()), LocalEventStream::default());
    let hints = Hints::new(Arc::new(Metrics::new("0").unwrap()), way);
    let receiver = HintReceiver { signal, stream: stream.clone(), orders: Arc::new(Looked::default()), hints: hints.clone() };
    let queue: Arc<dyn RunQueue> = Arc::new(InMemoryStore::new(Arc::new(FixedClock::default())));
    let exchange = HintExchange::new(transport, receiver, queue);
    tokio::spawn(async move { exchange.run(HintDuties { works: false }).await });
    SharedEventStream::new(stream, hints)
}

impl Process {
    fn start(net: &Arc<Net>, number: usize, works: bool) -> Self {
        let (signal, stream, looked) =
            (Arc::new(LocalSignal::default()), LocalEventStream::default(), Arc::new(Looked::default()));
        let hints = Hints::new(Arc::new(Metrics::new("0").unwrap()), HintWay::Redis);
        let receiver =
            HintReceiver { signal: signal.clone(), stream: stream.clone(), orders: looked.clone(), hints: hints.clone() };
        let queue: Arc<dyn RunQueue> = Arc::new(InMemoryStore::new(Arc::new(FixedClock::default())));
        let exchange = HintExchange::new(Arc::new(End(Arc::clone(net), number)), receiver, queue);
        tokio::spawn(async move { exchange.run(HintDuties { works }).await });
        Self {
            signal: SharedSignal::new(signal, hints.clone()),
            stream: SharedEventStream::new(stream, hints.clone()),
            hints,
            looked,
        }
    }

    async fn is_woken(&self) -> bool {
        tokio::time::timeout(Duration::from_secs(3), self.signal.notified()).await.is_ok()
    }
}

fn task(place: u64) -> TaskId {
    TaskId::new(SequenceIds::id(place))
}

#[tokio::test(start_paused = true)]
async fn one_process_with_room_is_told_of_work() {
    let net = Net::new();
    let [server, one, other] = [(0, false), (1, true), (2, true)].map(|(number, works)| Process::start(&net, number, works));
    server.signal.notify();
    assert!(!one.is_woken().await && !other.is_woken().await, "nobody has room");
    one.signal.set_room(2);
    assert!(one.is_woken().await, "the hint waited for room");
    assert!(!other.is_woken().await);
    other.signal.set_room(1);
    for _ in 0..2 {
        server.signal.notify();
    }
    assert!(one.is_woken().await && other.is_woken().await, "room for one each is left");
    server.signal.notify();
    assert!(!one.is_woken().await && !other.is_woken().await, "their room is taken");
}

#[tokio::test(start_paused = true)]
async fn a_process_with_room_keeps_its_own_work_and_a_full_one_tells_the_others() {
    let net = Net::new();
    let [own, other] = [1, 2].map(|number| Process::start(&net, number, true));
    other.signal.set_room(5);
    own.signal.set_room(1);
    own.signal.notify();
    assert!(own.is_woken().await && !other.is_woken().await);
    own.signal.notify();
    assert!(own.is_woken().await, "it looks anyway, that is cheap");
    assert!(other.is_woken().await);
}

#[tokio::test(start_paused = true)]
async fn work_that_comes_when_the_room_is_gone_is_handed_on() {
    let net = Net::new();
    let [one, other] = [1, 2].map(|number| Process::start(&net, number, true));
    one.signal.set_room(1);
    tokio::time::sleep(Duration::from_millis(1)).await;
    // It waits for work with room for one, and the room goes to something else.
    assert!(one.hints.take_room());
    *net.work.lock().unwrap() = 1;
    net.added.notify_waiters();
    assert!(!one.is_woken().await);
    other.signal.set_room(1);
    assert!(other.is_woken().await);
}

#[tokio::test(start_paused = true)]
async fn logs_and_orders_reach_the_others_and_not_oneself() {
    let net = Net::new();
    let [one, other] = [1, 2].map(|number| Process::start(&net, number, false));
    tokio::task::yield_now().await;
    let (mut near, mut far) = (one.stream.subscribe(task(1)), other.stream.subscribe(task(1)));
    one.stream.publish(&[numbered_event(task(1), 1), numbered_event(task(1), 2), numbered_event(task(9), 1)]);
    let orders = SharedOrders::new(one.looked.clone(), one.hints.clone());
    let order = crewd_application::ports::ControlItem {
        id: SequenceIds::id(7),
        run_id: RunId::new(SequenceIds::id(8)),
        task_id: task(1),
        request: crewd_application::ports::ControlRequest::Resume { actor: "somebody".to_owned() },
    };
    orders.give(&order);
    assert!(matches!(far.next().await, StreamHint::ReadAgain), "the number is enough");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(far.next().now_or_never().is_none(), "told once");
    assert_eq!(*other.looked.0.lock().unwrap(), [order.run_id]);
    assert!(one.looked.0.lock().unwrap().is_empty());
    for seq in [1, 2] {
        assert!(matches!(near.next().await, StreamHint::Event(event) if event.seq == seq));
    }
    assert!(near.next().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn streams_of_two_processes_keep_the_promises_of_the_port() {
    let net = Net::new();
    let [one, other] = [1, 2].map(|number| shared_stream(Arc::new(End(Arc::clone(&net), number)), HintWay::Redis));
    check_event_streams(&one, &other).await;
}

#[tokio::test(start_paused = true)]
async fn a_cut_way_drops_hints_and_heals() {
    let net = Net::new();
    let [server, worker] = [(1, false), (2, true)].map(|(number, works)| Process::start(&net, number, works));
    worker.signal.set_room(5);
    net.cut(true);
    for _ in 0..50_000 {
        server.signal.notify();
    }
    assert!(!worker.is_woken().await);
    net.cut(false);
    assert!(!worker.is_woken().await, "nothing is kept for later: the database has it");
    server.signal.notify();
    assert!(worker.is_woken().await);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(net.corrected.load(Ordering::SeqCst), 0, "what waits is compared with the queue");
}

#[tokio::test]
async fn what_waits_is_bounded_and_says_each_thing_once() {
    let hints = Hints::new(Arc::new(Metrics::new("0").unwrap()), HintWay::Redis);
    for place in 1..=20_000 {
        hints.tell_events(task(place), 1);
        hints.tell_order(RunId::new(SequenceIds::id(place)));
        hints.tell_work(1);
    }
    hints.tell_events(task(1), 7);
    hints.tell_events(task(1), 6);
    hints.tell_order(RunId::new(SequenceIds::id(1)));
    let batch = hints.next().await;
    assert_eq!((batch.work, batch.events.len(), batch.orders.len()), (1_000, 10_000, 10_000));
    assert_eq!(batch.events.iter().find(|(of, _)| *of == task(1)), Some(&(task(1), 7)));
    assert!(hints.next().now_or_never().is_none());
}
