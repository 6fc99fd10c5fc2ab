#!/usr/bin/env python3
"""One model over two hosts by llama.cpp's own RPC, packed caches on each: the same text as on one
machine, what memory the caches take where, tokens/s, and what a client sees when a host dies in the
middle. The hosts are network namespaces where that is allowed (root, iproute2), else two ports of
this machine. Prints Markdown; fails if a text differs.

    make build tools
    bench/distributed.py
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import compare_peers

PROMPT = "Count: 1, 2, 3, 4, 5, 6, 7, 8,"
N_TOKENS = 48


@dataclasses.dataclass
class Host:
    address: str
    prefix: list[str]  # of what runs there
    report: str = ""
    server: subprocess.Popen | None = None


def ip_command(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextlib.contextmanager
def hosts():
    """Two namespaces with a cable each to this one, or two ports."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        yield [Host("127.0.0.1", []), Host("127.0.0.1", [])], "two ports of one machine"
        return
    names = [f"kvsplit-{os.getpid()}-{i}" for i in (1, 2)]
    try:
        found = []
        for i, name in enumerate(names, 1):
            here, there = f"ks{os.getpid() % 100000}a{i}", f"ks{os.getpid() % 100000}b{i}"
            ip_command("netns", "add", name)
            ip_command("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
            ip_command("addr", "add", f"10.213.{i}.1/30", "dev", here)
            ip_command("link", "set", here, "up")
            ip_command("-n", name, "addr", "add", f"10.213.{i}.2/30", "dev", there)
            ip_command("-n", name, "link", "set", there, "up")
            found.append(Host(f"10.213.{i}.2", ["ip", "netns", "exec", name]))
        yield found, "two network namespaces"
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def start(host: Host, build: dict[str, str], kvsplit: str | None, folder: str) -> None:
    port = compare_peers.free_port()
    environment = compare_peers.clean_environment()
    device = "CPU"
    host.report = f"{folder}/{port}.report"
    if kvsplit:
        device = "KVSPLIT"
        environment |= {"GGML_BACKEND_PATH": str(compare_peers.PLUGIN), "KVSPLIT": kvsplit,
                        "KVSPLIT_REPORT": host.report}
    ip = host.address.split(":")[0]
    host.address = f"{ip}:{port}"
    host.server = subprocess.Popen(
        [*host.prefix, f"{build['build']}/bin/ggml-rpc-server", "-H", ip, "-p", str(port),
         "-t", "1", "-d", device],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        try:
            socket.create_connection((ip, port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise compare_peers.Failure(f"ggml-rpc-server does not start on {host.address}")


def stop(host: Host) -> None:
    if host.server:
        host.server.kill()
        host.server.wait()


def completion(options, build: dict[str, str], devices: list[str], environment: dict[str, str],
               n_tokens: int = N_TOKENS) -> subprocess.Popen:
    command = [f"{build['build']}/bin/llama-completion", "-m", options.model, "-p", PROMPT,
               "-n", str(n_tokens), "-c", "2048", "--temp", "0", "-no-cnv", "-fa", "on",
               "-t", "2", "-ngl", "99", "--ignore-eos", *devices]
    return subprocess.Popen(command, env=compare_peers.clean_environment() | environment,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen) -> tuple[str, float]:
    text, log = process.communicate(timeout=300)
    if process.returncode != 0:
        raise compare_peers.Failure(f"llama-completion ended with {process.returncode}: "
                                    + log[-600:])
    speed = re.search(r":\s+eval time =.*?([0-9.]+) tokens per second", log)
    return text, float(speed[1]) if speed else float("nan")


def cache_mib(host: Host) -> str:
    path = pathlib.Path(host.report)
    events = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    found = [event["k_bytes"] + event["v_bytes"] for event in events if event["event"] == "cache"]
    return f"{found[-1] / 2**20:.2f}" if found else "–"


def on_two(options, build, both: list[Host], kvsplit: str | None, with_plugin: bool, folder: str,
           n_tokens: int = N_TOKENS) -> subprocess.Popen:
    for host in both:
        start(host, build, kvsplit, folder)
    environment = {}
    if with_plugin:
        environment = {"GGML_BACKEND_PATH": str(compare_peers.PLUGIN), "KVSPLIT": kvsplit or ""}
    devices = ["--rpc", ",".join(host.address for host in both), "-dev", "RPC0,RPC1"]
    return completion(options, build, devices, environment, n_tokens)


def killed(options, build, both: list[Host], cache: str, truth: str, folder: str) -> str:
    """What a client sees whose second host dies while it answers: an error, and until then the
    right text."""
    process = on_two(options, build, both, cache, False, folder, 1500)
    text = ""
    while len(text) < len(PROMPT) + 12:
        piece = process.stdout.read(1)
        if not piece:
            break
        text += piece
    both[1].server.send_signal(signal.SIGKILL)
    rest, _ = process.communicate(timeout=120)
    text += rest
    for host in both:
        stop(host)
    same = os.path.commonprefix([text.strip(), truth.strip()])
    if process.returncode == 0 or len(same) < min(len(text.strip()), len(truth.strip())):
        raise compare_peers.Failure(f"a host died, exit code {process.returncode}, text {text!r}")
    return (f"A host killed in the middle: the client ended with {process.returncode} after "
            f"{len(text) - len(PROMPT)} characters, all of them right.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--model", help="a GGUF file; default: the demo model")
    parser.add_argument("--cache", default="K8V4:sinks=0:window=0")
    options = parser.parse_args()
    build = compare_peers.llama_build()
    if options.model is None:
        options.model = compare_peers.demo_model()
    plugin = {"GGML_BACKEND_PATH": str(compare_peers.PLUGIN), "KVSPLIT": options.cache}
    truth, speed = finished(completion(options, build, ["-dev", "KVSPLIT"], plugin))
    long_truth, _ = finished(completion(options, build, ["-dev", "KVSPLIT"], plugin, 400))
    with tempfile.TemporaryDirectory() as folder, hosts() as (both, where):
        print(f"{pathlib.Path(options.model).name}, {options.cache}, {where}, "
              f"llama.cpp {build['version']}\n\n| caches | client | same text | decode t/s | "
              "cache MiB, first host | second |\n| --- | --- | --- | ---: | ---: | ---: |\n"
              f"| one machine | with the plugin | (it) | {speed:.1f} | | |", flush=True)
        failed = False
        for kvsplit, with_plugin in ((options.cache, False), (options.cache, True), (None, False)):
            text, speed = finished(on_two(options, build, both, kvsplit, with_plugin, folder))
            memory = [cache_mib(host) for host in both]
            for host in both:
                stop(host)
            same = text == truth
            failed |= kvsplit is not None and not same
            print(f"| {'packed on both' if kvsplit else 'f16 on both'} | "
                  f"{'with' if with_plugin else 'without'} the plugin | {'yes' if same else 'no'} | "
                  f"{speed:.1f} | {memory[0]} | {memory[1]} |", flush=True)
        print("\n" + killed(options, build, both, options.cache, long_truth, folder))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    compare_peers.run(main)
