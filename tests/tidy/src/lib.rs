//! The project's own rules, checked by its tests.
