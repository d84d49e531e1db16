//! Looking at one source for as long as it is wanted.

use std::path::Path;

use plan::BackendSource;
use registry::Shared as Registry;

use super::board::Board;
use super::{dns, list, services};

pub(super) async fn look(
    source: &BackendSource,
    board: &Board,
    registry: &Registry,
    directory: &Path,
) {
    match source {
        BackendSource::Dns(name) => dns::look(source, name, board).await,
        BackendSource::File(path) => list::look(source, &directory.join(&**path), board).await,
        BackendSource::Registry(wanted) => services::look(source, wanted, board, registry).await,
    }
}
