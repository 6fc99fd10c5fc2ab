"""Tiny models of families whose layers have not keys and values of their own each: a cache for
several layers, one tensor for both sides, a recurrent state, an encoder."""

import gguf
import numpy as np

from tiny_model import LOGIT_SPREAD, N_FF, N_VOCAB, SCORE_SPREAD, TinyModel


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
    model.eps()
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
    model.eps()
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


def deepseek32():
    """Latent attention to the cells that an indexer chooses, whose keys have a cache as well."""
    n_embd, n_latent, n_rot, nope, n_lora, n_index = 32, 32, 32, 32, 16, 64
    model = TinyModel("deepseek32", "deepseek32", n_embd, n_ff=16)
    model.heads(1, 1, n_latent + n_rot, n_latent)
    model.key("attention.key_length_mla", nope + n_rot)
    model.key("attention.value_length_mla", nope)
    model.key("attention.q_lora_rank", n_lora)
    model.key("attention.kv_lora_rank", n_latent)
    model.key("attention.indexer.head_count", 1)
    model.key("attention.indexer.key_length", n_index)
    model.key("attention.indexer.top_k", 2048)
    model.eps()
    model.key("rope.dimension_count", n_rot)
    model.key("leading_dense_block_count", 2)
    model.key("expert_feed_forward_length", model.n_ff)
    model.key("expert_shared_count", 1)
    model.key("expert_gating_func", 2)
    model.embeddings(tied=True)
    model.norm("output_norm", n_embd)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd)
        model.linear(f"{block}.attn_q_a", n_lora, n_embd)
        model.norm(f"{block}.attn_q_a_norm", n_lora)
        model.linear(f"{block}.attn_q_b", nope + n_rot, n_lora, gain=SCORE_SPREAD)
        model.linear(f"{block}.attn_kv_a_mqa", n_latent + n_rot, n_embd)
        model.norm(f"{block}.attn_kv_a_norm", n_latent)
        for name in ("k", "v"):
            part = model.normal(1, *((n_latent, nope) if name == "k" else (nope, n_latent)))
            model.tensor(f"{block}.attn_{name}_b.weight", part / n_latent**0.5)
        model.linear(f"{block}.attn_output", n_embd, nope, gain=2.0)
        model.linear(f"{block}.indexer.attn_q_b", n_index, n_lora)
        model.linear(f"{block}.indexer.attn_k", n_index, n_embd)
        model.norm(f"{block}.indexer.k_norm", n_index, bias=True)
        model.linear(f"{block}.indexer.proj", 1, n_embd)
        model.norm(f"{block}.ffn_norm", n_embd)
        model.feed_forward(block)
    return model


def qwen3next():
    """A gated delta rule with a recurrent state, then attention whose output has a gate as well;
    experts behind both."""
    n_embd, n_heads, n_kv_heads, head_dim, n_experts = 32, 2, 1, 32, 2
    n_state, n_groups, n_values, kernel = 16, 1, 2, 4
    model = TinyModel("qwen3next", "qwen3next", n_embd, n_ff=16)
    model.heads(n_heads, n_kv_heads, head_dim)
    model.eps()
    model.key("rope.dimension_count", head_dim // 4)
    model.mixture_keys(n_experts)
    model.key("full_attention_interval", 2)
    model.key("ssm.conv_kernel", kernel)
    model.key("ssm.inner_size", n_state * n_values)
    model.key("ssm.state_size", n_state)
    model.key("ssm.time_step_rank", n_values)
    model.key("ssm.group_count", n_groups)
    model.embeddings()
    model.norm("output_norm", n_embd)
    for layer, block in enumerate(model.blocks()):
        model.norm(f"{block}.attn_norm", n_embd)
        if layer % 2:
            gates = model.normal(n_heads, head_dim, n_embd) / n_embd**0.5
            queries = model.query(n_heads, head_dim).reshape(n_heads, head_dim, n_embd)
            both = np.concatenate([queries, gates], axis=1).reshape(-1, n_embd)
            model.tensor(f"{block}.attn_q.weight", both)
            model.tensor(f"{block}.attn_k.weight", model.keys(n_kv_heads, head_dim))
            model.tensor(f"{block}.attn_v.weight", model.value(n_kv_heads * head_dim))
            model.linear(f"{block}.attn_output", n_embd, n_heads * head_dim, gain=4.0)
            model.query_and_key_norms(block, head_dim)
        else:
            n_convolved = n_state * (2 * n_groups + n_values)
            model.linear(f"{block}.attn_qkv", n_convolved, n_embd)
            model.linear(f"{block}.attn_gate", n_state * n_values, n_embd)
            model.tensor(f"{block}.ssm_conv1d.weight", model.normal(n_convolved, kernel))
            model.bias(f"{block}.ssm_dt", n_values)
            model.tensor(f"{block}.ssm_a", -np.exp(model.normal(n_values)))
            model.linear(f"{block}.ssm_ba", 2 * n_values, n_embd)
            model.norm(f"{block}.ssm_norm", n_state)
            model.linear(f"{block}.ssm_out", n_embd, n_state * n_values)
        model.norm(f"{block}.post_attention_norm", n_embd)
        model.mixture(block, n_experts, shared="gated")
    return model


def mamba():
    """No attention at all: a state instead."""
    n_embd, n_state, rank, kernel = 32, 8, 4, 4
    n_inner = 2 * n_embd
    model = TinyModel("mamba", "mamba", n_embd, n_ff=0)
    model.eps()
    model.key("ssm.conv_kernel", kernel)
    model.key("ssm.inner_size", n_inner)
    model.key("ssm.state_size", n_state)
    model.key("ssm.time_step_rank", rank)
    model.embeddings(tied=True)
    model.norm("output_norm", n_embd)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd)
        model.linear(f"{block}.ssm_in", 2 * n_inner, n_embd)
        model.tensor(f"{block}.ssm_conv1d.weight", model.normal(n_inner, kernel))
        model.bias(f"{block}.ssm_conv1d", n_inner)
        model.linear(f"{block}.ssm_x", rank + 2 * n_state, n_inner)
        model.linear(f"{block}.ssm_dt", n_inner, rank)
        model.bias(f"{block}.ssm_dt", n_inner)
        model.tensor(f"{block}.ssm_a", -np.exp(model.normal(n_inner, n_state)))
        model.tensor(f"{block}.ssm_d", model.normal(n_inner))
        model.linear(f"{block}.ssm_out", n_embd, n_inner, gain=2.0)
    return model


def gemma3n():
    """Four streams that predict each other, and an embedding per layer; the host's sizes, 256 and
    64, are what makes it large. Layers share caches from the twentieth on: gemma4 shows that."""
    n_embd, n_heads, n_kv_heads, head_dim, n_streams, n_rank, n_side = 16, 1, 1, 32, 4, 64, 256
    model = TinyModel("gemma3n", "gemma3n", n_embd, n_ff=16)
    model.heads(n_heads, n_kv_heads, head_dim)
    model.eps()
    model.key("attention.sliding_window", 64)
    model.key("attention.sliding_window_pattern", 2)
    half = gguf.GGMLQuantizationType.F16
    model.embeddings(tied=True)
    model.norm("output_norm", n_embd)
    for name in ("altup_proj", "altup_unembd_proj"):
        model.experts(name, n_streams - 1, n_embd, n_embd)
    side = model.normal(N_VOCAB, model.n_layers * n_side) / n_side**0.5
    model.small_tensor("per_layer_token_embd.weight", side, gguf.GGMLQuantizationType.Q4_0)
    projection = model.normal(model.n_layers * n_side, n_embd)
    model.small_tensor("per_layer_model_proj.weight", projection, half)
    model.norm("per_layer_proj_norm", n_side)
    for block in model.blocks():
        model.norm(f"{block}.attn_norm", n_embd)
        model.attention(block, n_heads, n_kv_heads, head_dim)
        model.query_and_key_norms(block, head_dim, scaled=False)
        model.norm(f"{block}.post_attention_norm", n_embd, gain=LOGIT_SPREAD)
        model.norm(f"{block}.ffn_norm", n_embd)
        model.feed_forward(block)
        model.norm(f"{block}.post_ffw_norm", n_embd)
        model.small_tensor(f"{block}.inp_gate.weight", model.normal(n_side, n_embd) / 4, half)
        model.small_tensor(f"{block}.proj.weight", model.normal(n_embd, n_side) / 16, half)
        model.norm(f"{block}.post_norm", n_embd)
        model.linear(f"{block}.altup_correct_coef", n_streams, n_streams, gain=0.2)
        model.norm(f"{block}.altup_correct_scale", n_embd)
        model.linear(f"{block}.altup_predict_coef", n_streams**2, n_streams, gain=0.2)
        model.linear(f"{block}.altup_router", n_streams, n_embd)
        model.norm(f"{block}.altup_router_norm", n_embd)
        model.linear(f"{block}.laurel_l", n_rank, n_embd)
        model.linear(f"{block}.laurel_r", n_embd, n_rank)
        model.norm(f"{block}.laurel_post_norm", n_embd)
    return model


def gemma4():
    """Windows with heads of another size, and no values but the keys where there are none; the last
    two layers look into the caches of the two before."""
    n_embd, head_dims, windows = 24, (64, 128, 64, 128), [True, False, True, False]
    model = TinyModel("gemma4", "gemma4", n_embd, n_layers=4, n_ff=24)
    model.heads(1, 1, head_dims[1])
    model.key("attention.key_length_swa", head_dims[0])
    model.key("attention.value_length_swa", head_dims[0])
    model.eps()
    model.key("rope.dimension_count", head_dims[1])
    model.key("rope.dimension_count_swa", head_dims[0])
    model.key("rope.freq_base", 1e6)
    model.key("rope.freq_base_swa", 1e4)
    model.key("attention.sliding_window", 64)
    model.key("attention.sliding_window_pattern", windows)
    model.key("attention.shared_kv_layers", 2)
    model.key("embedding_length_per_layer_input", 0)
    model.embeddings(tied=True)
    model.norm("output_norm", n_embd)
    # Only some planes of a full layer turn: the others are slowed until they stand still.
    model.tensor("rope_freqs.weight", np.where(np.arange(64) < 16, 1.0, 1e30))
    for layer, (block, head_dim) in enumerate(zip(model.blocks(), head_dims)):
        gain = model.query_and_key_gain(head_dim) / head_dim**0.25  # scores are not scaled
        model.norm(f"{block}.attn_norm", n_embd)
        model.tensor(f"{block}.attn_q.weight", model.query(1, head_dim))
        model.norm(f"{block}.attn_q_norm", head_dim, gain=gain)
        if layer < 2:
            model.tensor(f"{block}.attn_k.weight", model.keys(1, head_dim))
            model.tensor(f"{block}.attn_k_norm.weight", gain * model.outliers(head_dim))
        if layer < 1:
            model.tensor(f"{block}.attn_v.weight", model.value(head_dim))
        model.linear(f"{block}.attn_output", n_embd, head_dim)
        model.norm(f"{block}.post_attention_norm", n_embd, gain=LOGIT_SPREAD)
        model.norm(f"{block}.ffn_norm", n_embd)
        model.feed_forward(block)
        model.norm(f"{block}.post_ffw_norm", n_embd, gain=LOGIT_SPREAD)
    return model


def bert():
    """Tokens see all others, before and behind; nothing is kept."""
    n_embd = head_dim = 32
    model = TinyModel("bert", "bert", n_embd, n_ff=32, n_context=128)
    model.writer.add_uint32("tokenizer.ggml.token_type_count", 1)
    model.heads(1, 1, head_dim)
    model.eps("")
    model.key("attention.causal", False)
    model.key("pooling_type", 0)
    model.tensor("token_embd.weight", model.normal(N_VOCAB, n_embd))
    model.tensor("position_embd.weight", 0.3 * model.normal(128, n_embd))
    model.norm("token_embd_norm", n_embd, bias=True)
    for block in model.blocks():
        model.attention(block, 1, 1, head_dim, bias=0.2, out_bias=True)
        model.norm(f"{block}.attn_output_norm", n_embd, bias=True)
        model.ungated(block, bias=True)
        model.norm(f"{block}.layer_output_norm", n_embd, bias=True)
    return model


def t5():
    """An encoder, and a decoder that looks at what came out of it; scores have a bias that depends
    on the distance."""
    n_embd, n_heads, head_dim, n_buckets = 16, 2, 32, 32
    model = TinyModel("t5", "t5", n_embd, n_ff=32)
    model.heads(n_heads, n_heads, head_dim)
    model.eps()
    model.key("attention.relative_buckets_count", n_buckets)
    model.key("decoder_start_token_id", 0)
    model.embeddings(tied=True)
    for side in ("enc", "dec"):
        model.norm(f"{side}.output_norm", n_embd)
        for layer in range(model.n_layers):
            block = f"{side}.blk.{layer}"
            for kind in ("attn", "cross_attn") if side == "dec" else ("attn",):
                model.norm(f"{block}.{kind}_norm", n_embd)
                root = head_dim**0.25  # scores are not scaled
                model.tensor(f"{block}.{kind}_q.weight", model.query(n_heads, head_dim) / root)
                model.tensor(f"{block}.{kind}_k.weight", model.keys(n_heads, head_dim) / root)
                model.tensor(f"{block}.{kind}_v.weight", model.value(n_heads * head_dim))
                model.linear(f"{block}.{kind}_o", n_embd, n_heads * head_dim, gain=2.0)
            if layer == 0:
                model.tensor(f"{block}.attn_rel_b.weight", model.normal(n_buckets, n_heads))
            model.norm(f"{block}.ffn_norm", n_embd)
            model.ungated(block)
    return model


def decoders():
    yield deepseek2("deepseek2", absorbed=True)
    yield deepseek2("deepseek2-heads", absorbed=False)
    yield deepseek32()
    yield lfm2()
    yield qwen3next()
    yield mamba()
    yield gemma3n()
    yield gemma4()


def encoders():
    yield bert()
    yield t5()
