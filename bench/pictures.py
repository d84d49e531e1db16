"""A picture of each row: bars for the proxies, a line for what Forebay is to stay below. Plain SVG.

The same file is read on light and on dark pages: it brings its own ground, in the reader's colours.
"""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

import figures
from rows import MIB

WIDTH = 760
LEFT = 150
RIGHT = 210
TOP = 78
STEP = 30
THICK = 18
PERCENTILES = ("p50", "p95", "p99")

STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328;
         stroke: #ffffff; stroke-width: 4px; paint-order: stroke; }
  .title { font-size: 16px; font-weight: 600; }
  .small { font-size: 12px; fill: #59636e; }
  .ground { fill: #ffffff; stroke: #d1d9e0; }
  .grid { stroke: #d1d9e0; }
  .ours { fill: #0969da; }
  .theirs { fill: #8c959f; }
  .floor { fill: #c8d1da; }
  .spread { stroke: #1f2328; stroke-width: 1.5; }
  .limit { stroke: #bc4c00; stroke-width: 2; stroke-dasharray: 5 3; }
  .limit-text { font-size: 12px; fill: #bc4c00; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; stroke: #0d1117; }
    .small { fill: #9198a1; }
    .ground { fill: #0d1117; stroke: #3d444d; }
    .grid { stroke: #3d444d; }
    .ours { fill: #4493f8; }
    .theirs { fill: #7d8590; }
    .floor { fill: #484f58; }
    .spread { stroke: #e6edf3; }
    .limit { stroke: #f0883e; }
    .limit-text { fill: #f0883e; }
  }
"""


@dataclass(frozen=True)
class Bar:
    label: str
    #: None: there is no figure, the text says why.
    value: float | None
    text: str
    #: ours, theirs or floor.
    look: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Limit:
    value: float
    text: str


@dataclass(frozen=True)
class Chart:
    title: str
    #: What the axis shows, with its unit.
    axis: str
    bars: list[Bar]
    limit: Limit | None = None


def write(results: dict, folder: Path) -> None:
    """One file per row, named after it."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in results["rows"]:
        (folder / f"{row['name']}.svg").write_text(draw(chart(row, results["ours"])), encoding="utf-8")


def chart(row: dict, ours: str) -> Chart:
    match row["kind"]:
        case "load":
            return Chart(row["title"], "µs of processor time per request", cost_bars(row, ours), aim(row))
        case "memory":
            axis = "MiB resident after 10,000 requests; in brackets the most under load"
            return Chart(row["title"], axis, memory_bars(row, ours))
        case "idle":
            bars = simple_bars(row, ours, "bytes_each", lambda size: f"{size / 1024:.1f} KiB", 1024)
            return Chart(row["title"], "KiB of memory for each", bars, aim(row, 1024))
        case "body":
            bars = simple_bars(row, ours, "growth", lambda growth: f"{growth / MIB:.1f} MiB", MIB)
            return Chart(row["title"], "MiB that memory grows by", bars, limit(row, "MiB", MIB))
        case "slowloris":
            bars = simple_bars(row, ours, "p99_ratio", lambda ratio: f"{ratio:.2f} times")
            return Chart(row["title"], "p99 of good clients, as a multiple of p99 without attackers", bars, limit(row, "times"))
        case "latency":
            axis = f"µs added to the backend's own latency, at {row['rate']:,} requests/s"
            return Chart(row["title"], axis, latency_bars(row, ours))
        case _:
            axis = "requests that failed, of all rounds together"
            return Chart(row["title"], axis, failure_bars(row, ours), limit(row, "requests"))


def cost_bars(row: dict, ours: str) -> list[Bar]:
    def words(cell: dict, name: str, value: float) -> str:
        ratio = None if name == ours else figures.ratio(row, ours, name)
        return f"{value:.1f} µs" + (f" · {ours} ÷ it: {ratio:.2f}" if ratio else "")

    return [
        bar(name, ours, cell, "us_per_request", lambda value, cell=cell, name=name: words(cell, name, value))
        for name, cell in row["cells"].items()
    ]


def memory_bars(row: dict, ours: str) -> list[Bar]:
    def words(cell: dict, value: float) -> str:
        return f"{value / MIB:.1f} MiB ({(figures.middle(cell, 'rss_under_load') or 0) / MIB:.1f})"

    return [
        bar(name, ours, cell, "rss_after_requests", lambda value, cell=cell: words(cell, value), MIB)
        for name, cell in row["cells"].items()
    ]


def simple_bars(row: dict, ours: str, figure: str, words: Callable[[float], str], scale: float = 1) -> list[Bar]:
    return [bar(name, ours, cell, figure, words, scale) for name, cell in row["cells"].items()]


def latency_bars(row: dict, ours: str) -> list[Bar]:
    """By percentile first: those that are to be compared are neighbours."""
    bars = []
    for percentile in PERCENTILES:
        for name, cell in row["cells"].items():
            found = figures.values_of(cell, "added_us", percentile)
            if name == "direct":
                continue
            middle = figures.middle_of(cell, "added_us", percentile)
            text = "–" if middle is None else f"{middle:,.0f} µs"
            ends = (min(found), max(found)) if found else (None, None)
            bars.append(Bar(f"{percentile} {name}", middle, text, look(name, ours), *ends))
    return bars


def failure_bars(row: dict, ours: str) -> list[Bar]:
    bars = []
    for name, cell in row["cells"].items():
        found = figures.values(cell, "failed")
        failed = sum(found) if found else None
        bars.append(Bar(name, failed, f"{failed:,}" if found else died(cell), look(name, ours)))
    return bars


def bar(name: str, ours: str, cell: dict, figure: str, words: Callable[[float], str], scale: float = 1) -> Bar:
    """The median of the rounds, and the lowest and highest."""
    found = figures.values(cell, figure)
    if not found:
        return Bar(name, None, died(cell), look(name, ours))
    middle = figures.middle(cell, figure)
    return Bar(name, middle / scale, words(middle), look(name, ours), min(found) / scale, max(found) / scale)


def died(cell: dict) -> str:
    return "died" if any("died" in entry for entry in cell["rounds"]) else "–"


def look(name: str, ours: str) -> str:
    return {ours: "ours", "floor": "floor"}.get(name, "theirs")


def aim(row: dict, scale: float = 1) -> Limit | None:
    """What the peers' costs leave: the strictest, where there are several."""
    found = [
        (share * cost / scale, f"{share:g} of {peer}")
        for peer, share in row["aims"].items()
        if peer in row["cells"] and (cost := figures.middle(row["cells"][peer], figures.COSTS[row["kind"]]))
    ]
    value, text = min(found, default=(None, ""))
    return Limit(value, f"aim: {text}") if value else None


def limit(row: dict, unit: str, scale: float = 1) -> Limit | None:
    return None if row["limit"] is None else Limit(row["limit"] / scale, f"at most {row['limit'] / scale:g} {unit}")


def draw(chart: Chart) -> str:
    highest = max(
        [value for one in chart.bars for value in (one.value, one.high) if value] + [chart.limit.value if chart.limit else 0]
    )
    ticks = scale(highest)
    top = ticks[-1]
    bottom = TOP + STEP * len(chart.bars)
    height = bottom + 52

    def x(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * min(max(value, 0), top) / top, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(chart.title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="ground" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
        text(20, 32, chart.title, "title"),
    ]
    for tick in ticks:
        parts.append(f'<line class="grid" x1="{x(tick)}" x2="{x(tick)}" y1="{TOP - 8}" y2="{bottom}"/>')
        parts.append(text(x(tick), bottom + 17, f"{tick:,.10g}", "small", "middle"))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, bottom + 38, chart.axis, "small", "middle"))
    for number, one in enumerate(chart.bars):
        parts += draw_bar(one, TOP + STEP * number, x)
    if chart.limit:
        at = x(chart.limit.value)
        parts.append(f'<line class="limit" x1="{at}" x2="{at}" y1="{TOP - 14}" y2="{bottom}"/>')
        parts.append(text(at, TOP - 19, chart.limit.text, "limit-text", "middle" if at > LEFT + 60 else "start"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def draw_bar(one: Bar, y: int, x: Callable[[float], float]) -> list[str]:
    middle = y + THICK / 2
    parts = [text(LEFT - 10, middle + 4.5, one.label, "", "end")]
    end = LEFT
    if one.value is not None:
        end = x(one.value)
        parts.append(f'<rect class="{one.look}" x="{LEFT}" y="{y}" width="{max(end - LEFT, 1):.1f}" height="{THICK}" rx="2"/>')
    if one.low is not None and one.high is not None and x(one.high) - x(one.low) > 2:
        parts.append(f'<line class="spread" x1="{x(one.low)}" x2="{x(one.high)}" y1="{middle}" y2="{middle}"/>')
        end = max(end, x(one.high))
    return [*parts, text(end + 8, middle + 4.5, one.text)]


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>'


def scale(highest: float) -> list[float]:
    """Round numbers from 0 to the first that is not below the highest, about five of them."""
    if highest <= 0:
        return [0, 1]
    power = 1.0
    while power * 10 <= highest / 5:
        power *= 10
    while power > highest / 5:
        power /= 10
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= highest / 5)
    count = next(number for number in range(1, 12) if step * number >= highest)
    return [round(step * number, 10) for number in range(count + 1)]
