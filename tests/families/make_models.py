#!/usr/bin/env python3
"""Writes the tiny models of tests/data/models: one per family, random weights from a fixed seed.

    python3 -m venv /tmp/gguf && /tmp/gguf/bin/pip install gguf==0.19.0
    /tmp/gguf/bin/python tests/families/make_models.py tests/data/models

The files are committed; nothing else in this repository needs Python. What the weights must do:
attention scores spread by about two around their mean, so that softmax is peaked and rounding of
keys shows; a few key channels are outliers, as in trained models; every layer adds about as much to
the stream as the embedding brought, so that its attention decides the logits. Numbers are F32, with
the mantissa cut to eight bits: the host then does not round activations, and the files compress.
Mixtures use all their experts: a tie broken the other way is not what these tests are after.
"""

import argparse
import pathlib
import zlib

import gguf
import numpy as np

N_VOCAB = 128
N_CONTEXT = 2048
N_FF = 48  # width of feed forward layers and experts
SCORE_SPREAD = 2.0  # standard deviation of scale * (q . k) over random tokens
LOGIT_SPREAD = 4.0


class TinyModel:
    """A GGUF file being written: keys of the architecture, and random tensors by name."""

    def __init__(self, name: str, arch: str, n_embd: int, n_layers: int):
        self.name, self.arch = name, arch
        self.n_embd, self.n_layers = n_embd, n_layers
        self.writer = gguf.GGUFWriter(path=None, arch=arch)
        self.random = np.random.default_rng(zlib.crc32(name.encode()))
        self.writer.add_string("tokenizer.ggml.model", "no_vocab")
        self.key("vocab_size", N_VOCAB)
        self.key("context_length", N_CONTEXT)
        self.key("embedding_length", n_embd)
        self.key("block_count", n_layers)
        self.key("feed_forward_length", N_FF)

    def key(self, name: str, value) -> None:
        """A key of the architecture: int → u32, float → f32, list → array of u32."""
        name = f"{self.arch}.{name}"
        if isinstance(value, bool):
            self.writer.add_bool(name, value)
        elif isinstance(value, int):
            self.writer.add_uint32(name, value)
        elif isinstance(value, float):
            self.writer.add_float32(name, value)
        else:
            self.writer.add_key_value(
                name, value, gguf.GGUFValueType.ARRAY, gguf.GGUFValueType.UINT32
            )

    def heads(self, n_heads, n_kv_heads, head_dim: int, head_dim_v: int = 0) -> None:
        self.key("attention.head_count", n_heads)
        self.key("attention.head_count_kv", n_kv_heads)
        self.key("attention.key_length", head_dim)
        self.key("attention.value_length", head_dim_v or head_dim)

    def tensor(self, name: str, values: np.ndarray) -> None:
        bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
        cut = ((bits + 0x8000) & np.uint32(0xFFFF0000)).view(np.float32)
        self.writer.add_tensor(name, cut)

    def normal(self, *shape: int) -> np.ndarray:
        return self.random.standard_normal(shape)

    def linear(self, name: str, n_out: int, n_in: int, gain: float = 1.0) -> None:
        """A matrix whose outputs spread by `gain` when its inputs spread by one."""
        self.tensor(f"{name}.weight", gain / n_in**0.5 * self.normal(n_out, n_in))

    def experts(self, name: str, n_experts: int, n_out: int, n_in: int, gain: float = 1.0) -> None:
        self.tensor(f"{name}.weight", gain / n_in**0.5 * self.normal(n_experts, n_out, n_in))

    def bias(self, name: str, n: int, spread: float = 0.2) -> None:
        self.tensor(f"{name}.bias", spread * self.normal(n))

    def norm(self, name: str, n: int, gain: float = 1.0) -> None:
        self.tensor(f"{name}.weight", gain * (1 + 0.1 * self.normal(n)))

    def outliers(self, n: int) -> np.ndarray:
        """Gain per key channel: every sixteenth, from the third on, is three times as large."""
        gains = np.ones(n)
        gains[3::16] = 3.0
        return gains

    def query_and_key_gain(self, head_dim: int) -> float:
        spread_of_outliers = np.mean(self.outliers(head_dim) ** 2) ** 0.5
        return (SCORE_SPREAD / spread_of_outliers) ** 0.5

    def query(self, n_heads: int, head_dim: int) -> np.ndarray:
        gain = self.query_and_key_gain(head_dim)
        return gain / self.n_embd**0.5 * self.normal(n_heads * head_dim, self.n_embd)

    def keys(self, n_kv_heads: int, head_dim: int) -> np.ndarray:
        gains = np.tile(self.outliers(head_dim), n_kv_heads)[:, None]
        return gains * self.query(n_kv_heads, head_dim)

    def value(self, n_channels: int) -> np.ndarray:
        return self.normal(n_channels, self.n_embd) / self.n_embd**0.5

    def attention(self, block: str, n_heads: int, n_kv_heads: int, head_dim: int,
                  fused: bool = False, bias: float = 0.0, out_bias: bool = False) -> None:
        """Projections of one layer. bias: how far the biases of q, k, v spread; 0 = none."""
        n_channels = n_kv_heads * head_dim
        parts = {
            "q": self.query(n_heads, head_dim),
            "k": self.keys(n_kv_heads, head_dim),
            "v": self.value(n_channels),
        }
        if fused:
            self.tensor(f"{block}.attn_qkv.weight", np.concatenate(list(parts.values())))
            if bias:
                self.bias(f"{block}.attn_qkv", sum(len(part) for part in parts.values()), bias)
        else:
            for name, part in parts.items():
                self.tensor(f"{block}.attn_{name}.weight", part)
                if bias:
                    self.bias(f"{block}.attn_{name}", len(part), bias)
        self.linear(f"{block}.attn_output", self.n_embd, n_heads * head_dim, gain=2.0)
        if out_bias:
            self.bias(f"{block}.attn_output", self.n_embd)

    def query_and_key_norms(self, block: str, head_dim: int) -> None:
        gain = self.query_and_key_gain(head_dim)
        self.norm(f"{block}.attn_q_norm", head_dim, gain)
        self.tensor(f"{block}.attn_k_norm.weight", gain * self.outliers(head_dim))

    def feed_forward(self, block: str) -> None:
        self.linear(f"{block}.ffn_gate", N_FF, self.n_embd)
        self.linear(f"{block}.ffn_up", N_FF, self.n_embd)
        self.linear(f"{block}.ffn_down", self.n_embd, N_FF)

    def embeddings(self, tied: bool = False, embedding_gain: float = 1.0) -> None:
        """tied: logits come from the embedding itself, whose gain then follows from theirs."""
        gain = LOGIT_SPREAD / self.n_embd**0.5 if tied else embedding_gain
        self.tensor("token_embd.weight", gain * self.normal(N_VOCAB, self.n_embd))
        if not tied:
            self.linear("output", N_VOCAB, self.n_embd, LOGIT_SPREAD)

    def blocks(self):
        return [f"blk.{layer}" for layer in range(self.n_layers)]

    def save(self, folder: pathlib.Path) -> None:
        path = folder / f"{self.name}.gguf"
        self.writer.write_header_to_file(path)
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()
        print(f"{path}: {path.stat().st_size} bytes")


def llama(name, n_heads, n_kv_heads, head_dim, n_embd=48, n_experts=0):
    model = TinyModel(name, "llama", n_embd, n_layers=2)
    model.heads(n_heads, n_kv_heads, head_dim)
    model.key("rope.dimension_count", head_dim)
    model.key("attention.layer_norm_rms_epsilon", 1e-5)
    model.embeddings()
    model.norm("output_norm", n_embd)
    if n_experts:
        model.key("expert_count", n_experts)
        model.key("expert_used_count", n_experts)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd)
        model.attention(block, n_heads, n_kv_heads, head_dim)
        model.norm(f"{block}.ffn_norm", n_embd)
        if n_experts:
            model.linear(f"{block}.ffn_gate_inp", n_experts, n_embd)
            model.experts(f"{block}.ffn_gate_exps", n_experts, N_FF, n_embd)
            model.experts(f"{block}.ffn_up_exps", n_experts, N_FF, n_embd)
            model.experts(f"{block}.ffn_down_exps", n_experts, n_embd, N_FF)
        else:
            model.feed_forward(block)
    return model


def gemma(generation, n_heads, n_kv_heads, head_dim, n_layers, n_embd):
    """Sliding windows in every second layer; soft caps (2) or norms of queries and keys (3)."""
    model = TinyModel(f"gemma{generation}", f"gemma{generation}", n_embd, n_layers)
    model.heads(n_heads, n_kv_heads, head_dim)
    model.key("attention.layer_norm_rms_epsilon", 1e-5)
    model.key("attention.sliding_window", 64)
    model.key("attention.sliding_window_pattern", 2)
    if generation == 2:
        model.key("attn_logit_softcapping", 6.0)
        model.key("final_logit_softcapping", 30.0)
    else:
        model.key("rope.freq_base", 1e6)
        model.key("rope.freq_base_swa", 1e4)
    model.embeddings(tied=True)
    model.norm("output_norm", n_embd)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd)
        model.attention(block, n_heads, n_kv_heads, head_dim)
        if generation == 3:
            model.query_and_key_norms(block, head_dim)
        model.norm(f"{block}.post_attention_norm", n_embd, gain=LOGIT_SPREAD)
        model.norm(f"{block}.ffn_norm", n_embd)
        model.feed_forward(block)
        model.norm(f"{block}.post_ffw_norm", n_embd, gain=LOGIT_SPREAD)
    return model


def qwen(generation, n_heads, n_kv_heads, head_dim, n_embd):
    """Qwen 2: biases, those of the keys large, as in trained ones. Qwen 3: norms instead."""
    model = TinyModel(f"qwen{generation}", f"qwen{generation}", n_embd, n_layers=2)
    model.heads(n_heads, n_kv_heads, head_dim)
    model.key("attention.layer_norm_rms_epsilon", 1e-5)
    model.embeddings()
    model.norm("output_norm", n_embd)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd)
        model.attention(block, n_heads, n_kv_heads, head_dim, bias=1.0 if generation == 2 else 0.0)
        if generation == 3:
            model.query_and_key_norms(block, head_dim)
        model.norm(f"{block}.ffn_norm", n_embd)
        model.feed_forward(block)
    return model


def phi3():
    """One matrix for q, k, v, and a head size, 96, that is no power of two."""
    n_embd = head_dim = 96
    model = TinyModel("phi3", "phi3", n_embd, n_layers=2)
    model.heads(1, 1, head_dim)
    model.key("rope.dimension_count", head_dim)
    model.key("attention.layer_norm_rms_epsilon", 1e-5)
    model.embeddings()
    model.norm("output_norm", n_embd)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd)
        model.attention(block, 1, 1, head_dim, fused=True)
        model.norm(f"{block}.ffn_norm", n_embd)
        model.linear(f"{block}.ffn_up", 2 * N_FF, n_embd)
        model.linear(f"{block}.ffn_down", n_embd, N_FF)
    return model


def gptneox():
    """Rotary positions on a quarter of each head; attention and feed forward in parallel."""
    n_embd, n_heads, head_dim = 64, 2, 32
    model = TinyModel("gptneox", "gptneox", n_embd, n_layers=2)
    model.heads(n_heads, n_heads, head_dim)
    model.key("rope.dimension_count", head_dim // 4)
    model.key("use_parallel_residual", True)
    model.key("attention.layer_norm_epsilon", 1e-5)
    model.embeddings()
    model.norm("output_norm", n_embd)
    model.bias("output_norm", n_embd)
    for block in model.blocks():
        for norm in ("attn_norm", "ffn_norm"):
            model.norm(f"{block}.{norm}", n_embd)
            model.bias(f"{block}.{norm}", n_embd)
        model.attention(block, n_heads, n_heads, head_dim, fused=True, bias=0.2, out_bias=True)
        model.linear(f"{block}.ffn_up", N_FF, n_embd)
        model.bias(f"{block}.ffn_up", N_FF)
        model.linear(f"{block}.ffn_down", n_embd, N_FF)
        model.bias(f"{block}.ffn_down", n_embd)
    return model


def mpt():
    """No positions but ALiBi's, with a number of heads that is no power of two."""
    n_embd, n_heads, head_dim = 96, 3, 32
    model = TinyModel("mpt", "mpt", n_embd, n_layers=2)
    model.heads(n_heads, n_heads, head_dim)
    model.key("attention.max_alibi_bias", 8.0)
    model.key("attention.layer_norm_epsilon", 1e-5)
    model.embeddings()
    model.norm("output_norm", n_embd)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd)
        model.attention(block, n_heads, n_heads, head_dim, fused=True)
        model.norm(f"{block}.ffn_norm", n_embd)
        model.linear(f"{block}.ffn_up", N_FF, n_embd)
        model.linear(f"{block}.ffn_down", n_embd, N_FF)
    return model


def gpt_oss():
    """A sink per head in the softmax, sliding windows, experts, biases everywhere."""
    n_embd, n_heads, n_kv_heads, head_dim, n_experts = 48, 4, 2, 32, 2
    model = TinyModel("gpt-oss", "gpt-oss", n_embd, n_layers=2)
    model.heads(n_heads, n_kv_heads, head_dim)
    model.key("rope.dimension_count", head_dim)
    model.key("attention.layer_norm_rms_epsilon", 1e-5)
    model.key("attention.sliding_window", 64)
    model.key("attention.sliding_window_pattern", 2)
    model.key("expert_count", n_experts)
    model.key("expert_used_count", n_experts)
    model.key("expert_feed_forward_length", N_FF)
    model.embeddings()
    model.norm("output_norm", n_embd)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd)
        model.attention(block, n_heads, n_kv_heads, head_dim, bias=0.5, out_bias=True)
        model.tensor(f"{block}.attn_sinks.weight", 4 + model.normal(n_heads))
        model.norm(f"{block}.post_attention_norm", n_embd)
        model.linear(f"{block}.ffn_gate_inp", n_experts, n_embd)
        model.bias(f"{block}.ffn_gate_inp", n_experts)
        shapes = {"gate": (N_FF, n_embd), "up": (N_FF, n_embd), "down": (n_embd, N_FF)}
        for name, (n_out, n_in) in shapes.items():
            model.experts(f"{block}.ffn_{name}_exps", n_experts, n_out, n_in)
            model.tensor(f"{block}.ffn_{name}_exps.bias", 0.2 * model.normal(n_experts, n_out))
    return model


def deepseek2(name, absorbed: bool):
    """Latent attention. absorbed: one cached row of 64 latent + 32 rotary numbers, whose first part
    are the values too; otherwise heads with 96 numbers of key and 64 of value each."""
    n_embd, n_heads, n_latent, n_rot = 48, 2, 64, 32
    nope, head_dim_v = (32, 32) if absorbed else (64, 64)
    model = TinyModel(name, "deepseek2", n_embd, n_layers=2)
    if absorbed:
        model.heads(n_heads, 1, n_latent + n_rot, n_latent)
        model.key("attention.key_length_mla", nope + n_rot)
        model.key("attention.value_length_mla", head_dim_v)
    else:
        model.heads(n_heads, n_heads, nope + n_rot, head_dim_v)
    model.key("attention.kv_lora_rank", n_latent)
    model.key("attention.q_lora_rank", 0)
    model.key("attention.layer_norm_rms_epsilon", 1e-5)
    model.key("rope.dimension_count", n_rot)
    model.key("leading_dense_block_count", 2)
    model.key("expert_feed_forward_length", N_FF)
    model.key("expert_shared_count", 1)
    model.embeddings()
    model.norm("output_norm", n_embd)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd)
        model.linear(f"{block}.attn_q", n_heads * (nope + n_rot), n_embd, gain=SCORE_SPREAD)
        model.linear(f"{block}.attn_kv_a_mqa", n_latent + n_rot, n_embd)
        model.norm(f"{block}.attn_kv_a_norm", n_latent)
        if absorbed:
            key = model.normal(n_heads, n_latent, nope) / n_latent**0.5
            value = model.normal(n_heads, head_dim_v, n_latent) / n_latent**0.5
            model.tensor(f"{block}.attn_k_b.weight", key)
            model.tensor(f"{block}.attn_v_b.weight", value)
        else:
            model.linear(f"{block}.attn_kv_b", n_heads * (nope + head_dim_v), n_latent)
        model.linear(f"{block}.attn_output", n_embd, n_heads * head_dim_v, gain=2.0)
        model.norm(f"{block}.ffn_norm", n_embd)
        model.feed_forward(block)
    return model


def lfm2():
    """Short convolutions with a recurrent state in every layer but the second and the fourth."""
    n_embd, n_heads, head_dim, kernel = 64, 2, 32, 3
    model = TinyModel("lfm2", "lfm2", n_embd, n_layers=4)
    kv_heads = [0, 1, 0, 1]
    model.key("attention.head_count", n_heads)
    model.key("attention.head_count_kv", kv_heads)
    model.key("attention.layer_norm_rms_epsilon", 1e-5)
    model.key("shortconv.l_cache", kernel)
    model.embeddings()
    model.norm("token_embd_norm", n_embd)
    for block, n_kv_heads in zip(model.blocks(), kv_heads):
        model.norm(f"{block}.attn_norm", n_embd)
        if n_kv_heads:
            model.attention(block, n_heads, n_kv_heads, head_dim)
            model.query_and_key_norms(block, head_dim)
        else:
            model.tensor(f"{block}.shortconv.conv.weight", model.normal(n_embd, kernel))
            model.linear(f"{block}.shortconv.in_proj", 3 * n_embd, n_embd)
            model.linear(f"{block}.shortconv.out_proj", n_embd, n_embd)
        model.norm(f"{block}.ffn_norm", n_embd)
        model.feed_forward(block)
    return model


def all_models():
    yield llama("llama", n_heads=8, n_kv_heads=2, head_dim=32)
    yield llama("llama-head64", n_heads=2, n_kv_heads=1, head_dim=64)
    yield llama("llama-head48", n_heads=4, n_kv_heads=2, head_dim=48)  # row of 96, heads unfit
    yield llama("llama-head40", n_heads=2, n_kv_heads=1, head_dim=40)  # not even the row fits
    yield llama("mixtral", n_heads=4, n_kv_heads=2, head_dim=32, n_experts=3)
    yield gemma(2, n_heads=4, n_kv_heads=2, head_dim=32, n_layers=4, n_embd=48)
    yield gemma(3, n_heads=2, n_kv_heads=1, head_dim=256, n_layers=2, n_embd=32)
    yield qwen(2, n_heads=3, n_kv_heads=1, head_dim=32, n_embd=96)
    yield qwen(3, n_heads=7, n_kv_heads=1, head_dim=32, n_embd=48)
    yield phi3()
    yield gptneox()
    yield mpt()
    yield gpt_oss()
    yield deepseek2("deepseek2", absorbed=True)
    yield deepseek2("deepseek2-heads", absorbed=False)
    yield lfm2()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="where the files go")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for model in all_models():
        model.save(folder)


if __name__ == "__main__":
    main()
