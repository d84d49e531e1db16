//! `forebay demo`: a proxy and three small backends in one process.
#![expect(clippy::print_stdout, reason = "the program owns the terminal")]
#![expect(clippy::print_stderr, reason = "the program owns the terminal")]

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use forebay::Source;

use crate::arguments::DemoOptions;
use crate::commands::run::{Options, serve};
use crate::{REFUSED, files};

/// Backends and how long each takes for an answer.
const BACKENDS: [(&str, Duration); 3] = [
    ("one", Duration::ZERO),
    ("two", Duration::ZERO),
    ("slow", Duration::from_millis(300)),
];

pub(crate) fn demo(options: &DemoOptions) -> ExitCode {
    let mut urls = Vec::new();
    for (name, delay) in BACKENDS {
        match start_backend(name, delay) {
            Ok(address) => urls.push(format!("http://{address}")),
            Err(error) => {
                eprintln!("error: a demo backend cannot start: {error}");
                return ExitCode::from(REFUSED);
            }
        }
    }
    let text = configuration(options.listen, &urls);
    let read = text.clone();
    let source = Source {
        read: Box::new(move |heritage| Ok(files::read_text("demo.yaml", &read, heritage))),
        adjust: Box::new(|_| {}),
    };
    serve(source, Options::default(), |running| {
        let (addresses, metrics) = (running.addresses(), running.metrics_address());
        if let (Some(&(_, address)), Some(metrics)) = (addresses.first(), metrics) {
            print_what_to_try(&text, address, metrics);
        }
    })
}

fn configuration(listen: SocketAddr, urls: &[String]) -> String {
    let [one, two, slow] = [0, 1, 2].map(|i| urls.get(i).map_or("", String::as_str));
    format!(
        r#"server: {{ address: "{listen}" }}
routes:
  - {{ id: "round", path: "/", backend_group: "all" }}
  - {{ id: "api", path: "/api/*", backend_group: "fast", strip_prefix: "/api", add_headers: {{ X-Who: "${{client_ip}}" }} }}
  - {{ id: "hello", path: "/hello", respond: {{ body: "hello from forebay itself\n" }} }}
  - {{ id: "old", path: "/old", redirect: {{ to: "/" }} }}
  - {{ id: "down", path: "/down", backend_group: "down" }}
backend_groups:
  - {{ id: "all", strategy: "round_robin", backends: [ {{ url: "{one}" }}, {{ url: "{two}" }}, {{ url: "{slow}" }} ] }}
  - {{ id: "fast", strategy: "least_connections", backends: [ {{ url: "{one}" }}, {{ url: "{two}" }} ] }}
  - {{ id: "down", backends: [ {{ url: "http://127.0.0.1:1" }} ] }}
telemetry:
  metrics: {{ enabled: true, port: 0 }}
  logging: {{ level: "warn" }}
  access_log: {{ format: "${{time}} ${{client_ip}} ${{method}} ${{target}} -> ${{backend}} ${{status}} ${{failure}} in ${{duration_ms}} ms" }}
"#
    )
}

fn print_what_to_try(configuration: &str, address: SocketAddr, metrics: SocketAddr) {
    println!("forebay demo: a proxy on http://{address} with three backends, one of them slow.\n");
    println!("{}", configuration.trim_end());
    println!("\nTry, in another terminal:");
    for (command, what) in [
        (
            format!("curl http://{address}/"),
            "one, two and slow take turns",
        ),
        (
            format!("curl http://{address}/api/users"),
            "what a backend gets to see",
        ),
        (format!("curl -i http://{address}/hello"), "a fixed answer"),
        (format!("curl -i http://{address}/old"), "a redirect"),
        (
            format!("curl -i http://{address}/nothing"),
            "no route: 404 with a reason",
        ),
        (
            format!("curl -i http://{address}/down"),
            "a backend that is down: 502 with a reason",
        ),
        (
            format!("curl http://{metrics}/metrics"),
            "counters for Prometheus",
        ),
    ] {
        println!("  {command:<46} # {what}");
    }
    println!("\nEach request shows up below. Ctrl-C ends the demo.\n");
}

/// A backend that answers every request with its name and what it received.
fn start_backend(name: &'static str, delay: Duration) -> io::Result<SocketAddr> {
    let socket = TcpListener::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    thread::Builder::new()
        .name(format!("demo-{name}"))
        .spawn(move || {
            for stream in socket.incoming().flatten() {
                // A thread that cannot be had closes the connection.
                let _ = thread::Builder::new().spawn(move || serve_connection(name, delay, stream));
            }
        })?;
    Ok(address)
}

fn serve_connection(name: &str, delay: Duration, stream: TcpStream) {
    let mut reader = BufReader::new(stream);
    while let Ok(Some(request)) = read_request(&mut reader) {
        thread::sleep(delay);
        let body = format!("backend {name} got:\n{request}");
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if reader
            .get_mut()
            .write_all((head + &body).as_bytes())
            .is_err()
        {
            return;
        }
    }
}

/// The head of the next request; its body is skipped. Forebay sends a length
/// for everything but streams, which the demo does not take.
fn read_request(reader: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let (mut head, mut line, mut length) = (String::new(), String::new(), 0);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
        head.push_str(&line.replace('\r', ""));
    }
    io::copy(&mut io::Read::take(reader, length), &mut io::sink())?;
    Ok(Some(head))
}
