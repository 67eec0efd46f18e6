//! Key exchange over P-521 (secp521r1), which rustls has no group for and AWS-LC has.
//!
//! Offered last, for servers that know nothing else.

use aws_lc_rs::agreement::{self, ECDH_P521, EphemeralPrivateKey, PublicKey, UnparsedPublicKey};
use aws_lc_rs::rand::SystemRandom;
use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved};

/// The group.
#[derive(Debug)]
pub(super) struct P521;

impl SupportedKxGroup for P521 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let private = EphemeralPrivateKey::generate(&ECDH_P521, &SystemRandom::new());
        let private = private.map_err(|_| Error::FailedToGetRandomBytes)?;
        let public = private.compute_public_key().map_err(|_| Error::FailedToGetRandomBytes)?;
        Ok(Box::new(P521KeyExchange { private, public }))
    }

    // The default pulls every group of this kind into the program.
    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

struct P521KeyExchange {
    private: EphemeralPrivateKey,
    public: PublicKey,
}

impl ActiveKeyExchange for P521KeyExchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        // TLS knows uncompressed points alone (RFC 8446 §4.2.8.2); AWS-LC would take others.
        if peer.first() != Some(&4) {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        let peer = UnparsedPublicKey::new(&ECDH_P521, peer);
        agreement::agree_ephemeral(self.private, peer, Error::from(PeerMisbehaved::InvalidKeyShare), |secret| {
            Ok(SharedSecret::from(secret))
        })
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_ref()
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree_and_a_wrong_point_is_the_peer_s_fault() {
        let (one, two) = (P521.start().unwrap(), P521.start().unwrap());
        let (public_one, public_two) = (one.pub_key().to_vec(), two.pub_key().to_vec());
        let secret = one.complete(&public_two).unwrap();
        assert_eq!(secret.secret_bytes(), two.complete(&public_one).unwrap().secret_bytes());
        assert_eq!(secret.secret_bytes().len(), 66);
        for wrong in [&[][..], &[4], &[2; 67], &public_one[..100], &[&public_one[..132], &[0xff]].concat()] {
            assert!(P521.start().unwrap().complete(wrong).is_err(), "{wrong:?}");
        }
    }
}
