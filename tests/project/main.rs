//! What holds of the sources and the documents: layers, names, the public surface, promises and the tests behind them.

mod layers;
mod public_surface;
mod security_page;
mod sources;
