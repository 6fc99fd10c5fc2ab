#!/usr/bin/env python3
"""Speed of kvsplit beside others on one model: the plugin in stock llama-bench, the same
llama-bench with llama.cpp's own cache types and, with --ik, ik_llama.cpp. Prints a Markdown table.

    make build tools
    bench/compare_peers.py --model model.gguf --depths 0,2048,8192 --rounds 3

Every cell is measured in a process of its own, and all take their turn in each round, the first
place moving on, so that a machine that slows down slows all of them. Figures are medians; ratios
are medians of the rounds' ratios. Of ik_llama.cpp only the speed is looked at here, not what its
caches do to a model. docs/benchmarks.md says more. Needs nothing but Python's standard library.
"""

import argparse
import json
import os
import pathlib
import socket
import subprocess
import sys
from typing import Callable

import peer_table
from peer_table import Contender, Rates

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLUGIN = ROOT / "build/release/libggml-kvsplit.so"
IK_PACKAGE = "ik-llama-cpp-python==0.1.5"
IK_FOLDER = ROOT / "build/peers/ik"
IK_LIBRARY = IK_FOLDER / f"build/src/libllama{'.dylib' if sys.platform == 'darwin' else '.so'}"
N_PROMPT = 512
N_DECODE = 32


class Failure(Exception):
    """One line that says why there is no figure."""


def output_of(command: list[str], environment: dict[str, str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if result.returncode == 0:
        return result.stdout
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or "assert" in line.lower()]
    raise Failure((errors or lines or [f"exit code {result.returncode}"])[0].strip())


def clean_environment() -> dict[str, str]:
    """Without settings that would bring the plugin where it is not asked for."""
    return {name: value for name, value in os.environ.items()
            if name not in ("GGML_BACKEND_PATH", "KVSPLIT")}


def demo_model() -> str:
    return output_of([str(ROOT / "scripts/get-model"), "--path"], dict(os.environ)).strip()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def run(program: Callable[[], None]) -> None:
    """For each program of this folder: what goes wrong is one line."""
    try:
        program()
    except Failure as failure:
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {failure}")


def llama_build() -> dict[str, str]:
    """Where the pinned llama.cpp is built, which scripts/llama-cpp decides."""
    text = output_of([str(ROOT / "scripts/llama-cpp"), "paths"], dict(os.environ))
    paths = dict(line.split("=", 1) for line in text.splitlines())
    if not pathlib.Path(paths["build"], "bin/llama-bench").exists():
        raise Failure("llama-bench is not built yet: make tools")
    if not PLUGIN.exists():
        raise Failure(f"{PLUGIN} is not built yet: make build")
    return paths


def llama_bench(options: argparse.Namespace, build: dict[str, str], arguments: list[str],
                environment: dict[str, str]) -> Callable[[int], Rates]:
    def measure(depth: int) -> Rates:
        command = [f"{build['build']}/bin/llama-bench", "-m", options.model, "-fa", "on",
                   "-t", str(options.threads), "-p", str(N_PROMPT), "-n", str(N_DECODE),
                   "-d", str(depth), "-r", "1", "-o", "json", *arguments]
        rows = json.loads(output_of(command, clean_environment() | environment))
        return {"prompt" if row["n_gen"] == 0 else "decode": row["avg_ts"] for row in rows}
    return measure


def ik_speed(options: argparse.Namespace, types: str) -> Callable[[int], Rates]:
    def measure(depth: int) -> Rates:
        command = [sys.executable, str(ROOT / "bench/ik_speed.py"), options.model,
                   *types.split("/"), *map(str, (options.threads, depth, N_PROMPT, N_DECODE))]
        environment = {"PYTHONPATH": str(IK_FOLDER), "IK_LLAMA_CPP_LIB_PATH": str(IK_LIBRARY)}
        output = output_of(command, clean_environment() | environment)
        return json.loads(output.splitlines()[-1])
    return measure


def install_ik() -> None:
    """Builds its library for this very processor, as scripts/llama-cpp builds llama.cpp. Not by
    pip: its wheels are for AVX2, and its source package lacks a file that other targets need."""
    if IK_LIBRARY.exists():
        return
    IK_FOLDER.mkdir(parents=True, exist_ok=True)
    print(f"getting and building {IK_PACKAGE}, once: this takes long", file=sys.stderr)
    name = IK_PACKAGE.split("==", maxsplit=1)[0]
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary",
                    name, "--dest", IK_FOLDER, IK_PACKAGE], check=True)
    subprocess.run(["tar", "-xzf", next(IK_FOLDER.glob("*.tar.gz")), "--strip-components=1"],
                   cwd=IK_FOLDER, check=True)
    flags = ["-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=ON", "-DGGML_NATIVE=ON",
             *(f"-DLLAMA_BUILD_{part}=OFF" for part in ("TESTS", "EXAMPLES", "SERVER"))]
    subprocess.run(["cmake", "-S", IK_FOLDER / "vendor/ik_llama.cpp", "-B", IK_FOLDER / "build",
                    "-G", "Ninja", *flags], stdout=sys.stderr, check=True)
    subprocess.run(["cmake", "--build", IK_FOLDER / "build", "--target", "llama", "-j",
                    os.environ.get("KVSPLIT_JOBS", str(os.cpu_count()))],
                   stdout=sys.stderr, check=True)


def contenders(options: argparse.Namespace, build: dict[str, str]) -> list[Contender]:
    """The baseline first."""
    stock = ["f16/f16", *(types for types in options.stock if types != "f16/f16")]
    found = []
    for types in stock:
        k_type, v_type = types.split("/")
        arguments = ["-dev", "none", "-ctk", k_type, "-ctv", v_type]
        found.append(Contender("llama.cpp", types, llama_bench(options, build, arguments, {})))
    for precision in options.kvq:
        arguments = ["-dev", "KVSPLIT", "-ngl", "99"]
        environment = {"GGML_BACKEND_PATH": str(PLUGIN), "KVSPLIT": precision}
        found.append(Contender("kvsplit", precision,
                               llama_bench(options, build, arguments, environment)))
    if options.ik:
        found += [Contender("ik_llama.cpp (speed only)", types, ik_speed(options, types))
                  for types in stock]
    return found


def measure_all(all_contenders: list[Contender], options: argparse.Namespace) -> None:
    n_done, n_all = 0, len(options.depths) * options.rounds * len(all_contenders)
    for depth in options.depths:
        for number in range(options.rounds):
            first = number % len(all_contenders)
            for contender in all_contenders[first:] + all_contenders[:first]:
                n_done += 1
                print(f"[{n_done}/{n_all}] depth {depth}, round {number + 1}: {contender.engine} "
                      f"{contender.cache}", file=sys.stderr)
                if depth in contender.failures:
                    continue
                try:
                    contender.rounds.setdefault(depth, []).append(contender.measure(depth))
                except Failure as failure:
                    contender.failures[depth] = str(failure)


def parse_options() -> argparse.Namespace:
    def words(text: str) -> list[str]:
        return [] if text == "none" else text.split(",")

    def types(text: str) -> list[str]:
        return [word if "/" in word else f"{word}/{word}" for word in words(text)]

    def numbers(text: str) -> list[int]:
        return [int(word) for word in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--model", required=True, help="a GGUF file")
    parser.add_argument("--threads", type=int, default=os.cpu_count(),
                        help="take the number of cores; default: %(default)s, hardware threads")
    parser.add_argument("--depths", type=numbers, default=[0, 2048, 8192],
                        help="tokens in the cache before; default: 0,2048,8192")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--kvq", type=words, default=words("FP16,K8V8,K8V4,K4V4"),
                        help="caches of kvsplit; default: FP16,K8V8,K8V4,K4V4")
    parser.add_argument("--stock", type=types, default=types("q8_0,q8_0/q4_0,q4_0"),
                        help="llama.cpp's types beside f16/f16; default: q8_0,q8_0/q4_0,q4_0")
    parser.add_argument("--ik", action="store_true",
                        help="ik_llama.cpp with the stock types as well; the first time builds "
                             f"{IK_PACKAGE} in build/peers")
    parser.add_argument("--output", help="also write the table to this file")
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    build = llama_build()
    if options.ik:
        install_ik()
    all_contenders = contenders(options, build)
    measure_all(all_contenders, options)
    programs = f"llama.cpp {build['version']}" + (f", {IK_PACKAGE}" if options.ik else "")
    text = (peer_table.heading(options.model, options.threads, programs)
            + f"Prompts of {N_PROMPT}, then {N_DECODE} single tokens, depth tokens in the cache "
            f"before; median of {options.rounds} rounds.\n\n"
            + peer_table.table(all_contenders, options.depths))
    print(text, end="")
    if options.output:
        pathlib.Path(options.output).write_text(text)


if __name__ == "__main__":
    run(main)
