//! `/etc/hosts`: names of this machine's own. Pure.

use std::collections::HashMap;
use std::net::IpAddr;

/// The names in the file, in small letters, each with its addresses in the file's order.
#[derive(Debug, Default)]
pub(super) struct HostsFile(HashMap<Box<str>, Vec<IpAddr>>);

impl HostsFile {
    /// Reads the file's text: an address and its names a line, `#` before what is none. Other lines are passed over.
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut names: HashMap<Box<str>, Vec<IpAddr>> = HashMap::new();
        for line in String::from_utf8_lossy(text).lines() {
            let line = line.split_once('#').map_or(line, |(before, _)| before);
            let mut words = line.split_whitespace();
            let Some(Ok(address)) = words.next().map(str::parse) else { continue };
            for word in words {
                let addresses = names.entry(word.to_ascii_lowercase().into()).or_default();
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        Self(names)
    }

    /// The addresses of `name`, which is in small letters. A final dot makes it another name, as in glibc.
    pub(super) fn get(&self, name: &str) -> &[IpAddr] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether it has this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_an_address_and_its_names() {
        let text = b"# comment\n127.0.0.1 localhost\n192.0.2.1\tA.test  b.test # c.test\r\n\n::1 a.test\n\
            not-an-address d.test\n192.0.2.2 a.test e.test.\n192.0.2.1 a.test\n192.0.2.9\n\xff f.test\nfe80::1%eth0 g.test";
        let hosts = HostsFile::parse(text);
        for (name, expected) in [
            ("a.test", &["192.0.2.1", "::1", "192.0.2.2"][..]),
            ("b.test", &["192.0.2.1"]),
            ("c.test", &[]),
            ("d.test", &[]),
            ("a.test.", &[]),
            ("e.test", &[]),
            ("e.test.", &["192.0.2.2"]),
            ("f.test", &[]),
            ("g.test", &[]),
            ("192.0.2.9", &[]),
        ] {
            let expected: Vec<IpAddr> = expected.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(hosts.get(name), expected, "{name}");
        }
    }
}
