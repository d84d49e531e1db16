"""From raw rounds to figures: medians, spreads, ratios, and which rows are to be run again."""

from collections import Counter
from statistics import median

#: A row whose peers moved more than this between rounds says little.
STEADY = 1.20
#: What is compared with peers, by the kind of the row.
COSTS = {"load": "us_per_request", "idle": "bytes_each"}


def counted(cell: dict) -> list[dict]:
    """The rounds of a cell that count."""
    return [entry for entry in cell["rounds"] if not entry["warm_up"] and "died" not in entry]


def values(cell: dict, figure: str) -> list[float]:
    return [entry[figure] for entry in counted(cell) if figure in entry]


def middle(cell: dict, figure: str) -> float | None:
    found = values(cell, figure)
    return median(found) if found else None


def values_of(cell: dict, figure: str, percentile: str) -> list[float]:
    return [entry[figure][percentile] for entry in counted(cell) if figure in entry]


def middle_of(cell: dict, figure: str, percentile: str) -> float | None:
    found = values_of(cell, figure, percentile)
    return median(found) if found else None


def ratio(row: dict, ours: str, theirs: str, figure: str = "us_per_request") -> float | None:
    """How much of their cost ours is."""
    cells = row["cells"]
    if ours not in cells or theirs not in cells:
        return None
    above, below = middle(cells[ours], figure), middle(cells[theirs], figure)
    return above / below if above and below else None


def moved(cell: dict, figure: str = "us_per_request") -> float:
    """Highest by lowest round; 1 when there is nothing to compare."""
    found = values(cell, figure)
    return max(found) / min(found) if found and min(found) > 0 else 1.0


def restless(row: dict, peers: list[str]) -> dict[str, float]:
    """The peers that moved too much for this row to be quoted."""
    figure = COSTS.get(row["kind"])
    if not figure:
        return {}
    moves = {name: moved(row["cells"][name], figure) for name in peers if name in row["cells"]}
    return {name: by for name, by in moves.items() if by > STEADY}


def notes(cell: dict) -> list[str]:
    """What went wrong in the rounds that count, each said once and with how often."""
    entries = [entry for entry in cell["rounds"] if not entry["warm_up"]]
    said = Counter(
        note
        for entry in entries
        for note in (entry.get("notes", []) + ([f"died: {entry['died']}"] if "died" in entry else []))
    )
    return [note if times == len(entries) else f"{note} ({times} of {len(entries)})" for note, times in said.items()]
