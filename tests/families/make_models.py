#!/usr/bin/env python3
"""Writes the tiny models of tests/data: one per family, random weights from a fixed seed.

    python3 -m venv /tmp/gguf && /tmp/gguf/bin/pip install gguf==0.19.0
    /tmp/gguf/bin/python tests/families/make_models.py tests/data

The files are committed; nothing else in this repository needs Python. Here are families with keys
and values of their own in every layer; the others are in unusual_models.py, and what weights must
do in tiny_model.py.
"""

import argparse
import pathlib

import unusual_models
from tiny_model import LOGIT_SPREAD, N_FF, N_VOCAB, TinyModel


def llama(name, n_heads, n_kv_heads, head_dim, n_embd=48, n_experts=0):
    model = TinyModel(name, "llama", n_embd, n_layers=2)
    model.heads(n_heads, n_kv_heads, head_dim)
    model.key("rope.dimension_count", head_dim)
    model.eps()
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
            model.mixture(block, n_experts)
        else:
            model.feed_forward(block)
    return model


def gemma(generation, n_heads, n_kv_heads, head_dim, n_layers, n_embd):
    """Sliding windows in every second layer; soft caps (2) or norms of queries and keys (3)."""
    model = TinyModel(f"gemma{generation}", f"gemma{generation}", n_embd, n_layers)
    model.heads(n_heads, n_kv_heads, head_dim)
    model.eps()
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
    model.eps()
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
    model.eps()
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
    model.eps("")
    model.embeddings()
    model.norm("output_norm", n_embd, bias=True)
    for block in model.blocks():
        for norm in ("attn_norm", "ffn_norm"):
            model.norm(f"{block}.{norm}", n_embd, bias=True)
        model.attention(block, n_heads, n_heads, head_dim, fused=True, bias=0.2, out_bias=True)
        model.ungated(block, bias=True)
    return model


def mpt():
    """No positions but ALiBi's, with a number of heads that is no power of two."""
    n_embd, n_heads, head_dim = 96, 3, 32
    model = TinyModel("mpt", "mpt", n_embd, n_layers=2)
    model.heads(n_heads, n_heads, head_dim)
    model.key("attention.max_alibi_bias", 8.0)
    model.eps("")
    model.embeddings()
    model.norm("output_norm", n_embd)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd)
        model.attention(block, n_heads, n_heads, head_dim, fused=True)
        model.norm(f"{block}.ffn_norm", n_embd)
        model.ungated(block)
    return model


def gpt_oss():
    """A sink per head in the softmax, sliding windows, experts, biases everywhere."""
    n_embd, n_heads, n_kv_heads, head_dim, n_experts = 48, 4, 2, 32, 2
    model = TinyModel("gpt-oss", "gpt-oss", n_embd, n_layers=2)
    model.heads(n_heads, n_kv_heads, head_dim)
    model.key("rope.dimension_count", head_dim)
    model.eps()
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


def llama4():
    """Chunks of 8,192 tokens (that number is llama.cpp's own) in three layers of four, rotary
    positions and normed queries and keys there; the fourth layer sees all, and warms up with the
    position. Experts in every second layer."""
    n_embd, n_heads, n_kv_heads, head_dim, n_experts = 24, 2, 1, 32, 2
    model = TinyModel("llama4", "llama4", n_embd, n_layers=4, n_ff=16, n_context=16384)
    model.heads(n_heads, n_kv_heads, head_dim)
    model.eps()
    model.key("rope.dimension_count", head_dim)
    model.mixture_keys(n_experts)
    model.key("interleave_moe_layer_step", 2)
    model.embeddings(tied=True)
    model.norm("output_norm", n_embd)
    for layer, block in enumerate(model.blocks()):
        model.norm(f"{block}.attn_norm", n_embd)
        model.attention(block, n_heads, n_kv_heads, head_dim)
        model.norm(f"{block}.ffn_norm", n_embd)
        if layer % 2:
            model.mixture(block, n_experts, shared="plain")
        else:
            model.feed_forward(block)
    return model


def qwen_moe(generation, n_heads, head_dim=32, n_embd=32, n_experts=2):
    """Qwen 2's mixture has biases and a shared expert behind a gate, Qwen 3's norms instead."""
    model = TinyModel(f"qwen{generation}moe", f"qwen{generation}moe", n_embd, n_ff=16)
    model.heads(n_heads, 1, head_dim)
    model.eps()
    model.mixture_keys(n_experts)
    model.embeddings()
    model.norm("output_norm", n_embd)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd)
        model.attention(block, n_heads, 1, head_dim, bias=1.0 if generation == 2 else 0.0)
        if generation == 3:
            model.query_and_key_norms(block, head_dim)
        model.norm(f"{block}.ffn_norm", n_embd)
        model.mixture(block, n_experts, shared="gated" if generation == 2 else "")
    return model


def qwen2vl():
    """Three positions to a token, those of text all the same; each turns some planes of a head."""
    n_embd = head_dim = 32
    model = TinyModel("qwen2vl", "qwen2vl", n_embd, n_ff=32)
    model.heads(1, 1, head_dim)
    model.eps()
    model.key("rope.dimension_sections", [4, 6, 6, 0])
    model.embeddings(tied=True)
    model.norm("output_norm", n_embd)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd)
        model.attention(block, 1, 1, head_dim, bias=1.0)
        model.norm(f"{block}.ffn_norm", n_embd)
        model.feed_forward(block)
    return model


def phi2():
    """Half of each head turns; the host divides queries, not scores, by the root of its size."""
    n_embd = head_dim = 32
    model = TinyModel("phi2", "phi2", n_embd, n_ff=32)
    model.heads(1, 1, head_dim)
    model.eps("")
    model.key("rope.dimension_count", head_dim // 2)
    model.embeddings()
    model.bias("output", N_VOCAB)
    model.norm("output_norm", n_embd, bias=True)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd, bias=True)
        model.attention(block, 1, 1, head_dim, fused=True, bias=0.2, out_bias=True)
        model.ungated(block, bias=True)
    return model


def stablelm():
    """A quarter of each head turns, after a norm of its own with a mean, as in StableLM 2 12B."""
    n_embd = head_dim = 32
    model = TinyModel("stablelm", "stablelm", n_embd, n_ff=32)
    model.heads(1, 1, head_dim)
    model.eps("")
    model.key("rope.dimension_count", head_dim // 4)
    model.embeddings()
    model.norm("output_norm", n_embd, bias=True)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd, bias=True)
        model.attention(block, 1, 1, head_dim)
        gain = model.query_and_key_gain(head_dim)
        model.norm(f"{block}.attn_q_norm", 1, head_dim, gain=gain)
        model.tensor(f"{block}.attn_k_norm.weight", gain * model.outliers(head_dim)[None, :])
        model.feed_forward(block)
    return model


def falcon():
    """All queries share one head of keys and values; attention beside the feed forward."""
    n_embd, n_heads, head_dim = 64, 2, 32
    model = TinyModel("falcon", "falcon", n_embd, n_ff=16)
    model.heads(n_heads, 1, head_dim)
    model.eps("")
    model.embeddings(tied=True)
    model.norm("output_norm", n_embd, bias=True)
    for block in model.blocks():
        for norm in ("attn_norm", "attn_norm_2"):
            model.norm(f"{block}.{norm}", n_embd, bias=True)
        model.attention(block, n_heads, 1, head_dim, fused=True)
        model.ungated(block)
    return model


def starcoder2():
    n_embd = head_dim = 32
    model = TinyModel("starcoder2", "starcoder2", n_embd, n_ff=32)
    model.heads(1, 1, head_dim)
    model.eps("")
    model.embeddings(tied=True)
    model.norm("output_norm", n_embd, bias=True)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd, bias=True)
        model.attention(block, 1, 1, head_dim, bias=0.2, out_bias=True)
        model.norm(f"{block}.ffn_norm", n_embd, bias=True)
        model.ungated(block, bias=True)
    return model


def cohere(name, arch):
    """Attention beside the feed forward. The second generation has windows in every second layer,
    and rotary positions in no other."""
    n_embd = head_dim = 32
    model = TinyModel(name, arch, n_embd, n_ff=32)
    model.heads(1, 1, head_dim)
    model.eps("")
    model.key("logit_scale", 0.5)
    if arch == "cohere2":
        model.key("attention.sliding_window", 64)
        model.key("attention.sliding_window_pattern", 2)
    model.embeddings(tied=True)
    model.norm("output_norm", n_embd, gain=2.0)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd)
        model.attention(block, 1, 1, head_dim)
        model.feed_forward(block)
    return model


def olmo2():
    """Norms over all heads of queries and keys at once; after each half of a block, not before."""
    n_embd = head_dim = 32
    model = TinyModel("olmo2", "olmo2", n_embd, n_ff=32)
    model.heads(1, 1, head_dim)
    model.eps()
    model.embeddings()
    model.norm("output_norm", n_embd)
    for block in model.blocks():
        model.attention(block, 1, 1, head_dim)
        model.query_and_key_norms(block, head_dim)
        model.norm(f"{block}.post_attention_norm", n_embd)
        model.feed_forward(block)
        model.norm(f"{block}.post_ffw_norm", n_embd)
    return model


def granite(arch):
    """Embeddings, scores, what a layer adds and logits have a factor each; MiniCPM's are the
    host's own: 12 for embeddings, 256 / n_embd for logits."""
    n_embd, n_heads, n_kv_heads, head_dim = 32, 2, 1, 32
    model = TinyModel(arch, arch, n_embd, n_ff=32)
    model.heads(n_heads, n_kv_heads, head_dim)
    model.eps()
    model.key("rope.dimension_count", head_dim)
    scale, logit_scale = 12, 256 / n_embd
    if arch == "granite":
        scale, logit_scale = 4, 2.0
        model.key("embedding_scale", float(scale))
        model.key("residual_scale", 0.5)
        model.key("attention.scale", 0.25)
        model.key("logit_scale", logit_scale)
    model.embeddings(embedding_gain=1 / scale)
    model.norm("output_norm", n_embd, gain=logit_scale)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd)
        model.attention(block, n_heads, n_kv_heads, head_dim)
        model.norm(f"{block}.ffn_norm", n_embd)
        model.feed_forward(block)
    return model


def glm4():
    """Half of each head turns, neighbours together; norms before and after both halves."""
    n_embd, n_heads, n_kv_heads, head_dim = 32, 2, 1, 32
    model = TinyModel("glm4", "glm4", n_embd, n_ff=32)
    model.heads(n_heads, n_kv_heads, head_dim)
    model.eps()
    model.key("rope.dimension_count", head_dim // 2)
    model.embeddings(tied=True)
    model.norm("output_norm", n_embd)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd)
        model.attention(block, n_heads, n_kv_heads, head_dim, bias=0.5)
        model.norm(f"{block}.post_attention_norm", n_embd)
        model.norm(f"{block}.ffn_norm", n_embd)
        model.linear(f"{block}.ffn_up", 2 * model.n_ff, n_embd)
        model.linear(f"{block}.ffn_down", n_embd, model.n_ff)
        model.norm(f"{block}.post_ffw_norm", n_embd)
    return model


def all_models():
    yield llama("llama", n_heads=8, n_kv_heads=2, head_dim=32)
    yield llama("llama-head64", n_heads=2, n_kv_heads=1, head_dim=64)
    yield llama("llama-head48", n_heads=4, n_kv_heads=2, head_dim=48)  # row of 96, heads unfit
    yield llama("llama-head40", n_heads=2, n_kv_heads=1, head_dim=40)  # not even the row fits
    yield llama("mixtral", n_heads=4, n_kv_heads=2, head_dim=32, n_experts=3)
    yield llama4()
    yield gemma(2, n_heads=4, n_kv_heads=2, head_dim=32, n_layers=4, n_embd=48)
    yield gemma(3, n_heads=2, n_kv_heads=1, head_dim=256, n_layers=2, n_embd=32)
    yield qwen(2, n_heads=3, n_kv_heads=1, head_dim=32, n_embd=96)
    yield qwen(3, n_heads=7, n_kv_heads=1, head_dim=32, n_embd=48)
    yield qwen_moe(2, n_heads=1)
    yield qwen_moe(3, n_heads=2)
    yield qwen2vl()
    yield phi2()
    yield phi3()
    yield stablelm()
    yield falcon()
    yield gptneox()
    yield mpt()
    yield gpt_oss()
    yield starcoder2()
    yield cohere("command-r", "command-r")
    yield cohere("cohere2", "cohere2")
    yield olmo2()
    yield granite("granite")
    yield granite("minicpm")
    yield glm4()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="tests/data, or another")
    folder = parser.parse_args().folder
    for name, models in {
        "models": [*all_models(), *unusual_models.decoders()],
        "encoders": unusual_models.encoders(),
    }.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for model in models:
            model.save(folder / name)


if __name__ == "__main__":
    main()
