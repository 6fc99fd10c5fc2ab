"""Runs a Python program as it is, with packed caches.

    python -m kvsplit K8V4 llama_cpp.server --model model.gguf
"""

import runpy
import sys

from . import Error, enable


def main() -> None:
    if len(sys.argv) < 3 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m kvsplit PRECISION MODULE [ARGUMENT]…")
    kvq, module = sys.argv[1:3]
    try:
        enable(kvq)
    except Error as error:
        sys.exit(f"kvsplit: error: {error}")
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


main()
