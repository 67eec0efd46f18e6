//! What went wrong, where: a phase, a small stable kind, and a message for people.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;

use super::os_error::OsError;
use super::printable::printable;

macro_rules! named {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable name, as it stands in records and logs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.name()) }
        }
    };
}
pub(crate) use named;

named! {
    /// The part of a fetch that failed.
    pub enum Phase {
        /// Reading and checking the input line.
        Input = "input",
        /// Waiting to be dispatched.
        Queue = "queue",
        /// Name resolution.
        Dns = "dns",
        /// Opening the connection.
        Connect = "connect",
        /// The TLS handshake.
        Tls = "tls",
        /// Sending the request, or waiting for a connection that is there to take it.
        Send = "send",
        /// Waiting for and reading the response head, redirects included.
        Head = "head",
        /// Reading the body.
        Body = "body",
        /// Decoding the body's content coding.
        Decode = "decode",
        /// Writing the record.
        Sink = "sink",
    }
}

named! {
    /// Why it failed. Small and comparable: policies see this and nothing else; its names are stable in records.
    #[non_exhaustive]
    pub enum FailureKind {
        /// The URL can't be parsed, or is too long.
        BadUrl = "bad_url",
        /// The URL's scheme is neither `http` nor `https`.
        UnsupportedScheme = "unsupported_scheme",
        /// The URL has no host.
        EmptyHost = "empty_host",
        /// The URL's port is not a number from 1 to 65535.
        BadPort = "bad_port",
        /// The line starts like a JSON object and isn't one, or a field has the wrong type.
        BadJson = "bad_json",
        /// The method or a header is not valid HTTP.
        BadRequest = "bad_request",
        /// The input line is longer than the cap.
        LineTooLong = "line_too_long",
        /// The input line is not UTF-8.
        InvalidUtf8 = "invalid_utf8",
        /// The host failed too often in a row; the job was not tried.
        HostDead = "host_dead",
        /// The run was stopped, or nobody waited any longer, before the job was finished.
        Cancelled = "cancelled",
        /// A hook, or the limits on what is saved, refused the request or the response.
        Unwanted = "unwanted",
        /// The body could not be written to its file.
        NotSaved = "not_saved",
        /// The status is one that the caller calls an error. haul itself never does.
        Status = "status",
        /// The name does not exist (NXDOMAIN).
        NameNotFound = "nxdomain",
        /// The name exists and has no address of the wanted family (NODATA).
        NoAddress = "no_address",
        /// The name server failed (SERVFAIL) or answered with another error code.
        ServerFailure = "servfail",
        /// The phase did not end within its time-out.
        Timeout = "timeout",
        /// The attempt as a whole did not end within `--timeout`.
        TotalTimeout = "total_timeout",
        /// The peer refused the connection.
        Refused = "refused",
        /// There is no route to the address.
        Unreachable = "unreachable",
        /// The address is not public (`--public-only`), or the address filter refuses it.
        AddressRefused = "address_refused",
        /// All of this machine's ports to the address are in use.
        NoPorts = "no_ports",
        /// The peer reset the connection or stream, or said that it failed (TLS alert `internal_error`).
        Reset = "reset",
        /// The peer closed the connection before the response was complete.
        Closed = "closed",
        /// Another input/output error; the message has the system's text.
        Io = "io",
        /// The certificate is expired or not yet valid.
        CertificateExpired = "certificate_expired",
        /// The certificate is for another name.
        CertificateName = "certificate_name",
        /// The certificate's issuer is not trusted, or the certificate is malformed or revoked.
        CertificateUntrusted = "certificate_untrusted",
        /// The TLS handshake failed otherwise; the message has the alert or reason.
        Handshake = "handshake",
        /// The peer did not speak the protocol that was asked for.
        Protocol = "protocol",
        /// The response head or the framing is not valid HTTP.
        Malformed = "malformed",
        /// `Transfer-Encoding`/`Content-Length` do not give the body one unambiguous length.
        BadFraming = "bad_framing",
        /// The response head is larger, or has more headers, than the cap.
        HeadTooLarge = "head_too_large",
        /// The body is larger than the cap, on the wire or decoded.
        TooLarge = "too_large",
        /// The body expands by more than the cap allows.
        ExpansionRatio = "expansion_ratio",
        /// The body came slower than the minimum byte rate.
        TooSlow = "too_slow",
        /// The coded body is not valid.
        Corrupt = "corrupt",
        /// The body ended before its end: cut off on the wire or in its content coding.
        Truncated = "truncated",
        /// More redirects than allowed.
        RedirectLimit = "redirect_limit",
        /// More redirects than allowed, and they came back to a URL already visited.
        RedirectLoop = "redirect_loop",
        /// The redirect's `Location` is not a URL that can be fetched.
        RedirectBadLocation = "redirect_bad_location",
    }
}

/// One failed attempt, or one job that was never tried: where, why, and the text for people.
///
/// ```
/// # extern crate haul_core as haul;
/// use haul::model::{Failure, FailureKind, Phase};
///
/// let failure = Failure::new(Phase::Connect, FailureKind::Refused, "nobody listens there");
/// assert_eq!(failure.to_string(), "connect (refused): nobody listens there");
/// ```
#[derive(Debug)]
pub struct Failure {
    /// The phase that failed.
    pub phase: Phase,
    /// The reason, stable and comparable.
    pub kind: FailureKind,
    /// One lower-case sentence: what happened and, where known, how to fix it. Settings stand in it by their paths in the
    /// configuration, between backticks; [`Setting::rename`](crate::config::Setting::rename) gives them other names.
    pub message: Box<str>,
    /// What the operating system said, where it was the one that failed.
    pub os_error: Option<OsError>,
}

impl Failure {
    /// A failure with a message of its own. Parts of it may be a stranger's words: it is made [`printable`].
    pub fn new(phase: Phase, kind: FailureKind, message: impl Into<Box<str>>) -> Self {
        let message = message.into();
        let message = match printable(&message) {
            Cow::Borrowed(_) => message,
            Cow::Owned(shown) => shown.into(),
        };
        Self { phase, kind, message, os_error: None }
    }

    /// The same, with what the operating system said, if there is an error and it made it.
    #[must_use]
    pub fn because_of<'e>(self, error: impl Into<Option<&'e io::Error>>) -> Self {
        Self { os_error: error.into().and_then(OsError::of), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.phase, self.kind, self.message)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.os_error.as_ref().map(|error| error as _)
    }
}
