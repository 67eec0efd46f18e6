//! Keys for RSA-PSS alone (id-RSASSA-PSS, RFC 4055): a server's, in TLS 1.3, and what such keys have signed.
//!
//! webpki and rustls check signatures with RSA-PSS, but only of keys for all of RSA. The others differ in how the certificate calls
//! them and in how TLS calls their signatures. In TLS 1.2 rustls refuses these names.

use std::sync::OnceLock;

use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};

/// How signatures with RSA-PSS are called, with which hash function: by keys for it alone, and by keys for all of RSA
/// (RFC 8446 §4.2.3, rsa_pss_pss and rsa_pss_rsae). The hash functions are SHA-256, SHA-384 and SHA-512, by the last numbers of their
/// object identifiers.
pub(super) const NAMES: [(u8, u16, SignatureScheme); 3] = [
    (1, 0x0809, SignatureScheme::RSA_PSS_SHA256),
    (2, 0x080a, SignatureScheme::RSA_PSS_SHA384),
    (3, 0x080b, SignatureScheme::RSA_PSS_SHA512),
];

/// A key for RSA-PSS with any hash function.
const ANY_HASH: AlgorithmIdentifier =
    AlgorithmIdentifier::from_slice(&[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 10]);

/// These algorithms, and the same for keys for RSA-PSS alone. They have to live for ever, so they are made once, of those that the
/// process came upon first; there is but one provider in it.
pub(super) fn with_own_keys(known: WebPkiSupportedAlgorithms) -> WebPkiSupportedAlgorithms {
    static WITH: OnceLock<WebPkiSupportedAlgorithms> = OnceLock::new();
    *WITH.get_or_init(|| {
        let (mut all, mut mapping) = (known.all.to_vec(), known.mapping.to_vec());
        for (_, own, common) in NAMES {
            let algorithms =
                known.mapping.iter().find(|(scheme, _)| *scheme == common).map(|(_, algorithms)| *algorithms);
            let Some([check, ..]) = algorithms else { continue };
            // A key that is for one hash function alone has the same words for that as a signature.
            let keys = [ANY_HASH, check.signature_alg_id()];
            let algorithms: Vec<&'static dyn SignatureVerificationAlgorithm> = keys
                .into_iter()
                .map(|key| &*Box::leak(Box::new(PssVerificationAlgorithm { key, check: *check })) as _)
                .collect();
            all.extend(&algorithms);
            mapping.push((SignatureScheme::from(own), Vec::leak(algorithms)));
        }
        WebPkiSupportedAlgorithms { all: Vec::leak(all), mapping: Vec::leak(mapping) }
    })
}

/// The algorithms for a signature that has a name of its own. rustls would try only the first of them.
pub(super) fn of(
    known: &WebPkiSupportedAlgorithms,
    scheme: SignatureScheme,
) -> Option<&'static [&'static dyn SignatureVerificationAlgorithm]> {
    NAMES.into_iter().find(|(_, own, _)| SignatureScheme::from(*own) == scheme)?;
    known.mapping.iter().find(|(own, _)| *own == scheme).map(|(_, algorithms)| *algorithms)
}

/// Another algorithm, for other keys.
#[derive(Debug)]
struct PssVerificationAlgorithm {
    key: AlgorithmIdentifier,
    check: &'static dyn SignatureVerificationAlgorithm,
}

impl SignatureVerificationAlgorithm for PssVerificationAlgorithm {
    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        self.check.verify_signature(public_key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.check.signature_alg_id()
    }
}

#[cfg(test)]
mod tests {
    use rustls::crypto::aws_lc_rs::default_provider;

    use super::*;

    #[test]
    fn each_hash_function_has_its_algorithms_for_keys_with_and_without_its_name() {
        let known = default_provider().signature_verification_algorithms;
        let with = with_own_keys(known);
        assert_eq!((with.all.len(), with.mapping.len()), (known.all.len() + 6, known.mapping.len() + 3));
        for (_, own, common) in NAMES {
            assert!(of(&with, common).is_none() && of(&known, own.into()).is_none());
            let [any, one] = of(&with, own.into()).expect("known now") else { panic!("two kinds of keys") };
            assert_eq!(any.public_key_alg_id(), ANY_HASH);
            assert_eq!(one.public_key_alg_id(), one.signature_alg_id());
            assert_eq!(any.signature_alg_id(), one.signature_alg_id());
        }
    }
}
