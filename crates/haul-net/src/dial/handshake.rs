//! The TLS handshake over an open stream, and what its errors mean.
//!
//! It uses tokio-rustls itself and not hyper-rustls, which would cost the same (`benches/tls_connect.rs`: 1 % of a
//! handshake's processor time, 1 % of a request's) but has no time-out of its own, does not tell how long the
//! handshake took or whether it resumed a session, and connects by the older RFC 6555.

use std::io;
use std::sync::Arc;

use rustls::{CertificateError, ClientConfig, Error, InvalidMessage};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
pub(super) use tokio_rustls::client::TlsStream;

use super::sni_rewrite;
use crate::tls_words;
use haul_core::config::Setting;
use haul_core::model::{Failure, FailureKind, Phase};

/// Shakes hands as a client of `host`.
///
/// # Errors
/// A failure of phase `tls`.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    config: Option<Arc<ClientConfig>>,
    host: &str,
    stream: S,
) -> Result<TlsStream<S>, Failure> {
    let name = server_name(host)?;
    let config = config.ok_or_else(|| unspeakable(host))?;
    let connector = TlsConnector::from(config);
    connector.connect(name, stream).await.map_err(|error| failure(host, &error))
}

/// Whether the stream to `host` has to be [`super::sni_rewrite::SniRewriteStream`].
pub(super) fn is_odd(host: &str) -> bool {
    sni_rewrite::is_odd(bare(host))
}

/// Without an IPv6 literal's brackets and a name's final dot.
fn bare(host: &str) -> &str {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.strip_suffix('.').unwrap_or(bare)
}

/// The name to ask for and to check.
fn server_name(host: &str) -> Result<ServerName<'static>, Failure> {
    let name = if is_odd(host) { sni_rewrite::respell(bare(host)) } else { bare(host).to_owned() };
    ServerName::try_from(name).map_err(|_| {
        let message = format!("'{host}' is no name in DNS: a label has more than 63 bytes, or all of it more than 253");
        // No certificate has been seen.
        Failure::new(Phase::Tls, FailureKind::Handshake, message)
    })
}

/// The failure of a host that a TLS configuration of the user's own has no word for.
fn unspeakable(host: &str) -> Failure {
    let message = format!(
        "'{host}' is not a name that rustls knows, and in a TLS configuration of your own haul can't spell it otherwise; leave the \
         configuration out, or reach the host by another name"
    );
    Failure::new(Phase::Tls, FailureKind::CertificateName, message)
}

/// What an error of the handshake means.
fn failure(host: &str, error: &io::Error) -> Failure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let (kind, text) = match inner {
        Some(error) => tls_error(error),
        None => io_error(error),
    };
    Failure::new(Phase::Tls, kind, format!("TLS handshake with {host}: {text}")).because_of(error)
}

fn io_error(error: &io::Error) -> (FailureKind, String) {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => (FailureKind::Closed, "the peer closed the connection".to_owned()),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            (FailureKind::Reset, "the peer reset the connection".to_owned())
        }
        _ => (FailureKind::Io, error.to_string()),
    }
}

/// The kind of an error of TLS; its words, with what to do about a certificate.
fn tls_error(error: &Error) -> (FailureKind, String) {
    let (kind, hint) = match error {
        Error::InvalidCertificate(reason) => certificate_error(reason),
        Error::NoCertificatesPresented => (FailureKind::CertificateUntrusted, String::new()),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => (FailureKind::Protocol, String::new()),
        // As when it had closed without a word: it is tried again.
        Error::AlertReceived(alert) if tls_words::may_pass(*alert) => (FailureKind::Reset, String::new()),
        _ => (FailureKind::Handshake, String::new()),
    };
    (kind, format!("{}{hint}", tls_words::words(error)))
}

fn certificate_error(reason: &CertificateError) -> (FailureKind, String) {
    use CertificateError as Reason;
    let (files, insecure) = (Setting::CaFiles, Setting::Insecure);
    let accept = || format!("; `{insecure}` accepts it");
    let give_it = || format!("; name its root, or the certificate itself, with `{files}`, or use `{insecure}`");
    match reason {
        Reason::Expired | Reason::ExpiredContext { .. } => (FailureKind::CertificateExpired, accept()),
        Reason::NotValidYet | Reason::NotValidYetContext { .. } => {
            (FailureKind::CertificateExpired, format!("; check this machine's clock, or use `{insecure}`"))
        }
        Reason::NotValidForName | Reason::NotValidForNameContext { .. } => (FailureKind::CertificateName, accept()),
        Reason::UnknownIssuer => (FailureKind::CertificateUntrusted, give_it()),
        Reason::Other(other) if other.0.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity) => {
            (FailureKind::CertificateUntrusted, give_it())
        }
        _ => (FailureKind::CertificateUntrusted, accept()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{AlertDescription, OtherError};

    use super::*;

    #[test]
    fn what_is_no_name_is_no_fault_of_a_certificate() {
        let long = format!("{}.test", "x".repeat(64));
        let failure = server_name(&long).expect_err("rustls has learnt to take it");
        assert_eq!((failure.phase, failure.kind), (Phase::Tls, FailureKind::Handshake));
        assert!(failure.message.contains("63 bytes"), "{failure}");
        for host in ["a..test", ".a.test", "a.test.", "[::1]"] {
            assert!(server_name(host).is_ok(), "{host}");
        }
    }

    #[test]
    fn each_fault_of_a_certificate_has_its_kind_and_what_helps() {
        let other = |error: webpki::Error| CertificateError::Other(OtherError(Arc::new(error)));
        for (reason, kind, hint) in [
            (CertificateError::Expired, FailureKind::CertificateExpired, "tls.insecure"),
            (CertificateError::NotValidYet, FailureKind::CertificateExpired, "clock"),
            (CertificateError::NotValidForName, FailureKind::CertificateName, "tls.insecure"),
            (CertificateError::UnknownIssuer, FailureKind::CertificateUntrusted, "tls.ca_files"),
            (CertificateError::BadSignature, FailureKind::CertificateUntrusted, "tls.insecure"),
            (other(webpki::Error::CaUsedAsEndEntity), FailureKind::CertificateUntrusted, "tls.ca_files"),
            (other(webpki::Error::UnsupportedCertVersion), FailureKind::CertificateUntrusted, "tls.insecure"),
        ] {
            let (told, text) = tls_error(&Error::InvalidCertificate(reason));
            assert!(told == kind && text.contains(hint), "{text}");
        }
        for (alert, kind) in [
            (AlertDescription::InternalError, FailureKind::Reset),
            (AlertDescription::UserCanceled, FailureKind::Reset),
            (AlertDescription::BadRecordMac, FailureKind::Reset),
            (AlertDescription::HandshakeFailure, FailureKind::Handshake),
            (AlertDescription::UnrecognisedName, FailureKind::Handshake),
            (AlertDescription::UnknownCA, FailureKind::Handshake),
        ] {
            assert_eq!(tls_error(&Error::AlertReceived(alert)).0, kind, "{alert:?}");
        }
        let (_, version) = tls_error(&Error::InvalidCertificate(other(webpki::Error::UnsupportedCertVersion)));
        assert!(!version.contains("tls.ca_files"), "it helps nothing to give it: {version}");
    }
}
