#!/usr/bin/env python3
"""Computes the sizing table of docs/scaling.md out of measurements.

    crewd-bench --only workers --json > workers.json
    scripts/sizing.py workers.json              # prints
    scripts/sizing.py workers.json --write      # puts it between the markers of docs/scaling.md

Several reports, one for each database, may be given: all curves are shown, and the first one is computed with. What is
measured and what is arithmetic is said in the text that comes out.
"""

import argparse
import json
import math
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

BEGIN, END = "<!-- sizing:begin -->", "<!-- sizing:end -->"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "scaling.md"
RUNS_PER_DAY = (10_000, 100_000, 1_000_000, 10_000_000)
SECONDS_PER_DAY = 86_400
NO_TIME = "a model that takes no time"


@dataclass(frozen=True)
class Point:
    """What one line of the report says. A run of the measurement makes one model call."""

    kind: str
    workers: int
    rate: float
    times: float
    crewd_cores: float
    database_cores: float | None
    commits: float | None


@dataclass(frozen=True)
class Report:
    database: str
    points: tuple[Point, ...]

    def limit(self):
        """The point at which most runs a second were done."""
        return max(self.busy(), key=lambda point: point.rate)

    def busy(self):
        return [point for point in self.points if point.kind == NO_TIME] or list(self.points)

    def crewd_seconds(self):
        """Seconds of a core that crewd spends on a model call, at the most expensive point."""
        return max(point.crewd_cores / point.rate for point in self.busy())

    def database_seconds(self):
        """As above, for the database. SQLite is part of crewd and has nothing of its own."""
        return max(((point.database_cores or 0.0) / point.rate for point in self.busy()), default=0.0)

    def commits_per_call(self):
        """Commits for a model call. Under load many share one; the most found at any point is an upper bound."""
        found = [point.commits / point.rate for point in self.points if point.commits is not None]
        return max(found) if found else None


@dataclass(frozen=True)
class Assumptions:
    """What nobody can measure for somebody else. Change it to your own."""

    peak: float = 3.0
    calls: float = 4.0
    seconds: float = 30.0
    slots: int = 256
    full: float = 0.7
    bytes_per_call: int = 12_288
    cores_per_worker: int = 2
    connections: int = 32


@dataclass(frozen=True)
class Size:
    """A line of the table."""

    runs_per_day: int
    peak_rate: float
    at_once: float
    serves: int
    workers: int
    crewd_cores: float
    database_cores: float
    commits: float | None
    connections: int
    gib_per_day: float
    share: float
    notes: list[str] = field(default_factory=list)


def numbers(pattern, text):
    found = re.search(pattern, text)
    return tuple(float(part) for part in found.groups()) if found else None


def point_of(row):
    """A line of the report, or None for one that is about something else."""
    figure = re.fullmatch(r"`serve` and (\d+) workers?(?: of \d+ slots)?, (.+)", row["figure"])
    measured = numbers(r"([\d.]+) runs/s, ([\d.]+) times", row["measured"])
    if not figure or not measured:
        return None
    crewd = numbers(r"crewd ([\d.]+) cores", row["how"])
    database = numbers(r"database ([\d.]+) cores", row["how"])
    commits = numbers(r"([\d.]+) commits/s", row["how"])
    if not crewd or measured[0] <= 0:
        raise ValueError(f"a line of the report cannot be read: {row}")
    first = lambda values: values[0] if values else None
    return Point(figure[2], int(figure[1]), measured[0], measured[1], crewd[0], first(database), first(commits))


def read(text):
    rows = json.loads(text)
    points = tuple(point for point in map(point_of, rows) if point)
    if not points:
        raise ValueError("the report has no line of `crewd-bench --only workers`")
    return Report(rows[0]["database"], points)


def size(report, runs_per_day, assumed):
    """How large an installation must be. Everything here is arithmetic."""
    peak_rate = runs_per_day / SECONDS_PER_DAY * assumed.peak
    calls = peak_rate * assumed.calls
    at_once = peak_rate * assumed.seconds
    crewd_cores = calls * report.crewd_seconds() / assumed.full
    database_cores = calls * report.database_seconds() / assumed.full
    by_slots = at_once / (assumed.slots * assumed.full)
    workers = max(2, math.ceil(max(by_slots, crewd_cores / assumed.cores_per_worker)))
    # One process takes some thousand submissions a second; two, so that one may be restarted.
    serves = max(2, math.ceil(peak_rate / 1_000))
    commits = report.commits_per_call()
    return Size(
        runs_per_day=runs_per_day,
        peak_rate=peak_rate,
        at_once=at_once,
        serves=serves,
        workers=workers,
        crewd_cores=crewd_cores,
        database_cores=database_cores,
        commits=None if commits is None else calls * commits,
        connections=(serves + workers) * assumed.connections,
        gib_per_day=runs_per_day * assumed.calls * assumed.bytes_per_call / 2**30,
        share=calls / report.limit().rate,
    )


def rounded(number):
    """Two digits that mean something."""
    if number is None:
        return "–"
    if number >= 100:
        digits = len(str(int(number))) - 2
        return f"{round(number, -digits):,.0f}"
    if number < 0.01:
        return "under 0.01"
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}" if number >= 0.1 else f"{number:.2f}"


def curves(reports):
    lines = [
        "### Measured: what more workers give",
        "",
        "| database | model | workers | runs/s | times one worker | cores of crewd | cores of the database | commits/s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for report in reports:
        for point in report.points:
            cells = [
                report.database, point.kind, str(point.workers), f"{point.rate:,.0f}", f"{point.times:.2f}",
                f"{point.crewd_cores:.2f}",
                "in crewd" if point.database_cores is None else f"{point.database_cores:.2f}",
                "–" if point.commits is None else f"{point.commits:,.0f}",
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def table(report, assumed):
    commits = report.commits_per_call()
    lines = [
        "### Arithmetic: how large an installation must be",
        "",
        f"Measured on {report.database}, for one model call with all that is written about it: "
        f"{report.crewd_seconds() * 1000:.2f} ms of a core in crewd, {report.database_seconds() * 1000:.2f} ms in the database, "
        + (f"at most {commits:.1f} commits" if commits is not None else "commits were not counted")
        + f"; at most {report.limit().rate:,.0f} model calls a second on that machine.",
        "",
        f"Assumed: a run makes {assumed.calls:g} model calls and takes {assumed.seconds:g} s, nearly all of it waiting for "
        f"models; the busiest hour has {assumed.peak:g} times the average; a call leaves {assumed.bytes_per_call / 1024:g} KiB; "
        f"{assumed.slots} slots a worker; nothing is planned to be more than {assumed.full:.0%} full. Everything below follows "
        "from these numbers by multiplication; nothing below was measured.",
        "",
        "| runs a day | runs/s at the peak | runs at once | processes: serve + worker | cores of crewd | cores of the database "
        "| write transactions/s at the peak | connections at most | storage a day | share of the measured limit |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for runs in RUNS_PER_DAY:
        line = size(report, runs, assumed)
        cells = [
            f"{runs:,}", rounded(line.peak_rate), rounded(line.at_once), f"{line.serves} + {line.workers}",
            rounded(line.crewd_cores), rounded(line.database_cores), rounded(line.commits), f"{line.connections:,}",
            f"{rounded(line.gib_per_day)} GiB", f"{line.share:.0%}" if line.share >= 0.01 else "under 1%",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    over = [runs for runs in RUNS_PER_DAY if size(report, runs, assumed).share > assumed.full]
    if over:
        lines += [
            "",
            f"From {over[0]:,} runs a day on, the peak is more than {assumed.full:.0%} of what the measured machine did: it needs a "
            "larger database machine than the measured one, or several installations with a part of the tenants each.",
        ]
    return lines


def section(reports, assumed):
    return "\n".join([*curves(reports), "", *table(reports[0], assumed)])


def put(page, text):
    """The page with the text between its markers."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reports", nargs="+", type=Path, help="JSON of `crewd-bench --only workers --json`")
    parser.add_argument("--write", action="store_true", help="put it into docs/scaling.md")
    defaults = Assumptions()
    for name in ("peak", "calls", "seconds", "slots", "bytes-per-call"):
        default = getattr(defaults, name.replace("-", "_"))
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"{default} if not given")
    given = parser.parse_args(arguments)
    assumed = Assumptions(
        peak=given.peak, calls=given.calls, seconds=given.seconds, slots=given.slots, bytes_per_call=given.bytes_per_call
    )
    text = section([read(path.read_text()) for path in given.reports], assumed)
    if given.write:
        PAGE.write_text(put(PAGE.read_text(), text))
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
