"""The results, for people: Markdown tables from the same structure that is written as JSON."""

import figures

LOAD_HEAD = ["proxy", "µs/request", "min–max", "forebay ÷ it", "requests/s", "core 0", "notes"]
MEMORY_HEAD = ["proxy", "at rest", "after 10,000 requests", "under load", "after load", "notes"]
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
