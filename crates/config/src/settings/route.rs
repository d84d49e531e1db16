//! Routes: which requests go where.

use std::time::Duration;

use ipnet::IpNet;

use crate::span::Spanned;
use crate::value::form::{
    CERTIFICATE_FACT, CONTENT_TYPE, COOKIE_NAME, FIELD_NAME, HOST, METHOD, PATH, ROUTE_PATH, WORD,
};
use crate::value::{Pairs, Size, Statuses};

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
    "a route" => pub struct Route with conditions: Conditions, filters: Filters {
        /// Name of the route in logs, metrics and messages.
        id: Spanned<String>, rule Form(&WORD), example "api-v1";
        /// The group of backends that requests are sent to.
        backend_group: Option<Spanned<String>>, rule Form(&WORD), example "api-servers";
        /// Answer with this instead of asking a backend.
        respond: Option<Spanned<Respond>>, example {"status": 200, "body": "ok"};
        /// Send the client elsewhere.
        redirect: Option<Spanned<Redirect>>, example {"to": "https://example.com/"};
        /// Lists of filters that apply before those of the route itself.
        filter_lists: Vec<Spanned<String>>, rule Form(&WORD), example ["security-headers"];
        /// Largest request body, instead of the listener's `max_body`; a larger one is answered with 413.
        max_body: Option<Size>, example "1GiB";
        /// Bridge gRPC-Web: such calls, which browsers can make, become calls of gRPC. The group's backends speak HTTP/2.
        grpc_web: Spanned<bool> = Spanned::unwritten(false), example true;
        /// Times that differ from those of the group.
        timeout: Option<Spanned<RouteTimeout>>, example {"request": "5m"};
        /// Pages for failures, before those of the whole configuration.
        error_pages: Vec<Spanned<ErrorPage>>, example [{"status": ["404"], "body": "nothing here"}];
        /// Conditions none of which may hold.
        not: Option<Spanned<Conditions>>, example {"client": ["10.0.0.0/8"]};
    }

    /// What a request has to be. A condition that is left out holds for every request.
    "conditions" => pub struct Conditions {
        /// Hosts: exact, `*.example.com` for every name below one, or `*`.
        host: Vec<Spanned<String>>, rule Form(&HOST), example ["example.com", "*.example.com"];
        /// Path: exact, such as `/health`; a beginning, such as `/api/*`, which does not take `/api` itself, or `prefix:/api`, which
        /// does; or a regular expression, such as `regex:^/users/(?<id>[0-9]+)$`. Paths are compared in normal form.
        path: Option<Spanned<String>>, rule Form(&ROUTE_PATH), example "/api/v1/*";
        /// Request methods.
        methods: Vec<Spanned<String>>, rule Form(&METHOD), example ["GET", "POST"];
        /// Header fields that must be there, with exactly this value, or one that begins with it (`prefix:`), or one that a regular
        /// expression takes (`regex:`), or any (`*`).
        headers: Pairs, example {"X-Version": "2", "Authorization": "prefix:Basic "};
        /// Query parameters that must be there, with values as for `headers`; names and values are compared decoded.
        query: Pairs, rule Names("names of parameters", &WORD), example {"version": "2", "debug": "*"};
        /// Cookies that must be there, with values as for `headers`.
        cookies: Pairs, rule Names("names of cookies", &COOKIE_NAME), example {"beta": "1"};
        /// What the client's certificate must say, with values as for `headers`: `subject`, `name` (one of its alternative names),
        /// `fingerprint` (SHA-256) and `serial`, both in small hexadecimal digits. Holds only where the listener asks for certificates.
        client_certificate: Pairs, rule Names("facts of certificates", &CERTIFICATE_FACT), example {"name": "billing.internal"};
        /// Addresses and networks of clients.
        client: Vec<IpNet>, example ["10.0.0.0/8", "192.0.2.1"];
    }

    /// What happens to a request before it is sent on, and to its response before the client gets it.
    "filters" => pub struct Filters {
        /// Beginning of the path to take off before a request is sent on.
        strip_prefix: Option<Spanned<String>>, rule Form(&PATH), example "/api/v1";
        /// Beginning of the path to put another one in place of.
        replace_prefix: Option<Spanned<ReplacePrefix>>, example {"from": "/api/v1", "to": "/v1"};
        /// Path to ask the backend for, and, behind a `?`, the query. Without a `?` the query stays. A template; `${capture.NAME}` is a
        /// group of the route's path if that is a regular expression.
        rewrite: Option<Spanned<String>>, rule Form(&WORD), example "/users?id=${capture.id}";
        /// Header fields to set on requests to the backend. Values are templates.
        add_headers: Pairs, example {"X-Proxy-Version": "1.0"};
        /// What to change in the header of requests to the backend.
        request_headers: Option<Spanned<HeaderChanges>>, example {"remove": ["Cookie"]};
        /// What to change in the header of responses from the backend.
        response_headers: Option<Spanned<HeaderChanges>>,
            example {"remove": ["Server"], "set": {"X-Frame-Options": "DENY"}};
    }

    /// Filters under a name, for several routes to use.
    "a list of filters" => pub struct FilterList with filters: Filters {
        /// Name of the list.
        id: Spanned<String>, rule Form(&WORD), example "security-headers";
    }

    /// Another beginning for the path.
    "a replaced prefix" => pub struct ReplacePrefix {
        /// What the path begins with.
        from: Spanned<String>, rule Form(&PATH), example "/api/v1";
        /// What it is to begin with.
        to: Spanned<String>, rule Form(&PATH), example "/v1";
    }

    /// Changes to the header of a message, in this order.
    "changes to a header" => pub struct HeaderChanges {
        /// Names of fields to take out.
        remove: Vec<Spanned<String>>, rule Form(&FIELD_NAME), example ["Server", "X-Powered-By"];
        /// Fields to set in place of whatever has their name. Values are templates.
        set: Pairs, example {"X-Frame-Options": "DENY"};
        /// Fields to put beside whatever has their name. Values are templates.
        append: Pairs, example {"Vary": "Cookie"};
    }

    /// Times of a route that differ from those of its group.
    "a route's timeouts" => pub struct RouteTimeout {
        /// Until a connection stands.
        connect: Option<Duration>, rule Positive, example "2s";
        /// Until the head of the answer is there; after that the client gets 504.
        request: Option<Duration>, rule Positive, example "5m";
        /// From the arrival of a request until the head of its answer is there, over all attempts and waits; then 504.
        total: Option<Duration>, rule Positive, example "1m";
        /// Silence while a body is moving.
        idle: Option<Duration>, rule Positive, example "5m";
        /// Silence in both directions of a connection that was switched to another protocol, such as a WebSocket.
        tunnel: Option<Duration>, rule Positive, example "1h";
    }

    /// What clients get to see when Forebay answers with a failure, in place of its own few words. Clients that ask for JSON get
    /// Forebay's own, unless the page is JSON.
    "an error page" => pub struct ErrorPage {
        /// For which failures.
        status: Vec<Spanned<Statuses>>, example ["404", "5xx"];
        /// The page. `${status}`, `${title}`, `${reason}` and `${request_id}` stand for what happened.
        body: Option<Spanned<String>>, example "<h1>${status} ${title}</h1>";
        /// File with the page, from the directory of this configuration.
        file: Option<Spanned<String>>, rule Form(&WORD), example "pages/sorry.html";
        /// Content type of the page.
        content_type: Spanned<String> = Spanned::unwritten("text/html; charset=utf-8".to_owned()),
            rule Form(&CONTENT_TYPE), example "application/json";
    }

    /// An answer that is always the same.
    "a fixed answer" => pub struct Respond {
        /// Status code.
        status: u16 = 200, rule Within(200, 599), example 503;
        /// Body.
        body: String = String::new(), example "down for maintenance";
        /// Content type of the body.
        content_type: Spanned<String> = Spanned::unwritten("text/plain; charset=utf-8".to_owned()),
            rule Form(&CONTENT_TYPE), example "application/json";
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
