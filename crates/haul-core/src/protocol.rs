//! Which protocol a connection speaks.

use http::Version;

/// A protocol that requests are sent over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1: one request at a time on a connection.
    Http1,
    /// HTTP/2: as many as the peer allows.
    Http2,
}

impl Protocol {
    /// What a request over it says.
    #[must_use]
    pub const fn version(self) -> Version {
        match self {
            Self::Http1 => Version::HTTP_11,
            Self::Http2 => Version::HTTP_2,
        }
    }

    /// Its name, as people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }

    /// The one that was agreed on during the TLS handshake (ALPN, RFC 7301); without one it is HTTP/1.1.
    #[must_use]
    pub fn of_alpn(agreed: Option<&[u8]>) -> Self {
        if agreed == Some(b"h2") { Self::Http2 } else { Self::Http1 }
    }
}
