//! Names to addresses: hickory behind a small cache.
