//! Every endpoint, once: what it is called, what it takes and gives, and who
//! serves it.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler as Serves;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema};

use crate::shared::Shared;
use crate::{api, auth, mend};

/// Bytes of a body.
const BODY: usize = 16 << 10;
/// Bytes of a configuration.
pub(crate) const CONFIGURATION: usize = 4 << 20;

type Shape = fn(&mut SchemaGenerator) -> Schema;

/// One method of one path.
pub(crate) struct Endpoint {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) about: &'static str,
    pub(crate) query: Vec<(&'static str, &'static str)>,
    pub(crate) takes: Option<Content>,
    pub(crate) gives: Vec<(u16, Option<Content>)>,
    pub(crate) refuses: Vec<u16>,
    pub(crate) is_open: bool,
    serves: MethodRouter<Arc<Shared>>,
}

/// What a body holds.
pub(crate) struct Content {
    pub(crate) media_type: &'static str,
    /// None for what is no JSON.
    pub(crate) shape: Option<Shape>,
}

impl Content {
    fn json<T: JsonSchema>() -> Self {
        Self {
            media_type: "application/json",
            shape: Some(SchemaGenerator::subschema_for::<T>),
        }
    }

    fn of(media_type: &'static str) -> Self {
        Self {
            media_type,
            shape: None,
        }
    }
}

impl Endpoint {
    pub(crate) fn new<S, T>(
        method: &'static str,
        path: &'static str,
        about: &'static str,
        serve: S,
    ) -> Self
    where
        S: Serves<T, Arc<Shared>>,
        T: 'static,
    {
        let filter = match method {
            "post" => MethodFilter::POST,
            "put" => MethodFilter::PUT,
            "patch" => MethodFilter::PATCH,
            "delete" => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        };
        Self {
            method,
            path,
            about,
            query: Vec::new(),
            takes: None,
            gives: Vec::new(),
            refuses: Vec::new(),
            is_open: false,
            serves: on(filter, serve),
        }
    }

    pub(crate) fn query(mut self, name: &'static str, about: &'static str) -> Self {
        self.query.push((name, about));
        self
    }

    pub(crate) fn takes<T: JsonSchema>(mut self) -> Self {
        self.takes = Some(Content::json::<T>());
        self
    }

    /// A body of so many bytes.
    pub(crate) fn up_to(mut self, bytes: usize) -> Self {
        self.serves = self.serves.layer(DefaultBodyLimit::max(bytes));
        self
    }

    /// A configuration, of which there may be more.
    pub(crate) fn takes_configuration(mut self) -> Self {
        self.takes = Some(Content::of("text/plain"));
        self.up_to(CONFIGURATION)
    }

    pub(crate) fn gives<T: JsonSchema>(mut self, status: u16) -> Self {
        self.gives.push((status, Some(Content::json::<T>())));
        self
    }

    pub(crate) fn gives_nothing(mut self, status: u16) -> Self {
        self.gives.push((status, None));
        self
    }

    /// A stream of events.
    pub(crate) fn streams(mut self) -> Self {
        self.gives
            .push((200, Some(Content::of("text/event-stream"))));
        self
    }

    pub(crate) fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refuses.extend(statuses);
        self
    }

    /// Without a token.
    pub(crate) fn open(mut self) -> Self {
        self.is_open = true;
        self
    }
}

/// All of them.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let mut all = api::health::endpoints();
    all.extend(api::status::endpoints());
    all.extend(api::stats::endpoints());
    all.extend(api::routes::endpoints());
    all.extend(api::config::endpoints());
    all.extend(api::explain::endpoints());
    all.extend(api::backends::endpoints());
    all.extend(api::exchanges::endpoints());
    all.extend(api::events::endpoints());
    all.extend(api::log::endpoints());
    all.extend(api::services::endpoints());
    all.extend(api::openapi::endpoints());
    all
}

/// What serves them.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let all = endpoints().into_iter();
    let router = all.fold(Router::new(), |router, endpoint| {
        router.route(endpoint.path, endpoint.serves)
    });
    let router: Router = router
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn_with_state(Arc::clone(&shared), auth::admit))
        .with_state(shared);
    // Around the whole of it, for `Allow` is added outside of layers.
    Router::new()
        .fallback_service(router)
        .layer(from_fn(mend::mend))
}
