"""Packed KV caches for llama-cpp-python, keys and values each with their own number of bits.

    import kvsplit
    kvsplit.enable("K8V4")
    from llama_cpp import Llama
    llm = Llama("model.gguf")

llama-cpp-python stays as it is installed. enable() has the ggml that its libllama uses load the
plugin, and from then on every model lies on the plugin's device and every context uses flash
attention: a cache is packed on no other terms. One precision per process.
"""

import ctypes
import functools
import os
import pathlib
from typing import Any, Callable, List, Optional

from ._built_for import LLAMA_CPP_PYTHON, PLUGIN

__all__ = ["Error", "enable", "plugin_path"]

_enabled: Optional[str] = None  # the precision
_devices = (ctypes.c_void_p * 2)()  # the plugin's, and the end of the list; models point here


class Error(RuntimeError):
    """One line that says why caches are not packed. Nothing has changed then."""


def plugin_path() -> str:
    """The plugin's file, for GGML_BACKEND_PATH of llama.cpp's own programs of the same version."""
    return str(pathlib.Path(__file__).with_name(PLUGIN))


def enable(kvq: str = "K8V4") -> None:
    """Packs the caches of all models that are loaded from now on.

    kvq: K8V4, K4V4, 8, FP16 … as `kvsplit --kvq` takes it, without `auto`: a calibrated plan is
    K4V4:plan=FILE. Error: it is none, llama-cpp-python is of another version than the one that the
    plugin was built for, or a Llama was made already.
    """
    global _enabled
    if _enabled == kvq:
        return
    if _enabled is not None:
        raise Error(f"{_enabled} is enabled in this process, {kvq} would need another one")
    if not kvq or kvq == "auto" or "plan=auto" in kvq:
        raise Error(f'precision "{kvq}": of which model is not known here; '
                    "write K8V4, or K4V4:plan=FILE")
    import llama_cpp

    if LLAMA_CPP_PYTHON not in ("checkout", llama_cpp.__version__):
        raise Error(f"built for llama-cpp-python {LLAMA_CPP_PYTHON}, this is "
                    f"{llama_cpp.__version__}; pip install llama-cpp-python=={LLAMA_CPP_PYTHON}")
    if getattr(llama_cpp.Llama, "_Llama__backend_initialized", False):
        raise Error("too late, a Llama was made already; call kvsplit.enable() before the first")
    # The plugin reads them; programs that are started from here as well.
    settings = {"KVSPLIT": kvq, "GGML_BACKEND_PATH": plugin_path()}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        _devices[0] = _load_plugin(llama_cpp.llama_cpp)
    except Error:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value
        raise
    for name in ("llama_model_load_from_file", "llama_model_load_from_splits",
                 "llama_load_model_from_file"):
        _change_parameters(llama_cpp, name, _use_our_device)
    for name in ("llama_init_from_model", "llama_new_context_with_model"):
        _change_parameters(llama_cpp, name, _use_flash_attention)
    _enabled = kvq


def _load_plugin(llama_cpp: Any) -> int:
    """The device. Error: in the plugin's own words, which ggml would only log."""
    # Looked up through libllama, as its own libggml: lib/ has copies under other names, and what
    # they load libllama does not see.
    library = llama_cpp._lib
    said: List[str] = []

    @llama_cpp.llama_log_callback
    def listen(_level: int, text: bytes, _data: Any) -> None:
        said.append(text.decode("utf-8", "replace").strip())

    logger, data = ctypes.c_void_p(), ctypes.c_void_p()
    library.ggml_log_get(ctypes.byref(logger), ctypes.byref(data))
    library.ggml_log_set(listen, None)
    try:
        load, device = library.ggml_backend_load, library.ggml_backend_reg_dev_get
        load.argtypes, load.restype = [ctypes.c_char_p], ctypes.c_void_p
        device.argtypes, device.restype = [ctypes.c_void_p, ctypes.c_size_t], ctypes.c_void_p
        registry = load(plugin_path().encode())
    finally:
        library.ggml_log_set(logger, data)
    if not registry:
        ours = [line.split(": ", 1)[1] for line in said if line.startswith("kvsplit: ")]
        raise Error((ours or said or ["ggml does not load the plugin"])[0])
    return device(registry, 0)


def _use_our_device(parameters: Any) -> None:
    parameters.devices = ctypes.addressof(_devices)
    parameters.n_gpu_layers = 0x7FFFFFFF  # a layer's cache is where the layer is


def _use_flash_attention(parameters: Any) -> None:
    parameters.flash_attn_type = 1  # LLAMA_FLASH_ATTN_TYPE_ENABLED
    parameters.offload_kqv = True


def _change_parameters(llama_cpp: Any, name: str, change: Callable[[Any], None]) -> None:
    """Functions of libllama end with their parameters. Llama calls them by llama_cpp's names."""
    original = getattr(llama_cpp, name)

    @functools.wraps(original)
    def function(*arguments: Any) -> Any:
        change(arguments[-1])
        return original(*arguments)

    for module in (llama_cpp, llama_cpp.llama_cpp):
        setattr(module, name, function)
