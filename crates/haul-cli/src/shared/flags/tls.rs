//! Whom to trust, and as whom to come.

use std::path::PathBuf;

use clap::Args;
use haul::config::TlsSettings;

#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsArgs {
    /// Trust the certificates in this file (PEM, DER) instead of the system's, and servers that show one; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Vec<PathBuf>,
    /// Show this client certificate (PEM, with its chain)
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// The client certificate's key (PEM) [default: in the file of --cert]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Accept any certificate: others on the way can then read and change everything, and a warning says so
    #[arg(short = 'k', long)]
    pub(crate) insecure: bool,
}

impl TlsArgs {
    /// What these flags say of TLS.
    pub(crate) fn settings(self) -> TlsSettings {
        TlsSettings {
            ca_files: self.cacert,
            client_certificate: self.cert,
            client_key: self.key,
            insecure: self.insecure,
            ..TlsSettings::default()
        }
    }
}
