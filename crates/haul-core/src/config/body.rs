//! What is done with response heads and bodies, and how large they may be.

/// Decoding, keeping, and caps.
#[derive(Clone, Debug)]
pub struct BodySettings {
    /// Whether gzip, br, zstd and deflate are asked for and decoded. Default true. False keeps the bytes as sent.
    pub decode: bool,
    /// Whether decoded bodies are kept for the record. Default false: counted, checked and dropped.
    pub keep: bool,
    /// Whether response headers are kept for the record. Default false.
    pub keep_headers: bool,
    /// Whether a SHA-256 of the decoded body is computed. Default false; costs about 2 ns a byte without SHA
    /// instructions, 0.5 ns with.
    pub digest: bool,
    /// The most body bytes accepted from the wire. Default 64 MiB.
    pub max_wire: u64,
    /// The most decoded body bytes. Default 64 MiB.
    pub max_decoded: u64,
    /// The most decoded body bytes of a body that is kept in memory. Default 64 MiB; what kept bodies can take together
    /// is this times the concurrency.
    pub max_kept: u64,
    /// The largest decoded:wire ratio, judged from 1 MiB decoded on. Default 200. (gzip's own maximum is about 1030.)
    pub max_ratio: u32,
    /// Bytes that an HTTP/2 peer may send of a body before they are read; a connection's window is 128 times that. Default
    /// 1 MiB: a page of ordinary size without a stall.
    pub h2_stream_window: u32,
    /// What the frames of an HTTP/2 connection that have not been read may take beside their bytes: each of less than 256 bytes
    /// counts as what it lacks. Then the connection ends. Default `None`: half of the connection's window.
    pub h2_frame_overhead: Option<usize>,
    /// The largest response head in bytes. Default 64 KiB.
    pub max_head: usize,
    /// The most response headers. Default 100: with more than that hyper takes 8 KiB of memory for each response.
    pub max_headers: usize,
}

impl Default for BodySettings {
    fn default() -> Self {
        Self {
            decode: true,
            keep: false,
            keep_headers: false,
            digest: false,
            max_wire: 64 << 20,
            max_decoded: 64 << 20,
            max_kept: 64 << 20,
            max_ratio: 200,
            h2_stream_window: 1 << 20,
            h2_frame_overhead: None,
            max_head: 64 << 10,
            max_headers: 100,
        }
    }
}
