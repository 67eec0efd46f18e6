//! One exchange on one connection: HTTP/1.1 driven inline, HTTP/2 by streams.
