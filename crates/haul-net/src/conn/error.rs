//! hyper's and h2's errors as failures: a phase, a kind, a sentence.

use std::error::Error;
use std::io;

use h2::Reason;

use super::exchange::ExchangeError;
use super::framing;
use super::h2_peer::GoAway;
use super::preface::NOT_HTTP2;
use crate::tls_words::{self, TlsStreamError};
use haul_core::attempt::Sent;
use haul_core::model::{Failure, FailureKind, Phase};

/// What an error means for the attempt.
#[derive(Debug)]
pub(super) struct TransportError {
    pub(super) failure: Failure,
    /// What the peer itself says that it made of the request.
    pub(super) sent: Option<Sent>,
    /// h2 ended the connection, for something on it that need not be this request's.
    pub(super) ended_ours: bool,
}

/// Maps hyper's error that came while sending, or waiting for the head (`phase` head), or in the body (`phase` body).
pub(super) fn map(error: &hyper::Error, phase: Phase) -> TransportError {
    let io = source::<io::Error>(error);
    if let Some(refused) = refused(io, phase) {
        return refused;
    }
    let kind = io.map_or_else(|| kind_of(error, phase), |io| io_kind(io, phase));
    let cause = error.source().filter(|_| !error.is_user()).map(|source| format!(": {source}"));
    let message = describe(kind, &error.to_string(), &cause.unwrap_or_default());
    TransportError { failure: Failure::new(phase, kind, message).because_of(io), sent: None, ended_ours: false }
}

/// The same for an error of h2.
pub(super) fn map_h2(error: &h2::Error, phase: Phase) -> TransportError {
    if let Some(refused) = refused(error.get_io(), phase) {
        return refused;
    }
    let (kind, sent) = h2_kind(error, phase);
    let message = match sent {
        Some(Sent::Http11Required) => "the server wants this request over HTTP/1.1 (HTTP_1_1_REQUIRED)".to_owned(),
        Some(Sent::Unprocessed) if error.is_reset() && error.is_remote() => {
            "the server refused the request's stream, without looking at it (REFUSED_STREAM)".to_owned()
        }
        _ if error.is_library() && error.reason() == Some(Reason::ENHANCE_YOUR_CALM) => ENDLESS.to_owned(),
        _ => describe(kind, "http2 error", &format!(": {}", h2_words(error))),
    };
    let ended_ours = error.is_go_away() && error.is_library();
    TransportError { failure: Failure::new(phase, kind, message).because_of(error.get_io()), sent, ended_ours }
}

/// What happened, in the terms of RFC 9113.
fn h2_words(error: &h2::Error) -> String {
    let Some(reason) = error.reason().filter(|_| error.get_io().is_none()) else { return error.to_string() };
    let code = code(reason);
    match (error.is_go_away(), error.is_reset()) {
        (true, _) if error.is_remote() => format!("the server ended the connection (GOAWAY, {code})"),
        (_, true) if error.is_remote() => format!("the server reset the stream (RST_STREAM, {code})"),
        (true, _) => format!("what came over the connection is not valid HTTP/2 ({code})"),
        _ => format!("what came on the stream is not valid HTTP/2 ({code})"),
    }
}

/// The name of an error code (RFC 9113 §7).
pub(super) fn code(reason: Reason) -> String {
    let name = match reason {
        Reason::NO_ERROR => "NO_ERROR",
        Reason::PROTOCOL_ERROR => "PROTOCOL_ERROR",
        Reason::INTERNAL_ERROR => "INTERNAL_ERROR",
        Reason::FLOW_CONTROL_ERROR => "FLOW_CONTROL_ERROR",
        Reason::SETTINGS_TIMEOUT => "SETTINGS_TIMEOUT",
        Reason::STREAM_CLOSED => "STREAM_CLOSED",
        Reason::FRAME_SIZE_ERROR => "FRAME_SIZE_ERROR",
        Reason::REFUSED_STREAM => "REFUSED_STREAM",
        Reason::CANCEL => "CANCEL",
        Reason::COMPRESSION_ERROR => "COMPRESSION_ERROR",
        Reason::CONNECT_ERROR => "CONNECT_ERROR",
        Reason::ENHANCE_YOUR_CALM => "ENHANCE_YOUR_CALM",
        Reason::INADEQUATE_SECURITY => "INADEQUATE_SECURITY",
        Reason::HTTP_1_1_REQUIRED => "HTTP_1_1_REQUIRED",
        other => return format!("code {}", u32::from(other)),
    };
    name.to_owned()
}

fn kind_of(error: &hyper::Error, phase: Phase) -> FailureKind {
    if error.is_parse_too_large() {
        FailureKind::HeadTooLarge
    } else if error.is_parse() {
        if is_about_length(error) { FailureKind::BadFraming } else { FailureKind::Malformed }
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() || error.is_user() {
        // Of the errors that hyper blames on its user only one can happen here: the connection ended before it answered.
        cut_off(phase)
    } else if phase == Phase::Body {
        // hyper reports invalid chunk sizes and the like without a kind of their own.
        FailureKind::Malformed
    } else {
        FailureKind::Protocol
    }
}

/// Whether the head was refused for what it says of the body's length. hyper has no name for it but the text, which the
/// hostile lab watches.
fn is_about_length(error: &hyper::Error) -> bool {
    matches!(error.to_string().as_str(), "invalid content-length parsed" | "unexpected transfer-encoding parsed")
}

/// The failure of a request on a connection that was ended for something else on it.
pub(super) fn cut_off_by_another(phase: Phase) -> Failure {
    let message = "its connection was closed because another response on it is not valid HTTP/2";
    Failure::new(phase, cut_off(phase), message)
}

/// A request that was not sent because the server allows fewer streams than there were requests before it said so.
pub(super) fn no_slot() -> ExchangeError {
    let failure = Failure::new(Phase::Send, FailureKind::Closed, "its connection has no stream for it");
    ExchangeError { failure, sent: Some(Sent::NoPlace), ended_ours: false }
}

/// A request that was not sent, on a connection whose server has sent nothing while another request's time ran out.
pub(super) fn silent() -> Failure {
    Failure::new(Phase::Head, FailureKind::Closed, "its connection was closed because the server sent nothing over it")
}

/// Adds to the failure of a connection that ended early what the server had said.
pub(super) fn with_go_away(error: &mut ExchangeError, go_away: &GoAway) {
    use FailureKind::{Closed, Io, Reset, Truncated};
    let is_cut = matches!(error.failure.kind, Closed | Reset | Truncated | Io) && error.sent.is_none();
    if let Some(said) = go_away.said().filter(|_| is_cut) {
        let Failure { phase, kind, message, os_error } = &error.failure;
        error.failure = Failure { os_error: *os_error, ..Failure::new(*phase, *kind, format!("{message}; {said}")) };
    }
}

/// What h2's reader of frames says of a connection that ends within one; it has no kind of its own.
const IN_A_FRAME: &str = "bytes remaining on stream";

/// What is said of a server that had to be stopped (`frame_filter`).
const ENDLESS: &str = "the server sends HTTP/2 frames without end that bring nothing (PING, SETTINGS, empty DATA and the \
    like), or a head without end, so its connection was closed (ENHANCE_YOUR_CALM)";

/// A connection that ended early: the head is missing, or the body is cut off.
const fn cut_off(phase: Phase) -> FailureKind {
    if matches!(phase, Phase::Body) { FailureKind::Truncated } else { FailureKind::Closed }
}

fn io_kind(error: &io::Error, phase: Phase) -> FailureKind {
    if let Some(TlsStreamError(tls)) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return tls_kind(tls);
    }
    if error.raw_os_error().is_some() {
        // What the system says of the way there, and no library of what came.
        match error.kind() {
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::InvalidInput => return FailureKind::Unreachable,
            io::ErrorKind::TimedOut => return FailureKind::Timeout,
            _ => {}
        }
    }
    match error.kind() {
        // The system's own has its number; the one without is h2's word for a connection that was closed.
        io::ErrorKind::BrokenPipe if error.raw_os_error().is_none() => cut_off(phase),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
            FailureKind::Reset
        }
        io::ErrorKind::UnexpectedEof => cut_off(phase),
        io::ErrorKind::Other if error.to_string() == IN_A_FRAME => cut_off(phase),
        NOT_HTTP2 => FailureKind::Protocol,
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => FailureKind::Malformed,
        _ => FailureKind::Io,
    }
}

/// The failure of a handshake that the peer refuses when it is over for us: in TLS 1.3 it looks at the client's certificate, or misses
/// one, only then (RFC 8446 §4.4.2.4), in TLS 1.2 within. h2 keeps of such an error only its text.
fn refused(error: Option<&io::Error>, phase: Phase) -> Option<TransportError> {
    let inner = error.filter(|_| phase == Phase::Head)?.get_ref()?;
    let message = match inner.downcast_ref() {
        Some(TlsStreamError(tls)) => tls_words::refusal(tls)?,
        None => Some(inner.to_string()).filter(|text| tls_words::is_refusal(text))?,
    };
    Some(TransportError {
        failure: Failure::new(Phase::Tls, FailureKind::Handshake, message),
        sent: None,
        ended_ours: false,
    })
}

/// TLS that breaks after its handshake: the peer gave the connection up, or what came is not TLS.
const fn tls_kind(error: &rustls::Error) -> FailureKind {
    if matches!(error, rustls::Error::AlertReceived(_)) { FailureKind::Reset } else { FailureKind::Protocol }
}

fn h2_kind(error: &h2::Error, phase: Phase) -> (FailureKind, Option<Sent>) {
    if let Some(io) = error.get_io() {
        return (io_kind(io, phase), None);
    }
    let Some(reason) = error.reason() else {
        // What h2 blames on its user: the connection has ended, or its streams' numbers have.
        return (cut_off(phase), None);
    };
    let leaving = error.is_go_away() && reason == Reason::NO_ERROR;
    let kind = match phase {
        _ if !error.is_remote() && reason != Reason::REFUSED_STREAM => FailureKind::Malformed,
        Phase::Body if leaving => FailureKind::Truncated,
        Phase::Body => FailureKind::Reset,
        _ if leaving || reason == Reason::REFUSED_STREAM => FailureKind::Closed,
        _ => FailureKind::Reset,
    };
    (kind, if phase == Phase::Body { None } else { said(error, reason) })
}

/// What an error says that the peer made of a request it has not answered. Once the head is here it has acted on it, whatever
/// it says.
///
/// h2 gives a GOAWAY to the streams above the last one it names, and to no other: these have not been processed, whatever its
/// code (RFC 9113 §6.8). A code that asks for less is not to be met by asking again at once.
fn said(error: &h2::Error, reason: Reason) -> Option<Sent> {
    match reason {
        Reason::REFUSED_STREAM => Some(Sent::Unprocessed),
        _ if !error.is_remote() => None,
        Reason::HTTP_1_1_REQUIRED => Some(Sent::Http11Required),
        Reason::ENHANCE_YOUR_CALM if error.is_go_away() => Some(Sent::Declined),
        _ if error.is_go_away() => Some(Sent::Unprocessed),
        // An answer of its kind: the connection lives, and is not to blame.
        _ => Some(Sent::Answered),
    }
}

fn source<E: Error + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// `error`: what is said where the kind does not say it all; `cause`: what follows it.
fn describe(kind: FailureKind, error: &str, cause: &str) -> String {
    // rustls says where its documentation is.
    let cause = cause.split(": https://").next().unwrap_or_default();
    match kind {
        FailureKind::Closed => format!("the server closed the connection before a complete response head{cause}"),
        FailureKind::Truncated => format!("the body ended before its end{cause}"),
        FailureKind::HeadTooLarge => framing::head_too_large(),
        FailureKind::Protocol => format!("the server does not speak the protocol it was asked to speak{cause}"),
        _ => format!("{error}{cause}"),
    }
}
