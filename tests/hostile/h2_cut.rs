//! One good HTTP/2 conversation, cut at every byte, reset at every frame and delivered in two pieces that meet at every
//! byte. In memory, so that the pieces arrive as they are meant to.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use haul::config::{BodySettings, Timeouts};
use haul::model::{BodyUse, Clock, FailureKind, Phase, Time};
use haul_net::conn::{self, Connection as _, H2, LazyTimer, Recipient, RequestBody};
use http::{Method, Request};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::case::{Case, Group, Verdict, complete, failed};
use super::h2::{
    ACK, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PING, SETTINGS, STATUS_200, block, data, field, frame,
    settings, window_update,
};

pub(crate) fn group() -> Group {
    let (frames, head) = conversation();
    let bytes = frames.concat();
    let head_ends = frames[..head].concat().len();
    let (length, all) = (bytes.len(), complete(200, 5));
    let cut = |range: std::ops::Range<usize>, end: End| {
        let bytes = bytes.clone();
        move |expected| first_other(expected, range.map(|at| play(vec![bytes[..at].to_vec()], end)))
    };
    let at_frames = |range: std::ops::Range<usize>| {
        let frames = frames.clone();
        move |expected| first_other(expected, range.map(|at| play(vec![frames[..at].concat()], End::Reset)))
    };
    let [closed, truncated] = [(Phase::Head, FailureKind::Closed), (Phase::Body, FailureKind::Truncated)].map(each);
    let [reset, reset_body] = [Phase::Head, Phase::Body].map(|phase| failed(phase, FailureKind::Reset));
    let before = cut(0..head_ends, End::Close);
    let after = cut(head_ends..length, End::Close);
    let (reset_before, reset_after) = (at_frames(0..head), at_frames(head..frames.len()));
    let (split, slow) = (bytes.clone(), bytes.clone());
    let cases = vec![
        Case::new("the whole of it", "", all, move || play(vec![bytes], End::Close)),
        Case::new(format!("closed at every byte up to the head's end, {head_ends} times"), "", closed, move || {
            before(closed)
        }),
        Case::new(format!("closed at every byte after it, {} times", length - head_ends), "", truncated, move || {
            after(truncated)
        }),
        Case::new(format!("reset at every frame up to the head, {head} times"), "", reset, move || reset_before(reset)),
        Case::new(format!("reset at every frame after it, {} times", frames.len() - head), "", reset_body, move || {
            reset_after(reset_body)
        }),
        Case::new(format!("in two pieces that meet at every byte, {} times", length - 1), "", all, move || {
            first_other(all, (1..length).map(|at| play(vec![split[..at].to_vec(), split[at..].to_vec()], End::Stay)))
        }),
        Case::new("a byte at a time", "", all, move || play(slow.iter().map(|byte| vec![*byte]).collect(), End::Stay)),
    ];
    Group { title: "HTTP/2: one conversation, cut and split everywhere", cases }
}

const fn each((phase, kind): (Phase, FailureKind)) -> Verdict {
    failed(phase, kind)
}

/// The frames, and how many of them reach to the end of the head.
fn conversation() -> (Vec<Vec<u8>>, usize) {
    let early = block([(":status", "103"), ("link", "</x>")]);
    let head = [vec![STATUS_200], block([("server", "x"), ("content-length", "5")])].concat();
    let frames = vec![
        settings(&[(3, 100), (4, 70_000)]),
        frame(SETTINGS, ACK, 0, []),
        frame(HEADERS, END_HEADERS, 1, early),
        frame(HEADERS, 0, 1, &head[..9]),
        frame(super::h2::CONTINUATION, END_HEADERS, 1, &head[9..]),
        window_update(0, 100),
        data(1, "hel"),
        frame(PING, 0, 0, [7; 8]),
        frame(DATA, PADDED, 1, b"\x02lo\0\0"),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, field("trailer", "x")),
    ];
    (frames, 5)
}

fn first_other(expected: Verdict, mut verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    verdicts.find(|verdict| *verdict != expected).unwrap_or(expected)
}

/// What follows the last piece.
#[derive(Clone, Copy)]
enum End {
    Close,
    Reset,
    Stay,
}

/// What haul makes of these pieces, each of which one read brings, once it has sent its request.
fn play(pieces: Vec<Vec<u8>>, end: End) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, exchange(Pieces::new(pieces, end)))
}

async fn exchange(io: Pieces) -> Verdict {
    let body = BodySettings::default();
    let (mut h2, driver) = H2::new(io, &body).await.expect("a preface is written to memory");
    let driving = tokio::task::spawn_local(driver);
    let (clock, timeouts) = (Started::now(), Timeouts::default());
    let context = conn::ExchangeContext {
        clock: &clock,
        timeouts: Cow::Borrowed(&timeouts),
        body: &body,
        total: Time::ZERO + Duration::from_secs(10),
        redirect_body: None,
        recipient: &Collecting,
    };
    let mut request = Request::get("http://a.test/").body(RequestBody::default()).expect("valid");
    let mut timer = LazyTimer::new(&clock, context.total);
    let exchanged = h2.exchange(&mut request, &Method::GET, &context, &mut timer).await;
    driving.abort();
    match exchanged.result {
        Ok(response) => complete(response.status, response.body_bytes),
        Err(failure) => failed(failure.phase, failure.kind),
    }
}

/// A stream whose peer says these pieces after the client's HEADERS.
struct Pieces {
    left: VecDeque<Vec<u8>>,
    end: End,
    /// Sent by the client so far, from its preface on.
    sent: Vec<u8>,
    /// HEADERS have been sent.
    asked: bool,
    reader: Option<Waker>,
}

impl Pieces {
    fn new(pieces: Vec<Vec<u8>>, end: End) -> Self {
        // A read that brings nothing would be the end.
        let left = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        Self { left, end, sent: Vec::new(), asked: false, reader: None }
    }
}

/// Whether HEADERS are among the frames after the preface.
fn asks(sent: &[u8]) -> bool {
    let mut rest = sent.get(24..).unwrap_or_default();
    while let [a, b, c, kind, ..] = *rest {
        if kind == HEADERS {
            return true;
        }
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        rest = rest.get(9 + length..).unwrap_or_default();
    }
    false
}

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.asked {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        match (self.left.pop_front(), self.end) {
            (Some(piece), _) => buf.put_slice(&piece),
            (None, End::Close) => {}
            (None, End::Reset) => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            (None, End::Stay) => return Poll::Pending,
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.sent.extend(bytes);
        if !self.asked && asks(&self.sent) {
            self.asked = true;
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct Started(Instant);

impl Started {
    #[expect(clippy::disallowed_methods, reason = "the tests' own clock")]
    fn now() -> Self {
        Self(Instant::now())
    }
}

impl Clock for Started {
    fn now(&self) -> Time {
        Time::ZERO + self.0.elapsed()
    }

    fn instant(&self, at: Time) -> Instant {
        self.0 + at.since(Time::ZERO)
    }
}

/// Takes the body as it is.
struct Collecting;

impl Recipient for Collecting {
    fn head(&self, _: &http::response::Parts, _: Duration, _: bool) -> BodyUse {
        BodyUse::Collect
    }

    fn poll_gone(&self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}
