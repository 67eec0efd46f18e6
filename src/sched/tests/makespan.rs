//! How long a run takes against how long it must take.
