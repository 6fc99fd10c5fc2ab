"""Programs for the tests: one precision per process, so each case is a Python program of its own,
with the plugin's report in a file."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

MODEL = os.environ["KVSPLIT_TEST_MODEL"]
BIN = pathlib.Path(os.environ["KVSPLIT_TEST_BIN"])  # stock llama.cpp programs, same version
PROMPT = "The lighthouse keeper wrote in his logbook every evening. Tonight he wrote:"
N_TOKENS = 48
OPEN = f"""
import json, kvsplit
def answer(object): print("answer " + json.dumps(object))
def open_model(**more):
    from llama_cpp import Llama
    return Llama({MODEL!r}, n_ctx=1024, n_threads=1, n_threads_batch=1, verbose=False, **more)
def text(llama, prompt={PROMPT!r}, n={N_TOKENS}):
    return llama(prompt, max_tokens=n, temperature=0, repeat_penalty=1)["choices"][0]["text"]
"""


def events_in(report):
    if not report.exists():
        return []
    return [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]


class Program:
    """A process that ran: its answer, its one line where it ended with an exception, its events."""

    def __init__(self, command, environment=None):
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder, "report")
            self.result = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=600,
                env=clean_environment() | {"KVSPLIT_REPORT": str(report)} | (environment or {}))
            self.events = events_in(report)

    @property
    def answer(self):
        answers = [line for line in self.result.stdout.splitlines() if line.startswith("answer ")]
        if self.result.returncode != 0 or len(answers) != 1:
            raise AssertionError(self.result.stdout + self.result.stderr)
        return json.loads(answers[0].split(" ", 1)[1])

    @property
    def exception(self):
        if self.result.returncode == 0:
            raise AssertionError("no exception: " + self.result.stdout + self.result.stderr)
        return self.result.stderr.splitlines()[-1]

    def caches(self):
        return [event for event in self.events if event["event"] == "cache"]


def clean_environment():
    return {name: value for name, value in os.environ.items()
            if name not in ("KVSPLIT", "KVSPLIT_REPORT", "GGML_BACKEND_PATH")}


def python(code, **environment):
    return Program([sys.executable, "-c", OPEN + code], environment)


def completion(kvq, plugin):
    """Stock llama-completion with the same plugin."""
    return Program([str(BIN / "llama-completion"), "-m", MODEL, "-p", PROMPT, "-n", str(N_TOKENS),
                    "--temp", "0", "-no-cnv", "-c", "1024", "-t", "1", "--no-display-prompt",
                    "--no-warmup", "-dev", "KVSPLIT", "-ngl", "99", "-fa", "on"],
                   {"GGML_BACKEND_PATH": plugin, "KVSPLIT": kvq})


class Server:
    """llama_cpp.server, run as it is by `python -m kvsplit`, ended with the object."""

    def __init__(self, kvq):
        self.folder = tempfile.TemporaryDirectory()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        self.log = open(pathlib.Path(self.folder.name, "log"), "w+", encoding="utf-8")
        self.report = pathlib.Path(self.folder.name, "report")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kvsplit", kvq, "llama_cpp.server", "--model", MODEL,
             "--port", str(port), "--n_ctx", "1024", "--n_threads", "1", "--n_threads_batch", "1"],
            stdout=self.log, stderr=self.log,
            env=clean_environment() | {"KVSPLIT_REPORT": str(self.report)})

    def __enter__(self):
        for _ in range(300):
            try:
                self.ask("/v1/models")
                return self
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.2)
        self.log.seek(0)
        raise AssertionError("llama_cpp.server does not start: " + self.log.read()[-2000:])

    def ask(self, path, content=None):
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.address + path, data,
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as response:
            return json.load(response)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)
        self.events = events_in(self.report)
        self.log.close()
        self.folder.cleanup()

    def caches(self):
        return [event for event in self.events if event["event"] == "cache"]
