//! Which connection serves the next request: pure book-keeping over any connection handle.
