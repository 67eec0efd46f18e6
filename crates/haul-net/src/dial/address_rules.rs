//! The rules by which a name's addresses may be connected to: family, local address, public or not, filter. Pure.

use std::net::IpAddr;
use std::sync::Arc;

use super::public;
use haul_core::config::{FamilyPreference, Setting};
use haul_core::model::{Failure, FailureKind, Phase};

/// Says whether an address may be connected to. IPv4 addresses written as IPv6 (`::ffff:1.2.3.4`) are shown to it as
/// the IPv4 addresses they are.
pub type AddressFilter = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// The rules every address has to pass.
pub(super) struct AddressRules {
    family: FamilyPreference,
    public_only: bool,
    filter: Option<AddressFilter>,
}

impl AddressRules {
    pub(super) fn new(family: FamilyPreference, public_only: bool) -> Self {
        Self { family, public_only, filter: None }
    }

    pub(super) fn set_filter(&mut self, filter: AddressFilter) {
        self.filter = Some(filter);
    }

    /// The addresses that may be tried from `local`, in the order given.
    ///
    /// # Errors
    /// `no_address` when none has the right family, `address_refused` when none of those is public although only public
    /// ones are wanted, or the filter lets none pass.
    pub(super) fn choose(&self, all: &[IpAddr], local: Option<IpAddr>, host: &str) -> Result<Vec<IpAddr>, Failure> {
        let usable = |ip: &IpAddr| self.family.allows(*ip) && local.is_none_or(|local| local.is_ipv4() == ip.is_ipv4());
        let mut chosen: Vec<IpAddr> = all.iter().copied().filter(usable).collect();
        if chosen.is_empty() {
            return Err(self.wrong_family(all, local, host));
        }
        if self.public_only {
            let usable = std::mem::take(&mut chosen);
            chosen.extend(usable.iter().filter(|ip| public::is_public(**ip)));
            if chosen.is_empty() {
                return Err(not_public(&usable, host));
            }
        }
        if let Some(filter) = &self.filter {
            chosen.retain(|ip| filter(ip.to_canonical()));
        }
        if chosen.is_empty() {
            let message = format!("the address filter refuses {host}: {}", list(all));
            return Err(Failure::new(Phase::Connect, FailureKind::AddressRefused, message));
        }
        Ok(chosen)
    }

    fn wrong_family(&self, all: &[IpAddr], local: Option<IpAddr>, host: &str) -> Failure {
        let wanted = match (self.family, local) {
            (FamilyPreference::Ipv4Only, _) => format!("only IPv4 is allowed (`{}`)", Setting::Ipv4Only),
            (FamilyPreference::Ipv6Only, _) => format!("only IPv6 is allowed (`{}`)", Setting::Ipv6Only),
            (FamilyPreference::Both, Some(local)) => format!("the local address {local} has the other family"),
            (FamilyPreference::Both, None) => "there is none".to_owned(),
        };
        let message = format!("no usable address for {host} among [{}]: {wanted}", list(all));
        Failure::new(Phase::Connect, FailureKind::NoAddress, message)
    }
}

/// None of a host's addresses is public.
fn not_public(addresses: &[IpAddr], host: &str) -> Failure {
    let why = |ip: &IpAddr| {
        let meant = public::stands_for(*ip).map_or_else(String::new, |meant| format!(", which means {meant},"));
        public::refused(*ip).map(|range| format!("{ip}{meant} is {} ({})", range.what, range.source))
    };
    let why: Vec<_> = addresses.iter().filter_map(why).take(NAMED).collect();
    let message = format!(
        "{host} is not on the public internet: {}; leave out `{}` to connect all the same",
        why.join(", "),
        Setting::PublicOnly
    );
    Failure::new(Phase::Connect, FailureKind::AddressRefused, message)
}

/// The most addresses named in a message.
const NAMED: usize = 4;

/// The first few addresses, for a message.
fn list(addresses: &[IpAddr]) -> String {
    let named: Vec<String> = addresses.iter().take(NAMED).map(IpAddr::to_string).collect();
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_and_the_local_address_narrow_the_choice() {
        let all = ips(&["::1", "127.0.0.1"]);
        let choose = |family, local: Option<&str>| {
            AddressRules::new(family, false).choose(&all, local.map(|text| text.parse().unwrap()), "h")
        };
        assert_eq!(choose(FamilyPreference::Both, None).unwrap(), all);
        assert_eq!(choose(FamilyPreference::Ipv4Only, None).unwrap(), ips(&["127.0.0.1"]));
        assert_eq!(choose(FamilyPreference::Ipv6Only, None).unwrap(), ips(&["::1"]));
        assert_eq!(choose(FamilyPreference::Both, Some("127.0.0.7")).unwrap(), ips(&["127.0.0.1"]));
        let clash = choose(FamilyPreference::Ipv6Only, Some("127.0.0.7")).unwrap_err();
        assert_eq!((clash.phase, clash.kind), (Phase::Connect, FailureKind::NoAddress));
    }

    #[test]
    fn the_filter_sees_the_address_that_is_meant_and_may_refuse_all() {
        let mut candidates = AddressRules::new(FamilyPreference::Both, false);
        candidates.set_filter(Arc::new(|ip: IpAddr| !ip.is_loopback()));
        let kept = candidates.choose(&ips(&["127.0.0.1", "192.0.2.1"]), None, "h").unwrap();
        assert_eq!(kept, ips(&["192.0.2.1"]));
        let refused = candidates.choose(&ips(&["::ffff:127.0.0.1", "::1"]), None, "h").unwrap_err();
        assert_eq!(refused.kind, FailureKind::AddressRefused);
        assert!(refused.message.contains("::1"), "{}", refused.message);
    }

    #[test]
    fn both_the_filter_and_the_wish_for_public_addresses_must_let_an_address_pass() {
        let mut candidates = AddressRules::new(FamilyPreference::Both, true);
        let all = ips(&["10.0.0.1", "198.41.0.4", "64:ff9b::10.0.0.1", "1.1.1.1"]);
        assert_eq!(candidates.choose(&all, None, "h").unwrap(), ips(&["198.41.0.4", "1.1.1.1"]));
        candidates.set_filter(Arc::new(|ip: IpAddr| ip != IpAddr::from([1, 1, 1, 1])));
        assert_eq!(candidates.choose(&all, None, "h").unwrap(), ips(&["198.41.0.4"]));
        assert_eq!(candidates.choose(&all[3..], None, "h").unwrap_err().kind, FailureKind::AddressRefused);
        let refused = candidates.choose(&all[..1], None, "intranet.example").unwrap_err();
        assert_eq!((refused.phase, refused.kind), (Phase::Connect, FailureKind::AddressRefused));
        assert_eq!(
            &*refused.message,
            "intranet.example is not on the public internet: 10.0.0.1 is private (RFC 1918); leave out \
             `network.public_only` to connect all the same"
        );
        let translated = candidates.choose(&all[2..3], None, "h").unwrap_err();
        assert!(translated.message.contains("64:ff9b::a00:1, which means 10.0.0.1, is private"), "{translated}");
    }
}
