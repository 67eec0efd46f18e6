//! A connection between two requests: what its peer does meanwhile is seen, and what it did is told to the next.

use std::future::poll_fn;
use std::task::Poll;

use haul::model::{CloseReason, FailureKind, Time};
use haul_core::attempt::Sent;
use haul_net::conn::{Connection as _, ExchangeOutcome, ExclusiveConnection as _, H1};
use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::memory::{ask, open, runtime};

/// A connection that has served a request, and the server's end of it.
async fn used() -> (H1<DuplexStream>, DuplexStream) {
    let (ours, mut theirs) = tokio::io::duplex(4096);
    let h1 = serve(open(ours).await, &mut theirs, "").await;
    (h1, theirs)
}

/// The same connection after one more request, whose response had this behind it.
async fn serve(mut h1: H1<DuplexStream>, theirs: &mut DuplexStream, behind: &str) -> H1<DuplexStream> {
    let server = async {
        let asked = theirs.read(&mut [0; 4096]).await.expect("a request");
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n{behind}");
        theirs.write_all(response.as_bytes()).await.expect("room");
        asked
    };
    let (got, asked) = tokio::join!(ask(&mut h1, &Method::GET), server);
    assert!(got.result.is_ok() && asked > 0);
    h1
}

async fn is_idle(h1: &mut H1<DuplexStream>) -> bool {
    poll_fn(|cx| Poll::Ready(h1.poll_idle(cx).is_pending())).await
}

fn is_unsent(exchanged: &ExchangeOutcome) -> bool {
    // At once, too: nothing was waited for.
    exchanged.sent == Sent::No && exchanged.ended == Time::ZERO
}

#[test]
fn it_serves_on_after_having_been_idle() {
    runtime().block_on(async {
        let (mut h1, mut theirs) = used().await;
        for _ in 0..3 {
            assert!(is_idle(&mut h1).await && h1.why_not_reusable().is_none());
            h1 = serve(h1, &mut theirs, "").await;
        }
    });
}

#[test]
fn what_its_peer_does_is_seen() {
    runtime().block_on(async {
        let (mut h1, theirs) = used().await;
        assert!(is_idle(&mut h1).await);
        drop(theirs);
        assert_eq!(poll_fn(|cx| h1.poll_idle(cx)).await, CloseReason::PeerClosed);
        assert!(h1.why_not_reusable().is_some() && is_unsent(&ask(&mut h1, &Method::GET).await));

        let (mut h1, mut theirs) = used().await;
        assert!(is_idle(&mut h1).await);
        theirs.write_all(b"unasked").await.expect("room");
        assert_eq!(poll_fn(|cx| h1.poll_idle(cx)).await, CloseReason::UnsolicitedBytes);
        assert!(h1.why_not_reusable().is_some());
    });
}

#[test]
fn what_came_with_the_response_before_is_seen() {
    runtime().block_on(async {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let mut h1 = serve(open(ours).await, &mut theirs, "unasked").await;
        let seen =
            h1.why_not_reusable().is_some() || poll_fn(|cx| h1.poll_idle(cx)).await == CloseReason::UnsolicitedBytes;
        assert!(seen && h1.why_not_reusable().is_some());
    });
}

#[test]
fn an_end_seen_no_earlier_than_by_the_next_request_leaves_it_unsent() {
    runtime().block_on(async {
        for was_idle in [true, false] {
            let (mut h1, theirs) = used().await;
            assert!(!was_idle || is_idle(&mut h1).await);
            drop(theirs);
            let second = ask(&mut h1, &Method::GET).await;
            assert!(is_unsent(&second), "idle before: {was_idle}: {second:?}");
            assert_eq!(second.result.expect_err("closed").kind, FailureKind::Closed);
        }
        let (mut h1, mut theirs) = used().await;
        theirs.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").await.expect("room");
        drop(theirs);
        let second = ask(&mut h1, &Method::GET).await;
        assert!(is_unsent(&second) && second.result.is_err() && h1.why_not_reusable().is_some());
    });
}
