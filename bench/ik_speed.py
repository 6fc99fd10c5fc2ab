"""Speed of ik_llama.cpp at a depth, measured as llama-bench measures, through its Python package's
API: run by compare_peers.py, which gets that. Prints tokens per second as
{"prompt": …, "decode": …}.

    python ik_speed.py MODEL K_TYPE V_TYPE THREADS DEPTH N_PROMPT N_DECODE
"""

import json
import random
import sys
import time

from ik_llama_cpp import _ctypes_api as api

# Numbers of ggml's types; the package names none.
TYPES = {"f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "iq4_nl": 20, "bf16": 30}
N_BATCH = 2048  # llama-bench's defaults
N_UBATCH = 512


class Sequence:
    """One sequence of random tokens in a context of its own."""

    def __init__(self, model_file: str, k_type: str, v_type: str, n_threads: int, n_context: int):
        api.llama_backend_init()
        self.model = api.llama_model_load_from_file(
            model_file.encode(), api.llama_model_default_params())
        if not self.model:
            sys.exit(f"error: {model_file} cannot be loaded")
        parameters = api.llama_context_default_params()
        parameters.n_ctx = n_context
        parameters.n_batch = N_BATCH
        parameters.n_ubatch = N_UBATCH
        parameters.n_threads = parameters.n_threads_batch = n_threads
        parameters.type_k = TYPES[k_type]
        parameters.type_v = TYPES[v_type]
        parameters.flash_attn = True
        self.context = api.llama_init_from_model(self.model, parameters)
        if not self.context:
            sys.exit(f"error: no context of {n_context} tokens with cache {k_type}/{v_type}")
        self.n_vocab = api.llama_vocab_n_tokens(api.llama_model_get_vocab(self.model))
        self.n_past = 0

    def decode(self, n_tokens: int) -> None:
        """Appends tokens in batches; takes the logits of each batch's last one, which waits."""
        while n_tokens > 0:
            n = min(n_tokens, N_BATCH)
            batch = api.llama_batch_init(n, 0, 1)
            batch.n_tokens = n
            for i in range(n):
                batch.token[i] = random.randrange(self.n_vocab)
                batch.pos[i] = self.n_past + i
                batch.n_seq_id[i] = 1
                batch.seq_id[i][0] = 0
                batch.logits[i] = i == n - 1
            status = api.llama_decode(self.context, batch)
            api.llama_batch_free(batch)
            if status != 0:
                sys.exit(f"error: llama_decode of {n} tokens at {self.n_past} failed: {status}")
            api.llama_get_logits_ith(self.context, n - 1)
            self.n_past += n
            n_tokens -= n

    def go_to(self, depth: int) -> None:
        """Starts anew: what is behind the depth cannot be removed on every model."""
        api.llama_kv_cache_clear(self.context)
        self.n_past = 0
        self.decode(depth)

    def prompt_tps(self, depth: int, n_tokens: int) -> float:
        self.go_to(depth)
        start = time.perf_counter()
        self.decode(n_tokens)
        return n_tokens / (time.perf_counter() - start)

    def decode_tps(self, depth: int, n_tokens: int) -> float:
        self.go_to(depth)
        start = time.perf_counter()
        for _ in range(n_tokens):
            self.decode(1)
        return n_tokens / (time.perf_counter() - start)


def main() -> None:
    model_file, k_type, v_type, *numbers = sys.argv[1:]
    n_threads, depth, n_prompt, n_decode = map(int, numbers)
    sequence = Sequence(model_file, k_type, v_type, n_threads, depth + max(n_prompt, n_decode))
    sequence.decode(n_prompt)  # warm-up, as llama-bench has it
    sequence.go_to(0)
    sequence.decode(1)
    print(json.dumps({"prompt": sequence.prompt_tps(depth, n_prompt),
                      "decode": sequence.decode_tps(depth, n_decode)}))


if __name__ == "__main__":
    main()
