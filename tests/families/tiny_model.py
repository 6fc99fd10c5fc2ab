"""How a tiny model is written: a GGUF file with keys of its architecture and random tensors.

What the weights must do: attention scores spread by about two around their mean, so that softmax is
peaked and rounding of keys shows; a few key channels are outliers, as in trained models; every
layer adds about as much to the stream as the embedding brought, so that its attention decides the
logits. Numbers are F32, with the mantissa cut to eight bits: the host then does not round
activations, and the files compress. Mixtures use all their experts, and sparse attention sees all
cells: a tie broken the other way is not what these tests are after.
"""

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

    def __init__(self, name: str, arch: str, n_embd: int, n_layers: int = 2, n_ff: int = N_FF,
                 n_context: int = N_CONTEXT):
        self.name, self.arch = name, arch
        self.n_embd, self.n_layers, self.n_ff = n_embd, n_layers, n_ff
        self.writer = gguf.GGUFWriter(path=None, arch=arch)
        self.random = np.random.default_rng(zlib.crc32(name.encode()))
        self.writer.add_string("tokenizer.ggml.model", "no_vocab")
        self.key("vocab_size", N_VOCAB)
        self.key("context_length", n_context)
        self.key("embedding_length", n_embd)
        self.key("block_count", n_layers)
        self.key("feed_forward_length", n_ff)

    def key(self, name: str, value) -> None:
        """A key of the architecture: int → u32, float → f32, bool, or a list of one kind."""
        name = f"{self.arch}.{name}"
        if isinstance(value, bool):
            self.writer.add_bool(name, value)
        elif isinstance(value, int):
            self.writer.add_uint32(name, value)
        elif isinstance(value, float):
            self.writer.add_float32(name, value)
        else:
            of_bools = isinstance(value[0], bool)
            kind = gguf.GGUFValueType.BOOL if of_bools else gguf.GGUFValueType.UINT32
            self.writer.add_key_value(name, value, gguf.GGUFValueType.ARRAY, kind)

    def heads(self, n_heads, n_kv_heads, head_dim: int, head_dim_v: int = 0) -> None:
        self.key("attention.head_count", n_heads)
        self.key("attention.head_count_kv", n_kv_heads)
        self.key("attention.key_length", head_dim)
        self.key("attention.value_length", head_dim_v or head_dim)

    def eps(self, kind: str = "rms_") -> None:
        self.key(f"attention.layer_norm_{kind}epsilon", 1e-5)

    def tensor(self, name: str, values: np.ndarray) -> None:
        bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
        cut = ((bits + 0x8000) & np.uint32(0xFFFF0000)).view(np.float32)
        self.writer.add_tensor(name, cut)

    def small_tensor(self, name: str, values: np.ndarray, kind: gguf.GGMLQuantizationType) -> None:
        """In fewer bits, where a family has large matrices: F16, or Q4_0 for what is looked up."""
        self.writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)

    def normal(self, *shape: int) -> np.ndarray:
        return self.random.standard_normal(shape)

    def linear(self, name: str, n_out: int, n_in: int, gain: float = 1.0) -> None:
        """A matrix whose outputs spread by `gain` when its inputs spread by one."""
        self.tensor(f"{name}.weight", gain / n_in**0.5 * self.normal(n_out, n_in))

    def experts(self, name: str, n_experts: int, n_out: int, n_in: int, gain: float = 1.0) -> None:
        self.tensor(f"{name}.weight", gain / n_in**0.5 * self.normal(n_experts, n_out, n_in))

    def bias(self, name: str, *shape: int, spread: float = 0.2) -> None:
        self.tensor(f"{name}.bias", spread * self.normal(*shape))

    def norm(self, name: str, *shape: int, gain: float = 1.0, bias: bool = False) -> None:
        self.tensor(f"{name}.weight", gain * (1 + 0.1 * self.normal(*shape)))
        if bias:
            self.bias(name, *shape)

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
                n_biases = sum(len(part) for part in parts.values())
                self.bias(f"{block}.attn_qkv", n_biases, spread=bias)
        else:
            for name, part in parts.items():
                self.tensor(f"{block}.attn_{name}.weight", part)
                if bias:
                    self.bias(f"{block}.attn_{name}", len(part), spread=bias)
        self.linear(f"{block}.attn_output", self.n_embd, n_heads * head_dim, gain=2.0)
        if out_bias:
            self.bias(f"{block}.attn_output", self.n_embd)

    def query_and_key_norms(self, block: str, head_dim: int, scaled: bool = True) -> None:
        """scaled: whether attention divides scores by the root of the head size."""
        gain = self.query_and_key_gain(head_dim) / (1 if scaled else head_dim**0.25)
        self.norm(f"{block}.attn_q_norm", head_dim, gain=gain)
        self.tensor(f"{block}.attn_k_norm.weight", gain * self.outliers(head_dim))

    def feed_forward(self, block: str) -> None:
        self.linear(f"{block}.ffn_gate", self.n_ff, self.n_embd)
        self.linear(f"{block}.ffn_up", self.n_ff, self.n_embd)
        self.linear(f"{block}.ffn_down", self.n_embd, self.n_ff)

    def ungated(self, block: str, bias: bool = False) -> None:
        for name, n_out, n_in in (("up", self.n_ff, self.n_embd), ("down", self.n_embd, self.n_ff)):
            self.linear(f"{block}.ffn_{name}", n_out, n_in)
            if bias:
                self.bias(f"{block}.ffn_{name}", n_out)

    def mixture(self, block: str, n_experts: int, shared: str = "") -> None:
        """Experts; shared: one that all tokens take, "gated" or "plain"."""
        self.linear(f"{block}.ffn_gate_inp", n_experts, self.n_embd)
        self.experts(f"{block}.ffn_gate_exps", n_experts, self.n_ff, self.n_embd)
        self.experts(f"{block}.ffn_up_exps", n_experts, self.n_ff, self.n_embd)
        self.experts(f"{block}.ffn_down_exps", n_experts, self.n_embd, self.n_ff)
        if not shared:
            return
        if shared == "gated":
            self.tensor(f"{block}.ffn_gate_inp_shexp.weight", self.normal(self.n_embd))
        self.linear(f"{block}.ffn_gate_shexp", self.n_ff, self.n_embd)
        self.linear(f"{block}.ffn_up_shexp", self.n_ff, self.n_embd)
        self.linear(f"{block}.ffn_down_shexp", self.n_embd, self.n_ff)

    def mixture_keys(self, n_experts: int) -> None:
        self.key("expert_count", n_experts)
        self.key("expert_used_count", n_experts)
        self.key("expert_feed_forward_length", self.n_ff)

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
