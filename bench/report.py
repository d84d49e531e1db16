"""The results, for people: Markdown tables from the same structure that is written as JSON."""

from statistics import median

import figures

LOAD_HEAD = ["proxy", "µs/request", "min–max", "forebay ÷ it", "requests/s", "core 0", "notes"]
MEMORY_HEAD = ["proxy", "at rest", "after 10,000 requests", "under load", "after load", "notes"]
IDLE_HEAD = ["proxy", "KiB each", "min–max", "forebay ÷ it", "before", "with all", "notes"]
BODY_HEAD = ["proxy", "before", "highest", "grew by", "of each round", "seconds", "notes"]
SIEGE_HEAD = [
    "proxy", "alone p50", "p99", "among attackers p50", "p99", "p99 ÷ alone", "of each round", "attackers gone after",
    "told", "memory each", "notes",
]
LATENCY_HEAD = ["proxy", "at most", "p50", "p95", "p99", "added p50", "p95", "p99", "added p99 of each round", "core 0", "notes"]
KILL_HEAD = ["proxy", "round", "requests", "failed", "killed at", "requests/s", "notes"]
DRAIN_KINDS = ["answered", "in_flight", "failed", "cut", "unanswered", "status", "hung", "parted", "backlog", "refused"]


def markdown(results: dict) -> str:
    parts = ["# Benchmark results", top(results), versions(results)]
    for row in results["rows"]:
        parts += [f"## {row['name']}: {row['title']}", *row_parts(row, results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def top(results: dict) -> str:
    machine = results["machine"]
    return "\n".join([
        f"- when: {results['when']}, commit {results['commit']}",
        f"- command: `{results['command']}`",
        f"- machine: {machine['processor']}, {machine['cores']} cores, {machine['kernel']}; "
        f"load average at the start {machine['load_average']}",
        f"- rounds: {results['rounds']} of {results['seconds']:g} s after {results['warm_ups']} "
        f"warm-up of {results['warm_up_seconds']:g} s, every proxy in turn",
    ])


def versions(results: dict) -> str:
    rows = [[item["name"], item["version"], f"`{item['program']}`"] for item in results["contenders"]]
    rows += [[item["name"], "absent", item["reason"]] for item in results["absent"]]
    rows += [[tool, version, ""] for tool, version in results["tools"].items()]
    return table(["program", "version", "where"], rows)


def row_parts(row: dict, results: dict) -> list[str]:
    command = f"`{row['command']}`" if row.get("command") else ""
    match row["kind"]:
        case "load":
            return [command, warning(row, results), load_table(row, results), raw_table(row)]
        case "memory":
            return [command, memory_table(row)]
        case "idle":
            return [command, warning(row, results), idle_table(row, results)]
        case "body":
            return [command, body_table(row)]
        case "slowloris":
            return [command, siege_table(row)]
        case "latency":
            return [command, f"{row['rate']:,} requests/s for all. Microseconds.", latency_table(row)]
        case "kill":
            return [command, kill_table(row)]
        case _:
            return [command, drain_table(row)]


def warning(row: dict, results: dict) -> str:
    restless = figures.restless(row, results["peers"])
    if not restless:
        return ""
    moves = ", ".join(f"{name} by {by - 1:.0%}" for name, by in restless.items())
    return f"**Not steady: {moves} between rounds. Run this row again.**"


def load_table(row: dict, results: dict) -> str:
    rows = []
    for name, cell in row["cells"].items():
        costs = figures.values(cell, "us_per_request")
        ratio = None if name == results["ours"] else figures.ratio(row, results["ours"], name)
        rows.append([
            name,
            number(figures.middle(cell, "us_per_request")),
            f"{number(min(costs))}–{number(max(costs))}" if costs else "–",
            f"{ratio:.2f}" if ratio else "–",
            number(figures.middle(cell, "requests_per_second"), 0),
            percent(figures.middle(cell, "proxy_share")),
            "; ".join(figures.notes(cell)),
        ])
    return table(LOAD_HEAD, rows)


def raw_table(row: dict) -> str:
    """µs/request of every round, warm-ups in brackets."""
    length = max((len(cell["rounds"]) for cell in row["cells"].values()), default=0)
    rows = []
    for name, cell in row["cells"].items():
        costs = [raw(entry) for entry in cell["rounds"]]
        rows.append([name, *costs, *[""] * (length - len(costs))])
    return table(["µs/request", *[f"round {index}" for index in range(length)]], rows)


def raw(entry: dict) -> str:
    if "died" in entry:
        return "died"
    text = number(entry["us_per_request"], 2)
    return f"({text})" if entry["warm_up"] else text


def memory_table(row: dict) -> str:
    wanted = ["rss_at_rest", "rss_after_requests", "rss_under_load", "rss_after_load"]
    rows = [
        [name, *[mebibytes(figures.middle(cell, figure)) for figure in wanted], "; ".join(figures.notes(cell))]
        for name, cell in row["cells"].items()
    ]
    return table(MEMORY_HEAD, rows)


def idle_table(row: dict, results: dict) -> str:
    rows = []
    for name, cell in row["cells"].items():
        each = [size / 1024 for size in figures.values(cell, "bytes_each")]
        ratio = None if name == results["ours"] else figures.ratio(row, results["ours"], name, "bytes_each")
        rows.append([
            name,
            number(median(each) if each else None),
            f"{number(min(each))}–{number(max(each))}" if each else "–",
            f"{ratio:.2f}" if ratio else "–",
            *[mebibytes(figures.middle(cell, figure)) for figure in ("rss_before", "rss_idle")],
            "; ".join(figures.notes(cell)),
        ])
    return table(IDLE_HEAD, rows)


def body_table(row: dict) -> str:
    rows = []
    for name, cell in row["cells"].items():
        rows.append([
            name,
            *[mebibytes(figures.middle(cell, figure)) for figure in ("rss_before", "rss_peak", "growth")],
            " ".join(number(growth / 2**20) for growth in figures.values(cell, "growth")),
            number(figures.middle(cell, "seconds_to_pass")),
            "; ".join(figures.notes(cell)),
        ])
    return table(BODY_HEAD, rows)


def siege_table(row: dict) -> str:
    rows = []
    for name, cell in row["cells"].items():
        rows.append([
            name,
            *[
                number(figures.middle_of(cell, figure, percentile), 0)
                for figure in ("quiet_us", "among_us")
                for percentile in ("p50", "p99")
            ],
            number(figures.middle(cell, "p99_ratio"), 2),
            " ".join(number(ratio, 2) for ratio in figures.values(cell, "p99_ratio")),
            " ".join(gone(entry["attackers"]) for entry in figures.counted(cell)),
            "; ".join(sorted({told(entry["attackers"]) for entry in figures.counted(cell)})),
            f"{number(figures.middle(cell, 'bytes_per_attacker'), 0)} B",
            "; ".join(figures.notes(cell)),
        ])
    return table(SIEGE_HEAD, rows)


def gone(attackers: dict) -> str:
    """When the first and the last were cut off."""
    return f"{attackers['age'][0]:.1f}–{attackers['age'][2]:.1f} s" if attackers["age"] else "never"


def told(attackers: dict) -> str:
    return ", ".join(f"{answer} {count:,}" for answer, count in sorted(attackers["answers"].items()))


def latency_table(row: dict) -> str:
    percentiles = ("p50", "p95", "p99")
    rows = []
    for name, cell in row["cells"].items():
        rows.append([
            name,
            number(row["maxima"].get(name), 0),
            *[number(figures.middle_of(cell, "latency_us", percentile), 0) for percentile in percentiles],
            *[number(figures.middle_of(cell, "added_us", percentile), 0) for percentile in percentiles],
            " ".join(number(value, 0) for value in figures.values_of(cell, "added_us", "p99")),
            percent(figures.middle(cell, "proxy_share")),
            "; ".join(figures.notes(cell)),
        ])
    return table(LATENCY_HEAD, rows)


def kill_table(row: dict) -> str:
    """Every round by itself: one failure in one round is a failure."""
    rows = []
    for name, cell in row["cells"].items():
        for index, entry in enumerate(cell["rounds"]):
            if "died" in entry:
                rows.append([name, str(index + 1), *["–"] * (len(KILL_HEAD) - 3), entry["died"]])
                continue
            rows.append([
                name, str(index + 1), number(entry["requests"], 0), str(entry["failed"]),
                " and ".join(f"{at:.1f} s" for at in entry["killed_at"]), number(entry["requests_per_second"], 0),
                "; ".join(entry["notes"]),
            ])
    return table(KILL_HEAD, rows)


def drain_table(row: dict) -> str:
    """Every round by itself: one failure in one round is a failure."""
    rows = []
    for name, cell in row["cells"].items():
        for index, entry in enumerate(cell["rounds"]):
            if "died" in entry:
                rows.append([name, str(index + 1), *["–"] * (len(DRAIN_KINDS) + 1), entry["died"]])
                continue
            counts = [str(entry.get(kind, 0)) for kind in DRAIN_KINDS]
            took = f"{entry['signal']}, {entry['seconds_to_exit']:.2f} s"
            rows.append([name, str(index + 1), *counts, took, "; ".join(entry["notes"])])
    return table(["proxy", "round", *DRAIN_KINDS, "ended", "notes"], rows)


def number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def mebibytes(value: float | None) -> str:
    return "–" if value is None else f"{value / 2**20:.1f} MiB"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
