//! Everything here is in `tests/sim`; see `README.md`.
