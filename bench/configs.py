"""The configuration each proxy gets: the same features, written its own way.

All keep connections alive on both sides, keep the client's Host, add X-Forwarded-For, stream
uploads, run on one thread, and write no access log unless the row asks for one.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path


#: How long the head of a request may take, where that is measured.
HEAD_SECONDS = 10


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, each in a file of its own, and both in one."""

    chain: Path
    key: Path
    both: Path


@dataclass(frozen=True)
class Site:
    """Where a proxy is to listen and send, where it may write, and what it must be ready for."""

    port: int
    #: Of one backend, or of several that can stand in for each other: then requests that fail are tried again.
    origin_ports: tuple[int, ...]
    folder: Path
    #: The format of Forebay's access log; empty for none.
    access_log: str = ""
    #: 10,000 clients at a time, whose request heads are cut off after `HEAD_SECONDS`.
    crowd: bool = False
    #: What clients are shown, where they come over TLS.
    certificate: Certificate | None = None
    #: The backend speaks HTTP/2 without TLS, and is called by gRPC.
    grpc: bool = False

    @property
    def log_file(self) -> Path:
        return self.folder / "access.log"


def forebay(site: Site) -> str:
    output = f'"{site.log_file}", format: {site.access_log}' if site.access_log else '"off"'
    crowd = f", header_timeout: {HEAD_SECONDS}s" if site.crowd else ""
    backends = ", ".join(f'{{url: "http://127.0.0.1:{port}"}}' for port in site.origin_ports)
    shown = site.certificate
    tls = f', cert_file: "{shown.chain}", key_file: "{shown.key}"' if shown else ""
    protocol = "\n    protocol: h2c" if site.grpc else ""
    # Retries are on as they come: three attempts, after connections that failed.
    return f"""\
workers: 1
server: {{address: "127.0.0.1:{site.port}", max_connections: 20000{crowd}{tls}}}
routes: [{{id: all, path: "/*", backend_group: origin}}]
backend_groups:
  - id: origin{protocol}
    backends: [{backends}]
    connection_pool: {{max_connections_per_host: 2000, max_idle_connections: 2000}}
telemetry: {{access_log: {{output: {output}}}, metrics: {{enabled: true, port: 0}}}}
"""


def floor(site: Site) -> str:
    return f"--listen 127.0.0.1:{site.port} --to 127.0.0.1:{site.origin_ports[0]}"


def nginx(site: Site) -> str:
    user = "user root;" if os.getuid() == 0 else ""
    log = f"{site.log_file} combined" if site.access_log else "off"
    temporary = "".join(
        f"    {kind}_temp_path {site.folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    crowd = f"client_header_timeout {HEAD_SECONDS}s;" if site.crowd else ""
    servers = "\n        ".join(f"server 127.0.0.1:{port};" for port in site.origin_ports)
    shown = site.certificate
    secure = "ssl http2 " if shown else ""
    tls = f"ssl_certificate {shown.chain}; ssl_certificate_key {shown.key}; ssl_protocols TLSv1.2 TLSv1.3;" if shown else ""
    kind, passing = ("grpc", "grpc_pass grpc://origin;") if site.grpc else (
        "proxy", 'proxy_pass http://origin; proxy_http_version 1.1; proxy_request_buffering off; proxy_set_header Connection "";')
    # Another server after errors, and none for 10 s after one: both are on as they come.
    return f"""\
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {site.folder}/nginx.pid;
error_log {site.folder}/error.log warn;
events {{ worker_connections {19000 if site.crowd else 10000}; }}
http {{
    {crowd}
{temporary}
    access_log {log};
    keepalive_requests 100000000;
    client_max_body_size 0;
    upstream origin {{
        {servers}
        keepalive 512;
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{site.port} {secure}backlog=4096;
        {tls}
        location / {{
            {passing}
            {kind}_set_header Host $http_host;
            {kind}_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
}}
"""


def haproxy(site: Site) -> str:
    # HAProxy has no log files of its own: its standard output is one here.
    target, lines = ("log stdout format raw local0", "log global\n    option httplog") if site.access_log else ("", "")
    crowd = f"timeout http-request {HEAD_SECONDS}s" if site.crowd else ""
    retries = "retries 3\n    option redispatch 1\n    retry-on conn-failure empty-response" if has_spares(site) else ""
    # Retries alone come back to a dead server: its first error must take it out.
    check = " check inter 1s observe layer4 error-limit 1 on-error mark-down" if has_spares(site) else ""
    tls = f" ssl crt {site.certificate.both} alpn h2,http/1.1" if site.certificate else ""
    protocol = " proto h2" if site.grpc else ""
    servers = "\n    ".join(f"server origin{at} 127.0.0.1:{port}{protocol}{check}" for at, port in enumerate(site.origin_ports))
    return f"""\
global
    nbthread 1
    maxconn {10500 if site.crowd else 9000}
    {"no strict-limits" if site.crowd else ""}
    {target}
defaults
    mode http
    {lines}
    timeout connect 5s
    timeout client 75s
    timeout server 75s
    option forwardfor
    http-reuse always
    {crowd}
    {retries}
frontend front
    bind 127.0.0.1:{site.port} backlog 4096{tls}
    default_backend origin
backend origin
    {servers}
"""


def has_spares(site: Site) -> bool:
    return len(site.origin_ports) > 1


def envoy(site: Site) -> str:
    router = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
    log = {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(site.log_file),
        },
    }
    policy = {
        "retry_on": "connect-failure,refused-stream,reset",
        "num_retries": 3,
        "retry_host_predicate": [{
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
            },
        }],
        "host_selection_retry_max_attempts": 5,
    }
    retries = {"retry_policy": policy} if has_spares(site) else {}
    http = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        # The two together add X-Forwarded-For.
        "use_remote_address": True,
        "skip_xff_append": False,
        "access_log": [log] if site.access_log else [],
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
        **({"request_headers_timeout": f"{HEAD_SECONDS}s"} if site.crowd else {}),
        "route_config": {
            "virtual_hosts": [{
                "name": "all",
                "domains": ["*"],
                "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "origin", "timeout": "60s", **retries}}],
            }],
        },
    }
    enough = 100_000
    limits = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    cluster = {
        "name": "origin",
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [{limit: enough for limit in limits}]},
        "load_assignment": {
            "cluster_name": "origin",
            "endpoints": [{
                "lb_endpoints": [{"endpoint": {"address": envoy_address(port)}} for port in site.origin_ports],
            }],
        },
    }
    if site.grpc:
        options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        cluster["typed_extension_protocol_options"] = {
            options: {
                "@type": f"type.googleapis.com/{options}",
                "explicit_http_config": {"http2_protocol_options": {}},
            },
        }
    listener = {
        "name": "front",
        "address": envoy_address(site.port),
        "tcp_backlog_size": 4096,
        "filter_chains": [{
            "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": http}],
            **({"transport_socket": envoy_tls(site.certificate)} if site.certificate else {}),
        }],
    }
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}, indent=1)


def envoy_tls(shown: Certificate) -> dict:
    pair = {"certificate_chain": {"filename": str(shown.chain)}, "private_key": {"filename": str(shown.key)}}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_certificates": [pair],
                "alpn_protocols": ["h2", "http/1.1"],
                # As the others; by itself it takes none above 1.2.
                "tls_params": {"tls_maximum_protocol_version": "TLSv1_3"},
            },
        },
    }


def envoy_address(port: int) -> dict:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def caddy(site: Site) -> str:
    proxy = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"127.0.0.1:{port}"} for port in site.origin_ports],
        "transport": {
            "protocol": "http",
            "keep_alive": {"max_idle_conns_per_host": 2000},
            **({"versions": ["h2c"]} if site.grpc else {}),
        },
    }
    if has_spares(site):
        proxy["load_balancing"] = {"selection_policy": {"policy": "round_robin"}, "retries": 3}
        proxy["health_checks"] = {"passive": {"fail_duration": "10s"}}
    shown = site.certificate
    pair = {"certificate": str(shown.chain), "key": str(shown.key)} if shown else {}
    server = {
        **({"tls_connection_policies": [{}]} if shown else {}),
        "listen": [f"127.0.0.1:{site.port}"],
        "automatic_https": {"disable": True},
        "routes": [{"handle": [proxy]}],
        **({"read_header_timeout": f"{HEAD_SECONDS}s"} if site.crowd else {}),
    }
    # Errors go to standard error; the access log, if any, to its own file.
    logs = {"default": {"level": "WARN", "exclude": ["http.log.access"]}}
    if site.access_log:
        server["logs"] = {}
        logs["access"] = {
            "writer": {"output": "file", "filename": str(site.log_file), "roll": False},
            "include": ["http.log.access"],
        }
    return json.dumps({
        "admin": {"disabled": True, "config": {"persist": False}},
        "logging": {"logs": logs},
        "apps": {
            "http": {"servers": {"front": server}},
            **({"tls": {"certificates": {"load_files": [pair]}}} if shown else {}),
        },
    }, indent=1)
