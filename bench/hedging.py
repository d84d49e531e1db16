"""What hedging does where one of ten replicas is a hundred times slower than the others.

    python3 bench/hedging.py [--seconds N] [--rate N] [--forebay PATH]

The same load at a constant rate, with hedging off and on, for each of three strategies; then the table. `forebay-steady` counts
latency from the time each request was due. Extra load is what the replicas have had beyond what they have without hedging.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
RELEASE = HERE.parent / "target" / "release"
FAST_MS, SLOW_MS = 4, 400
STRATEGIES = ("round_robin", "two_choices", "least_connections")


def config(ports: list[int], strategy: str, hedge: str) -> str:
    backends = ", ".join(f'{{url: "http://127.0.0.1:{port}"}}' for port in ports)
    return f"""\
workers: 1
server: {{address: "127.0.0.1:0"}}
routes: [{{id: all, backend_group: replicas}}]
backend_groups:
  - id: replicas
    strategy: {strategy}
    backends: [{backends}]
    connection_pool: {{max_connections_per_host: 1000}}
    {hedge}
telemetry: {{access_log: {{output: "off"}}}}
"""


def measured(options: argparse.Namespace, strategy: str, hedge: str) -> dict:
    """Latency and load of one run with fresh replicas and a fresh proxy."""
    replicas = subprocess.Popen(
        [sys.executable, str(HERE / "replicas.py"), str(FAST_MS), str(SLOW_MS)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    ports = json.loads(replicas.stdout.readline())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "forebay.yaml"
        file.write_text(config(ports, strategy, hedge))
        proxy = subprocess.Popen([options.forebay, "run", "-c", str(file)], stderr=subprocess.PIPE, text=True)
        try:
            port = next(line.rpartition("address=")[2].rpartition(":")[2] for line in proxy.stderr if "listening on" in line)
            load(options, port.strip(), 3)
            seen = load(options, port.strip(), options.seconds)
        finally:
            proxy.terminate()
            proxy.communicate()
    counts = json.loads(replicas.communicate("")[0].splitlines()[-1])
    return {**seen["latency_us"], "requests": sum(counts), "errors": seen["errors"]}


def load(options: argparse.Namespace, port: str, seconds: float) -> dict:
    command = [
        str(RELEASE / "forebay-steady"), "--to", f"127.0.0.1:{port}", "--rate", str(options.rate),
        "--seconds", f"{seconds:g}", "--connections", "100", "--path", "/128",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rate", type=int, default=600)
    parser.add_argument("--percentile", type=int, default=99)
    parser.add_argument("--forebay", default=str(RELEASE / "forebay"))
    options = parser.parse_args()
    hedge = f"hedge: {{percentile: {options.percentile}}}"
    print("| strategy | p50 off | p99 off | p50 on | p99 on | p99 falls by | extra load | errors |")
    print("|---|---|---|---|---|---|---|---|")
    for strategy in STRATEGIES:
        off, on = (measured(options, strategy, text) for text in ("", hedge))
        errors = sum(off["errors"].values()) + sum(on["errors"].values())
        falls = 1 - on["p99"] / off["p99"]
        times = " | ".join(f"{of[name] / 1000:.1f} ms" for of in (off, on) for name in ("p50", "p99"))
        print(f"| {strategy} | {times} | {falls:.0%} | {on['requests'] / off['requests'] - 1:.1%} | {errors} |", flush=True)
        time.sleep(0.5)


if __name__ == "__main__":
    main()
