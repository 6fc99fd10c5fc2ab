"""What compare_peers.py has measured, as text."""

import dataclasses
import datetime
import pathlib
import platform
import statistics
from typing import Callable

Rates = dict[str, float]  # tokens per second of "prompt" and "decode"


@dataclasses.dataclass
class Contender:
    engine: str
    cache: str
    measure: Callable[[int], Rates]  # of a depth
    rounds: dict[int, list[Rates]] = dataclasses.field(default_factory=dict)
    failures: dict[int, str] = dataclasses.field(default_factory=dict)


def number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def rate_cells(rounds: list[Rates], baseline: list[Rates], side: str) -> list[str]:
    values = [rates[side] for rates in rounds]
    ratio = statistics.median(a[side] / b[side] for a, b in zip(rounds, baseline))
    return [number(statistics.median(values)), f"{number(min(values))} … {number(max(values))}",
            f"{ratio:.2f}"]


def table(all_contenders: list[Contender], depths: list[int]) -> str:
    header = ["depth", "engine", "cache", "prompt t/s", "min … max", "× f16/f16", "decode t/s",
              "min … max", "× f16/f16"]
    lines = ["| " + " | ".join(header) + " |",
             "| ---: | --- | --- " + "| ---: " * (len(header) - 3) + "|"]
    for depth in depths:
        baseline = all_contenders[0].rounds.get(depth, [])
        for contender in all_contenders:
            if depth in contender.failures or not baseline:
                cells = ["failed"] + [""] * 5
            else:
                rounds = contender.rounds[depth]
                cells = (rate_cells(rounds, baseline, "prompt")
                         + rate_cells(rounds, baseline, "decode"))
            lines.append("| " + " | ".join([f"{depth:,}", contender.engine, contender.cache,
                                            *cells]) + " |")
    failures = [f"\n{contender.engine} {contender.cache} at {depth:,}: {reason}"
                for contender in all_contenders for depth, reason in contender.failures.items()]
    return "\n".join(lines + failures) + "\n"


def processor_name() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ", 1)[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def heading(model: str, n_threads: int, programs: str) -> str:
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (f"{pathlib.Path(model).name} on {processor_name()}, {n_threads} threads; {programs}; "
            f"{date}\n")
