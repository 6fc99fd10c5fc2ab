#!/usr/bin/env python3
"""What a cache is worth to a server: how many chats fit in a gigabyte, and how many tokens a second
all of them get together. Stock llama-batched-bench, with llama.cpp's own cache types and with the
plugin, on one model. Prints a Markdown table.

    make build tools && build/release/kvsplit calibrate
    bench/serving.py --rounds 3 --output serving.md

All chats share one prompt, which is read once and copied to each one's own stream; then all are
continued together, a token each at a time. As in compare_peers.py every cell is a process of its
own, and all take their turn in each round; figures are medians, ratios medians of the rounds'.
Memory is what was allocated. Needs nothing but Python's standard library.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

import compare_peers
import peer_table
from compare_peers import Failure

GIGABYTE = 1e9


def stock_bytes(log: str) -> float:
    return sum(float(size) for size in re.findall(r"KV buffer size = +([\d.]+) MiB", log)) * 2**20


def plugin_bytes(report: pathlib.Path) -> float:
    events = [json.loads(line) for line in report.read_text().splitlines()]
    return sum(event["k_bytes"] + event["v_bytes"] for event in events if event["event"] == "cache")


class Cell:
    """One cache: its name, how a process is told to use it, and what was measured."""

    def __init__(self, name: str, arguments: list[str], precision: str | None = None):
        self.name, self.arguments, self.precision = name, arguments, precision
        self.n_bytes = 0.0
        self.prompt: list[float] = []
        self.decode: list[float] = []

    def measure(self, options: argparse.Namespace, build: dict[str, str]) -> None:
        n_prompt = options.depth - options.tokens
        command = [f"{build['build']}/bin/llama-batched-bench", "-m", options.model, "-fa", "on",
                   "-t", str(options.threads), "-c", str(options.chats * options.depth),
                   "-npp", str(n_prompt), "-ntg", str(options.tokens), "-npl", str(options.chats),
                   "-pps", "--output-format", "jsonl", "-lv", "4", *self.arguments]
        environment = compare_peers.clean_environment()
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder, "report")
            if self.precision:
                environment |= {"GGML_BACKEND_PATH": str(compare_peers.PLUGIN),
                                "KVSPLIT": self.precision, "KVSPLIT_REPORT": str(report)}
            result = subprocess.run(command, capture_output=True, text=True, env=environment,
                                    check=False)
            log = result.stdout + result.stderr
            rows = re.findall(r'\{"n_kv_max".*\}', log)
            if result.returncode != 0 or not rows:
                raise Failure(f"{self.name}: {log.strip().splitlines()[-1:]}")
            self.n_bytes = plugin_bytes(report) if self.precision else stock_bytes(log)
        if self.n_bytes == 0:
            raise Failure(f"{self.name}: nothing says how large its cache is")
        self.prompt.append(json.loads(rows[0])["speed_pp"])
        self.decode.append(json.loads(rows[0])["speed_tg"])


def cells(options: argparse.Namespace) -> list[Cell]:
    stock = [Cell(f"{types}, llama.cpp", ["-dev", "none", "-ctk", types.split("/")[0],
                                          "-ctv", types.split("/")[1]])
             for types in ("f16/f16", *options.stock)]
    ours = [Cell(precision, ["-dev", "KVSPLIT", "-ngl", "99"], precision)
            for precision in options.kvq]
    plan = pathlib.Path(options.model).with_suffix(".kvplan")
    if plan.exists():
        ours.append(Cell("K4V4 with a plan", ["-dev", "KVSPLIT", "-ngl", "99"],
                         f"K4V4:plan={plan}"))
    else:
        print(f"serving.py: {plan} is not there, kvsplit calibrate makes it", file=sys.stderr)
    return stock + ours


def table(all_cells: list[Cell], chats: int) -> str:
    lines = ["| cache | MiB a chat | chats a GB | prompt t/s | × f16 | all chats t/s | "
             "min … max | × f16 |", "| --- " + "| ---: " * 7 + "|"]
    first = all_cells[0]
    for cell in all_cells:
        a_chat = cell.n_bytes / chats
        ratios = [statistics.median(ours / base for ours, base in zip(mine, theirs))
                  for mine, theirs in ((cell.prompt, first.prompt), (cell.decode, first.decode))]
        number = peer_table.number
        lines.append("| " + " | ".join([
            cell.name, f"{a_chat / 2**20:.2f}", f"{GIGABYTE / a_chat:.1f}",
            number(statistics.median(cell.prompt)), f"{ratios[0]:.2f}",
            number(statistics.median(cell.decode)),
            f"{number(min(cell.decode))} … {number(max(cell.decode))}", f"{ratios[1]:.2f}"])
                     + " |")
    return "\n".join(lines) + "\n"


def parse_options() -> argparse.Namespace:
    def words(text: str) -> list[str]:
        return [] if text == "none" else text.split(",")

    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--model", help="a GGUF file; default: the demo model")
    parser.add_argument("--chats", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--depth", type=int, default=2048,
                        help="tokens of a chat at its end; default: %(default)s")
    parser.add_argument("--tokens", type=int, default=64,
                        help="of them, how many are said in each chat; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--stock", type=words, default=words("q8_0/q4_0"),
                        help="llama.cpp's types beside f16/f16; default: q8_0/q4_0")
    parser.add_argument("--kvq", type=words, default=words("K8V4,K4V4"),
                        help="caches of kvsplit, beside K4V4 with the model's plan; "
                             "default: K8V4,K4V4")
    parser.add_argument("--output", help="also write the table to this file")
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    build = compare_peers.llama_build()
    if options.model is None:
        options.model = compare_peers.demo_model()
    all_cells = cells(options)
    for number in range(options.rounds):
        first = number % len(all_cells)
        for cell in all_cells[first:] + all_cells[:first]:
            print(f"round {number + 1} of {options.rounds}: {cell.name}", file=sys.stderr)
            cell.measure(options, build)
    text = (peer_table.heading(options.model, options.threads, f"llama.cpp {build['version']}")
            + f"{options.chats} chats of {options.depth:,} tokens, the last {options.tokens} of "
            f"them said; median of {options.rounds} rounds.\n\n"
            + table(all_cells, options.chats))
    print(text, end="")
    if options.output:
        pathlib.Path(options.output).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    compare_peers.run(main)
