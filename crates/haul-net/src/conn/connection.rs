//! What every connection can do, whichever protocol it speaks.

use std::future::Future;
use std::task::{self, Poll};

use haul_core::model::{Clock, CloseReason};
use http::{Method, Request};

use super::{ExchangeContext, ExchangeOutcome, LazyTimer, RequestBody};
use haul_core::protocol::Protocol;

/// A connection that exchanges requests for responses.
pub trait Connection {
    /// What it speaks.
    const PROTOCOL: Protocol;

    /// Takes `request`, sends it and receives its response, within the context's time-outs. What is left of `request` is to be filled
    /// again.
    fn exchange<C: Clock>(
        &mut self,
        request: &mut Request<RequestBody>,
        method: &Method,
        context: &ExchangeContext<'_, C>,
        timer: &mut LazyTimer,
    ) -> impl Future<Output = ExchangeOutcome>;

    /// Why it takes no further request; `None`: it takes one.
    fn why_not_reusable(&self) -> Option<CloseReason>;
}

/// One that carries a request at a time, and is nobody's but its lane's.
pub trait ExclusiveConnection: Connection {
    /// Polls the idle connection: ready when it can't be used any longer.
    fn poll_idle(&mut self, cx: &mut task::Context<'_>) -> Poll<CloseReason>;
}

/// One that carries several requests at once; clones share it.
pub trait MultiplexedConnection: Connection + Clone {
    /// How many the peer allows; 1 until that is known, and once the connection takes no more.
    fn streams_allowed(&self) -> usize;

    /// Whether the peer, which had allowed some, allows none any more.
    fn has_stopped(&self) -> bool;
}
