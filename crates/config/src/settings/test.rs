//! Unit tests of a configuration: requests, and what is to become of them.

use crate::span::Spanned;
use crate::value::Pairs;
use crate::value::form::{METHOD, WORD};

settings! {
    /// A request and what is to become of it, for `forebay test`. Nothing is sent.
    "a test" => pub struct Test {
        /// What it shows. Without it, the request stands for it.
        name: Option<String>, example "requests for the API lose their prefix";
        /// The request.
        request: Spanned<TestRequest>, example {"url": "http://example.com/api/users"};
        /// What is to become of it. At least one of these.
        expect: Spanned<Expectation>, example {"route": "api", "target": "/users"};
    }

    /// The request of a test.
    "a test's request" => pub struct TestRequest {
        /// Method.
        method: String = "GET".to_owned(), rule Form(&METHOD), example "POST";
        /// Where to: `http://host/path`, or a path, which goes to `localhost`.
        url: Spanned<String>, rule Form(&WORD), example "http://example.com/api/users?page=2";
        /// Header fields.
        headers: Pairs, example {"X-Version": "2"};
        /// The address it comes from.
        client: Option<Spanned<String>>, rule Form(&WORD), example "10.1.2.3";
        /// Name of the listener that it comes to. Without it, the first one.
        listener: Option<Spanned<String>>, example "public";
        /// What a certificate says that the client shows. Only a listener that asks for certificates looks at it.
        client_certificate: Option<Spanned<TestCertificate>>, example {"subject": "CN=billing", "names": ["billing.internal"]};
    }

    /// What a client's certificate says, in a test. It counts as verified.
    "a test's client certificate" => pub struct TestCertificate {
        /// Whom it is for, as RFC 4514 writes it.
        subject: Option<String>, example "CN=billing,O=Example";
        /// Its alternative names.
        names: Vec<String>, example ["billing.internal"];
        /// SHA-256 of the certificate, in hexadecimal digits.
        fingerprint: Option<String>, example "6f4c0f5d";
        /// Serial number, in hexadecimal digits.
        serial: Option<String>, example "0a1b";
    }

    /// What is to become of a test's request. What is not given is not looked at.
    "an expectation" => pub struct Expectation {
        /// The route that takes it.
        route: Option<Spanned<String>>, example "api";
        /// The group it is sent to.
        group: Option<Spanned<String>>, example "app";
        /// Status of an answer that Forebay gives itself: a fixed one, a redirect, or a failure such as 404.
        status: Option<u16>, rule Within(200, 599), example 308;
        /// Reason of a failure.
        reason: Option<Spanned<String>>, example "no_route";
        /// Header fields of an answer that Forebay gives itself; `*` stands for any value.
        headers: Pairs, example {"Location": "https://example.com/"};
        /// Target of the request that the backend would get.
        target: Option<Spanned<String>>, example "/users?page=2";
        /// Header fields of the request that the backend would get; `*` stands for any value.
        upstream_headers: Pairs, example {"X-Client": "10.1.2.3"};
    }
}
