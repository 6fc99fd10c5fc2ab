#!/usr/bin/env python3
"""Many clients at once against stock llama-server with the plugin: PyPI's `openai` client, as it
comes, streams greedy answers of mixed lengths, goes away in the middle of some, shares prompts
that the server keeps, and saves and restores a slot. Prints a Markdown table: errors, answers that
differ from those that the same server gave to the same question when it had no other, memory.

    make soak
    bench/soak.py --cache K8V4 --cache f16/f16 --streams own --clients 64 --seconds 120

Where an answer differs, the lead is looked at that the lone answer's token had there over the next
likely one: products of another batch size are rounded otherwise, and decide between two tokens that
are nearly as likely. An answer that is closer to somebody else's than to its own is mixed up.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import compare_peers
import peer_table

try:
    import openai
except ImportError:  # main() gets them
    openai = None

PACKAGE = "openai==3.57.0"
DOUBT = 0.4  # nats: a token with less of a lead may change with the size of the batch
VENV = compare_peers.ROOT / "build/soak/venv"
TEXTS = compare_peers.ROOT / "examples/texts"
SYSTEM = ("You are the keeper of a lighthouse. You answer in one short sentence, you never invent "
          "ships, and you know the tides, the birds and the weather of your island by heart.")
QUESTIONS = ["What do gulls eat?", "When is the next low tide?", "How tall is the tower?",
             "Who built the lamp?", "Name three birds.", "Is fog dangerous?", "What is a logbook?",
             "How far can the light be seen?", "What colour is the sea at noon?",
             "How do you keep the lens clean?", "Count from one to ten.", "Say hello in French."]


@dataclasses.dataclass(frozen=True)
class Question:
    text: str
    n_tokens: int
    is_chat: bool  # chats share their beginning, which the server keeps; others are read afresh


@dataclasses.dataclass
class Answer:
    text: str
    tokens: list[tuple[str, float]]  # what it is made of, each with its lead


@dataclasses.dataclass
class Tally:
    requests: int = 0
    tokens: int = 0
    seconds: float = 0
    cancelled: int = 0
    slots: int = 0
    errors: list[str] = dataclasses.field(default_factory=list)
    equal: dict[bool, int] = dataclasses.field(default_factory=lambda: {False: 0, True: 0})
    compared: dict[bool, int] = dataclasses.field(default_factory=lambda: {False: 0, True: 0})
    leads: list[float] = dataclasses.field(default_factory=list)
    again: int = 0  # texts whose answer was the same when asked for once more, still alone
    mixed_up: int = 0
    memory: list[int] = dataclasses.field(default_factory=list)


def questions(n_texts: int) -> list[Question]:
    """Excerpts of 20 to 250 tokens to be continued, and questions to be answered."""
    dice = random.Random(1)
    text = "\n".join(file.read_text() for file in sorted(TEXTS.glob("*.txt")))
    starts = [match.end() for match in re.finditer(r"[.!?] (?=[A-Z])", text)]
    excerpts = []
    for _ in range(n_texts):
        start = dice.choice(starts)
        length = dice.choice((80, 160, 320, 640, 1000))
        excerpt = text[start:start + length].rsplit(" ", 1)[0]
        excerpts.append(Question(excerpt, dice.choice((8, 16, 32, 48)), False))
    return excerpts + [Question(text, 24, True) for text in QUESTIONS]


class Server:
    """llama-server with one cache, ended with the object."""

    def __init__(self, options: argparse.Namespace, build: dict[str, str], cache: str,
                 streams: str, folder: str):
        self.port = compare_peers.free_port()
        environment = compare_peers.clean_environment()
        if cache == cache.lower():
            k_type, v_type = cache.split("/")
            device = ["-dev", "none", "-ctk", k_type, "-ctv", v_type]
        else:
            device = ["-dev", "KVSPLIT", "-ngl", "99"]
            environment |= {"GGML_BACKEND_PATH": str(compare_peers.PLUGIN), "KVSPLIT": cache}
        self.log = pathlib.Path(folder, "server.log")
        # Without a cache of prompts in main memory, which grows by intent.
        command = [f"{build['build']}/bin/llama-server", "-m", options.model, "-fa", "on",
                   "-t", str(options.threads), "--port", str(self.port), *device,
                   "--parallel", str(options.clients), "-c", str(options.clients * 512),
                   "--kv-unified" if streams == "shared" else "--no-kv-unified",
                   "--cache-ram", "0", "--slot-save-path", folder + "/"]
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def __enter__(self) -> "Server":
        for _ in range(600):
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health"):
                    return self
            except OSError:
                time.sleep(0.2)
        raise compare_peers.Failure(f"llama-server does not start: {self.log.read_text()[-500:]}")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(60)

    def memory(self) -> int:
        """Resident bytes."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024


def arguments(question: Question) -> dict:
    shared = {"model": "any", "max_tokens": question.n_tokens, "temperature": 0}
    if question.is_chat:
        messages = [{"role": "system", "content": SYSTEM},
                    {"role": "user", "content": question.text}]
        return shared | {"messages": messages}
    return shared | {"prompt": question.text, "extra_body": {"cache_prompt": False}}


def endpoint(client: "openai.AsyncOpenAI", question: Question):
    return (client.chat.completions if question.is_chat else client.completions).create


async def lone_answer(client: "openai.AsyncOpenAI", question: Question) -> Answer:
    asked = {"logprobs": True, "top_logprobs": 2} if question.is_chat else {"logprobs": 2}
    response = await endpoint(client, question)(**arguments(question), **asked)
    choice = response.choices[0].model_dump()
    text = choice["message"]["content"] if question.is_chat else choice["text"]
    tokens = []
    for token in choice["logprobs"]["content"]:
        top = [entry["logprob"] for entry in token["top_logprobs"]]
        tokens.append((token["token"], top[0] - top[1]))
    return Answer(text, tokens)


async def streamed(client: "openai.AsyncOpenAI", question: Question, tally: Tally,
                   stop_after: int | None = None, **more: object) -> list[str] | None:
    """The answer, token by token; None where we went away after so many."""
    asked = arguments(question)
    if more:
        asked["extra_body"] = asked.get("extra_body", {}) | more
    pieces: list[str] = []
    async with await endpoint(client, question)(**asked, stream=True) as stream:
        async for event in stream:
            if not event.choices:
                continue
            choice = event.choices[0]
            piece = choice.delta.content if question.is_chat else choice.text
            if piece:
                pieces.append(piece)
                tally.tokens += 1
            if len(pieces) == stop_after:
                tally.cancelled += 1
                return None
    return pieces


def common(a: str, b: str) -> int:
    return len(os.path.commonprefix([a, b]))


def compare(pieces: list[str], question: Question, alone: dict[Question, Answer],
            tally: Tally) -> None:
    own = alone[question]
    text = "".join(pieces)
    tally.compared[question.is_chat] += 1
    if text == own.text:
        tally.equal[question.is_chat] += 1
        return
    same = common(text, own.text)
    others = max(common(text, other.text) for asked, other in alone.items() if asked != question)
    tally.mixed_up += others > max(same, 12)
    for piece, (token, lead) in zip(pieces, own.tokens):
        if piece != token:
            tally.leads.append(lead)
            break


def described(error: BaseException) -> str:
    """With what it came from: the client only says "Connection error."."""
    cause = f", of {error.__cause__!r}" if error.__cause__ else ""
    return f"{type(error).__name__}: {error}{cause}"


async def client_loop(number: int, client: "openai.AsyncOpenAI", alone: dict[Question, Answer],
                      end: float, tally: Tally) -> None:
    dice = random.Random(number)
    while time.monotonic() < end:
        question = dice.choice(list(alone))
        goes_away = dice.random() < 0.15
        try:
            stop_after = dice.randint(1, 5) if goes_away else None
            pieces = await streamed(client, question, tally, stop_after)
            tally.requests += 1
            if pieces is not None:
                compare(pieces, question, alone, tally)
        except openai.OpenAIError as error:
            tally.errors.append(described(error))


async def slot_loop(client: "openai.AsyncOpenAI", alone: dict[Question, Answer], end: float,
                    tally: Tally) -> None:
    """One client whose slot goes to a file and comes back, again and again."""
    chats = [question for question in alone if question.is_chat]
    root = str(client.base_url).removesuffix("v1/")

    def slot(action: str) -> dict:
        request = urllib.request.Request(f"{root}slots/0?action={action}",
                                         json.dumps({"filename": "slot.bin"}).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    while time.monotonic() < end:
        for question in chats[:2]:
            try:
                pieces = await streamed(client, question, tally, id_slot=0)
                tally.requests += 1
                compare(pieces, question, alone, tally)
                saved = await asyncio.to_thread(slot, "save")
                restored = await asyncio.to_thread(slot, "restore")
                if restored["n_restored"] < 1 or saved["n_saved"] < 1:
                    tally.errors.append(f"slot: saved {saved}, restored {restored}")
                tally.slots += 1
            except (openai.OpenAIError, OSError) as error:
                tally.errors.append(described(error))


async def soak(server: Server, options: argparse.Namespace) -> Tally:
    tally = Tally()
    async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none",
                                  timeout=600, max_retries=0) as client:
        alone = {question: await lone_answer(client, question)
                 for question in questions(options.texts)}
        for question, first in alone.items():
            tally.again += (await lone_answer(client, question)).text == first.text
        tally.memory.append(server.memory())
        start = time.monotonic()
        end = start + options.seconds
        await asyncio.gather(
            slot_loop(client, alone, end, tally),
            *(client_loop(i, client, alone, end, tally) for i in range(options.clients - 1)))
        tally.seconds = time.monotonic() - start
        tally.memory.append(server.memory())
    return tally


def row(cache: str, streams: str, tally: Tally, n_questions: int) -> str:
    lead = "–"
    if tally.leads:
        doubtless = sum(lead > DOUBT for lead in tally.leads)
        lead = f"{statistics.median(tally.leads):.2f}, {max(tally.leads):.2f}, {doubtless}"
    cells = [cache, streams, f"{tally.requests}", f"{tally.tokens / tally.seconds:.0f}",
             f"{len(tally.errors)}", f"{tally.mixed_up}", f"{tally.again} of {n_questions}",
             *(f"{tally.equal[chat]} of {tally.compared[chat]}" for chat in (False, True)), lead,
             f"{tally.cancelled}", f"{tally.slots}",
             " → ".join(f"{memory / 2**20:.0f}" for memory in tally.memory)]
    return "| " + " | ".join(cells) + " |"


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--model", help="a GGUF file; default: the demo model")
    parser.add_argument("--cache", action="append",
                        help="a precision of kvsplit, or llama.cpp's types as q8_0/q4_0; repeat; "
                             "default: K8V4, f16/f16, q8_0/q4_0")
    parser.add_argument("--streams", action="append", choices=("own", "shared"),
                        help="--no-kv-unified or --kv-unified; default: both")
    parser.add_argument("--clients", type=int, default=64, help="default: %(default)s")
    parser.add_argument("--seconds", type=int, default=120, help="default: %(default)s")
    parser.add_argument("--texts", type=int, default=24, help="to be continued; default: 24")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    if openai is None:
        if sys.prefix == str(VENV):
            raise compare_peers.Failure(f"{PACKAGE} is not in {VENV}; remove that folder")
        if not (VENV / "bin/python").exists():
            subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([VENV / "bin/python", "-m", "pip", "install", "--quiet",
                        "--disable-pip-version-check", PACKAGE], check=True)
        os.execv(VENV / "bin/python", [str(VENV / "bin/python"), *sys.argv])
    build = compare_peers.llama_build()
    if options.model is None:
        options.model = compare_peers.demo_model()
    print(peer_table.heading(options.model, options.threads, f"llama.cpp {build['version']}, "
                             f"{PACKAGE}")
          + f"{options.clients} clients for {options.seconds} s\n\n"
          "| cache | streams | requests | tokens/s | errors | mixed up | equal, alone again | equal, read afresh | "
          f"equal, prompt kept | lead where not: median, largest, above {DOUBT} | cancelled | "
          "slots saved | MiB start → end |\n| --- | --- " + "| ---: " * 11 + "|", flush=True)
    failed = False
    for cache in options.cache or ["K8V4", "f16/f16", "q8_0/q4_0"]:
        for streams in options.streams or ["own", "shared"]:
            with (tempfile.TemporaryDirectory() as folder,
                  Server(options, build, cache, streams, folder) as server):
                tally = asyncio.run(soak(server, options))
            print(row(cache, streams, tally, options.texts + len(QUESTIONS)), flush=True)
            for error in sorted(set(tally.errors)):
                print(f"soak.py: {cache}, {streams}: {error}", file=sys.stderr)
            failed |= bool(tally.errors or tally.mixed_up)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    compare_peers.run(main)
