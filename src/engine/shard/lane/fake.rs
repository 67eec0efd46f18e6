//! A protocol of a test's own: what it takes to add one.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response as HttpResponse};
use tokio::task::LocalSet;

use super::*;
use crate::attempt::Sent;
use crate::config::Config;
use crate::conn::{ExchangeContext, ExclusiveConnection, RequestBody};
use crate::engine::Engine;
use crate::engine::shard::connection_handle::ConnectionHandle;
use crate::model::{CompleteResponse, Job, WebUrl};
use crate::protocol::Protocol;
use crate::sched::Action;

/// Answers each request with its path, without a byte on a wire, until it has had enough.
struct Parrot {
    left: u32,
    asked: Rc<std::cell::RefCell<Vec<String>>>,
}

impl Connection for Parrot {
    const PROTOCOL: Protocol = Protocol::Http1;

    async fn exchange<C: Clock>(
        &mut self,
        request: &mut Request<RequestBody>,
        _: &Method,
        context: &ExchangeContext<'_, C>,
        _: &mut LazyTimer,
    ) -> ExchangeOutcome {
        let request = std::mem::take(request);
        self.asked.borrow_mut().push(request.uri().path().to_owned());
        self.left -= 1;
        let mut answer = HttpResponse::new(());
        answer.headers_mut().insert("x-parrot", HeaderValue::from_static("1"));
        let response = CompleteResponse {
            status: 200,
            version: answer.version(),
            headers: None,
            body: Some(Bytes::from(request.uri().path().to_owned())),
            body_bytes: request.uri().path().len() as u64,
            sha256: None,
            saved: None,
            close_delimited: false,
        };
        let ended = context.clock.now();
        ExchangeOutcome {
            result: Ok(response),
            head: Some(answer.into_parts().0),
            order: None,
            sent: Sent::Answered,
            first_byte: None,
            body: None,
            wire_bytes: 0,
            ended,
        }
    }

    fn why_not_reusable(&self) -> Option<CloseReason> {
        (self.left == 0).then_some(CloseReason::Spent)
    }
}

impl ExclusiveConnection for Parrot {
    fn poll_idle(&mut self, _: &mut TaskContext<'_>) -> Poll<CloseReason> {
        Poll::Pending
    }
}

#[test]
fn a_lane_carries_what_its_shard_has_over_any_protocol_until_that_takes_no_more() {
    let mut config = Config::default();
    config.limits.shards = 1;
    config.limits.per_host = std::num::NonZeroU32::MIN;
    let shared = Engine::new(config).expect("a machine that can run haul").shared;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("builds");
    let asked = Rc::default();
    let why = LocalSet::new().block_on(&runtime, async {
        let shard = Rc::new(Shard::new(0, Arc::clone(&shared)));
        let now = shard.clock.now();
        assert!(shared.window.admit(4, 0));
        for seq in 0..4 {
            // An address: nothing is to be looked up.
            let url = WebUrl::parse(&format!("http://127.0.0.1:1/{seq}")).expect("a URL").0;
            shard.arrived(Job::new(seq, url, now), now);
        }
        let Some(Action::Start { host, job }) = shard.permits.next_action(&shard.sched, now) else {
            panic!("the first may start");
        };
        let first = Flight::new(host, job, now, std::time::Duration::ZERO);
        let (key, mailbox) = (shard.pool_key(&first), Rc::new(Mailbox::default()));
        let demand = crate::pool::Demand {
            slots: 1,
            waiting: 0,
            habits: crate::pool::Habits::default(),
            once: false,
            again: false,
            not_before: 0,
        };
        shard.connections.pool_mut().acquire(key, demand, now);
        let id = shard.connections.pool_mut().dialed(key, Protocol::Http1, 1, now);
        shard.connections.register(id, ConnectionHandle::Alone(Rc::clone(&mailbox)));
        let connection = Box::new(Parrot { left: 3, asked: Rc::clone(&asked) });
        shard.lane(&mut Alone { seat: Seat { id, remote: None, mailbox }, key, host, connection }, first).await
    });
    assert_eq!(why, CloseReason::Spent);
    assert_eq!(*asked.borrow(), ["/0", "/1", "/2"]);
    assert_eq!(shared.counters[0].succeeded.get(), 3);
}
