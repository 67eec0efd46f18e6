//! From an origin to an open, negotiated connection: addresses, race, sockets, TLS.
