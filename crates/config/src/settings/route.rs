//! Routes: which requests go where.

use crate::span::Spanned;
use crate::value::Pairs;
use crate::value::form::{HOST, METHOD, PATH, ROUTE_PATH, WORD};

choices! {
    /// Which of several matching routes takes a request.
    pub enum RoutingMode {
        /// The route with the most specific conditions, wherever it is in the file.
        Specific = "specific",
        /// The first one in the file.
        Ordered = "ordered",
    }
}

settings! {
    /// Conditions on a request, and what happens to one that meets all of them: exactly one of `backend_group`,
    /// `respond` and `redirect`.
    "a route" => pub struct Route {
        /// Name of the route in logs, metrics and messages.
        id: Spanned<String>, rule Form(&WORD), example "api-v1";
        /// Hosts: exact, `*.example.com` for every name below one, or `*`. Any host without it.
        host: Vec<Spanned<String>>, rule Form(&HOST), example ["example.com", "*.example.com"];
        /// Path: exact, or a beginning as in `/api/*`. Any path without it.
        path: Option<Spanned<String>>, rule Form(&ROUTE_PATH), example "/api/v1/*";
        /// Request methods. Any method without it.
        methods: Vec<Spanned<String>>, rule Form(&METHOD), example ["GET", "POST"];
        /// Header fields that must be there with exactly this value; `*` stands for any value.
        headers: Pairs, example {"X-Version": "2", "Authorization": "*"};
        /// The group of backends that requests are sent to.
        backend_group: Option<Spanned<String>>, rule Form(&WORD), example "api-servers";
        /// Beginning of the path to take off before a request is sent on.
        strip_prefix: Option<Spanned<String>>, rule Form(&PATH), example "/api/v1";
        /// Header fields to set on requests to the backend. Values are templates.
        add_headers: Pairs, example {"X-Proxy-Version": "1.0"};
        /// Answer with this instead of asking a backend.
        respond: Option<Spanned<Respond>>, example {"status": 200, "body": "ok"};
        /// Send the client elsewhere.
        redirect: Option<Spanned<Redirect>>, example {"to": "https://example.com/"};
    }

    /// An answer that is always the same.
    "a fixed answer" => pub struct Respond {
        /// Status code.
        status: u16 = 200, rule Within(200, 599), example 503;
        /// Body.
        body: String = String::new(), example "down for maintenance";
        /// Content type of the body.
        content_type: Spanned<String> = Spanned::unwritten("text/plain; charset=utf-8".to_owned()),
            rule Form(&WORD), example "application/json";
        /// Further header fields.
        headers: Pairs, example {"Retry-After": "120"};
    }

    /// An answer that sends the client elsewhere.
    "a redirect" => pub struct Redirect {
        /// Where to. A template.
        to: Spanned<String>, rule Form(&WORD), example "https://example.com/";
        /// Status code. 308 and 307 keep the method; 301 and 308 are permanent.
        status: u16 = 308, rule OneOf(&[301, 302, 303, 307, 308]), example 302;
    }
}
