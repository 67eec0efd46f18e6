//! What is done with a response body: decode, cap, digest, keep.
