//! The client certificate and its key.
//!
//! It is for the server to judge the certificate. All that has to be right here is that the key belongs to it, so nothing else of it is
//! read: one of X.509 version 1, or with extensions that only its server knows, is as good as another.

use std::sync::Arc;

use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, SubjectPublicKeyInfoDer};

use super::certificate::{Certificate, public_bits};
use super::der::{DerFields, OBJECT, OCTETS, SEQUENCE, content, find};
use super::roots;
use super::rsa_pss::NAMES;
use super::tls::{TlsError, provider};
use crate::tls_words;
use haul_core::config::TlsSettings;

/// The client certificate that the settings name, with its issuers and its key.
///
/// # Errors
/// A file that can't be read or used; a key without a certificate; a key that belongs to none of the certificates.
pub(super) fn read(settings: &TlsSettings) -> Result<Option<Arc<CertifiedKey>>, TlsError> {
    let Some(certificate) = &settings.client_certificate else {
        return match &settings.client_key {
            Some(key) => Err(TlsError::file(key, "is a client key without a client certificate".to_owned())),
            None => Ok(None),
        };
    };
    let chain = roots::certificates(certificate)?;
    let path = settings.client_key.as_ref().unwrap_or(certificate);
    let keys = roots::contents(path)?.keys().map_err(|what| TlsError::file(path, what))?;
    let mut refused = None;
    let keys: Vec<_> = keys.iter().filter_map(|key| load(key).map_err(|error| refused = Some(error)).ok()).collect();
    // Usually one of each. The certificate in front is the client's own, unless the key belongs to another.
    for at in 0..chain.len() {
        if let Some(key) = keys.iter().find(|key| belongs(key.as_ref(), &chain[at])) {
            let mut chain = chain;
            chain[..=at].rotate_right(1);
            return Ok(Some(Arc::new(CertifiedKey::new(chain, Arc::clone(key)))));
        }
    }
    let why = match refused {
        _ if chain.iter().any(|certificate| Certificate::read(certificate).is_none()) => {
            "the certificate can't be read: it is not in the form that X.509 gives it".to_owned()
        }
        None => "the key belongs to another certificate".to_owned(),
        Some(Error::General(_)) => {
            "keys have to be RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519; this one is not, or is damaged"
                .to_owned()
        }
        Some(error) => tls_words::words(&error),
    };
    Err(TlsError::file(path, format!("can't be used with {}: {why}", certificate.display())))
}

/// A key that can sign.
fn load(key: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, Error> {
    let keys = provider().key_provider;
    match pss(key.secret_der()) {
        Some((inner, only)) => Ok(Arc::new(PssSigningKey { key: keys.load_private_key(inner)?, only })),
        None => keys.load_private_key(key.clone_key()),
    }
}

/// Whether a key belongs to a certificate.
fn belongs(key: &dyn SigningKey, certificate: &CertificateDer<'_>) -> bool {
    let own = key.public_key();
    let own = own.as_ref().and_then(|key| public_bits(content(key, SEQUENCE)?));
    let theirs = Certificate::read(certificate).and_then(|certificate| certificate.public_key());
    own.zip(theirs).is_some_and(|(own, theirs)| own == theirs || is_point(own, theirs))
}

/// Whether the second is the first as a compressed point of a curve (SEC 1 §2.3.3): one coordinate, and whether the other is odd.
fn is_point(whole: &[u8], compressed: &[u8]) -> bool {
    let ([0, 4, whole @ ..], [0, sign @ 2..=3, x @ ..]) = (whole, compressed) else { return false };
    whole.len() == 2 * x.len() && whole.starts_with(x) && whole.last().is_some_and(|last| last & 1 == sign & 1)
}

/// id-RSASSA-PSS.
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 10];
/// The hash functions of SHA-2, but for the last number: 1, 2 and 3 are SHA-256, SHA-384 and SHA-512.
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
/// `[0]` of RSASSA-PSS-params: the hash function (RFC 4055 §3.1).
const HASH: u8 = 0xa0;

/// A key that is for RSA-PSS alone, as one for RSA, and the one hash function that it is for, if it says so. rustls knows no such
/// keys, but they differ in nothing from others except in how their signatures are called.
fn pss(pkcs8: &[u8]) -> Option<(PrivateKeyDer<'static>, Option<u8>)> {
    let fields = content(pkcs8, SEQUENCE)?;
    let algorithm = find(fields, SEQUENCE)?;
    if content(algorithm, OBJECT)? != RSA_PSS {
        return None;
    }
    let key = PrivatePkcs1KeyDer::from(find(fields, OCTETS)?.to_vec());
    let only = find(algorithm, SEQUENCE).map(|parameters| hash(parameters).unwrap_or(0));
    Some((key.into(), only))
}

/// The last number of the hash function in RSASSA-PSS-params. `None`: SHA-1, or another that TLS has no signatures with.
fn hash(parameters: &[u8]) -> Option<u8> {
    let hash = content(find(parameters, HASH)?, SEQUENCE)?;
    let (_, id) = DerFields(hash).next()??;
    id.strip_prefix(SHA2)?.first().copied()
}

/// A key for RSA-PSS alone.
#[derive(Debug)]
struct PssSigningKey {
    key: Arc<dyn SigningKey>,
    only: Option<u8>,
}

impl SigningKey for PssSigningKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let usable = NAMES.into_iter().filter(|(hash, ..)| self.only.is_none_or(|only| only == *hash));
        let names = usable.map(|(_, own, common)| (SignatureScheme::from(own), common));
        // For TLS 1.2 rustls leaves out names that it does not know; what it then offers for all of RSA goes for these, too. Only there
        // it offers PKCS#1.
        let is_tls12 = offered.contains(&SignatureScheme::RSA_PKCS1_SHA256);
        let (scheme, common) =
            names.into_iter().find(|(own, common)| offered.contains(own) || (is_tls12 && offered.contains(common)))?;
        Some(Box::new(PssSigner { signer: self.key.choose_scheme(&[common])?, scheme }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.key.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}

/// What signs, with another name for what it does.
#[derive(Debug)]
struct PssSigner {
    signer: Box<dyn Signer>,
    scheme: SignatureScheme,
}

impl Signer for PssSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.signer.sign(message)
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa;

    use super::super::der::der;
    use super::*;

    #[test]
    fn a_compressed_point_is_the_whole_one_s() {
        let whole = |y: u8| [vec![0, 4], vec![7; 32], vec![9; 31], vec![y]].concat();
        let short = |sign: u8, x: u8| [vec![0, sign], vec![x; 32]].concat();
        for (y, sign, x, same) in
            [(2, 2, 7, true), (3, 3, 7, true), (2, 3, 7, false), (3, 2, 7, false), (2, 2, 8, false)]
        {
            assert_eq!(is_point(&whole(y), &short(sign, x)), same, "{y} {sign} {x}");
        }
        assert!(!is_point(&whole(2), &whole(2)) && !is_point(&whole(2), &[0, 2]) && !is_point(&[], &[]));
    }

    #[test]
    fn a_key_for_pss_alone_is_known_with_its_hash_function() {
        let key =
            |algorithm: &[u8]| der(SEQUENCE, &[der(2, &[0]), der(SEQUENCE, algorithm), der(OCTETS, b"inner")].concat());
        let with = |hash: &[u8]| [der(OBJECT, RSA_PSS), der(SEQUENCE, hash)].concat();
        let sha2 = |last: u8| der(HASH, &der(SEQUENCE, &der(OBJECT, &[SHA2, &[last]].concat())));
        for (algorithm, expected) in [
            (der(OBJECT, RSA_PSS), Some(None)),
            (with(&sha2(1)), Some(Some(1))),
            (with(&sha2(3)), Some(Some(3))),
            // SHA-1, which is what is not said.
            (with(&[]), Some(Some(0))),
            (with(&der(HASH, &der(SEQUENCE, &der(OBJECT, &[0x2b])))), Some(Some(0))),
            (der(OBJECT, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 1]), None),
        ] {
            let found = pss(&key(&algorithm));
            assert_eq!(found.as_ref().map(|(_, only)| *only), expected, "{algorithm:?}");
            assert!(found.is_none_or(|(inner, _)| inner.secret_der() == b"inner"));
        }
        assert!(pss(b"").is_none() && pss(b"inner").is_none());
    }

    #[test]
    fn such_a_key_signs_under_its_own_names() {
        let offered = |numbers: &[u16]| numbers.iter().map(|number| SignatureScheme::from(*number)).collect::<Vec<_>>();
        let rsa = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).expect("a key");
        let rsa = AsDer::<Pkcs8V1Der<'_>>::as_der(&rsa).expect("in memory");
        let rsa = PrivateKeyDer::try_from(rsa.as_ref()).expect("PKCS#8");
        let chosen = |only, numbers: &[u16]| {
            let key = PssSigningKey { key: load(&rsa).expect("a key"), only };
            key.choose_scheme(&offered(numbers)).map(|signer| {
                assert_eq!(signer.sign(b"text").expect("signs").len(), 256);
                u16::from(signer.scheme())
            })
        };
        for (only, numbers, expected) in [
            (None, &[0x0804, 0x0809, 0x080b][..], Some(0x0809)),
            (None, &[0x0804, 0x080b], Some(0x080b)),
            (None, &[0x0804, 0x0403], None),
            (None, &[0x0403, 0x0401], None),
            (None, &[0x0804, 0x0401], Some(0x0809)),
            (Some(2), &[0x0804, 0x0805, 0x0401], Some(0x080a)),
            (Some(3), &[0x0809, 0x080a, 0x080b], Some(0x080b)),
            (Some(0), &[0x0809, 0x080a, 0x080b], None),
        ] {
            assert_eq!(chosen(only, numbers), expected, "{only:?} {numbers:x?}");
        }
    }
}
