//! Where metrics are served: this machine alone, unless another address is written out. Pure.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// `9100`, `:9100` and `localhost:9100` are 127.0.0.1; any other address is written out, as `[::1]:9100` or `0.0.0.0:9100`.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    let local = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
    match local.parse::<u16>() {
        Ok(port) => Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)),
        Err(_) => text.parse().map_err(|_| {
            "not a port or an address with one; write it like 9100 (this machine only), [::1]:9100 or 192.0.2.7:9100"
                .to_owned()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_this_machine_and_others_are_written_out() {
        for (text, parsed) in [
            ("9100", "127.0.0.1:9100"),
            (":9100", "127.0.0.1:9100"),
            ("localhost:9100", "127.0.0.1:9100"),
            ("0", "127.0.0.1:0"),
            ("[::1]:9100", "[::1]:9100"),
            ("0.0.0.0:80", "0.0.0.0:80"),
        ] {
            assert_eq!(address(text).map(|address| address.to_string()), Ok(parsed.to_owned()), "{text}");
        }
        for text in ["", ":", "65536", "127.0.0.1", "::1:9100x", "example.com:80", "localhost", "-1", "*:80"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
