"""What enable() refuses, each with one line, after which llama-cpp-python runs as without it."""

import subprocess
import tempfile
import unittest

import programs

RUNS_ON = """
try:
    kvsplit.enable({0})
    answer("not refused")
except kvsplit.Error as error:
    import os
    left = [name for name in ("KVSPLIT", "GGML_BACKEND_PATH") if name in os.environ]
    answer([str(error), left, text(open_model(flash_attn=True), n=4)])
"""


class Refused(unittest.TestCase):
    def refused(self, before, kvq="'K8V4'", **environment):
        program = programs.python(before + RUNS_ON.format(kvq), **environment)
        line, left, text = program.answer
        self.assertEqual(program.caches(), [])
        self.assertEqual(left, [])
        self.assertNotIn("\n", line)
        self.assertTrue(text.strip())
        return line

    def test_precisions_that_there_are_not(self):
        for kvq, why in (("'K7V4'", "no codec of 7 bits, there are 2, 3, 4, 5, 6, 8 and 16"),
                         ("'K8'", "V and its bits expected after K's"),
                         ("'K8V4:windows=4'", "unknown setting"),
                         ("''", "write K8V4"), ("'auto'", "K4V4:plan=FILE")):
            with self.subTest(kvq):
                line = self.refused("", kvq)
                self.assertIn(f'precision "{kvq[1:-1]}"', line)
                self.assertIn(why, line)

    def test_another_version_of_llama_cpp_python(self):
        line = self.refused("import llama_cpp\nllama_cpp.__version__ = '0.9.99'\n")
        self.assertIn("0.9.99", line)
        self.assertIn("pip install llama-cpp-python==", line)

    def test_another_version_of_ggml(self):
        with tempfile.TemporaryDirectory() as folder:
            library = folder + "/impostor.so"
            subprocess.run(["cc", "-shared", "-fPIC", "-o", library, "-x", "c", "-"], check=True,
                           input=b'const char* ggml_version(void) { return "0.99.7"; }')
            line = self.refused("", LD_PRELOAD=library)
        self.assertIn("this program has ggml 0.99.7", line)

    def test_a_plugin_that_is_not_there(self):
        line = self.refused("kvsplit.PLUGIN = 'no-such-plugin.so'\n")
        self.assertIn("no-such-plugin.so", line)

    def test_when_a_llama_was_made_already(self):
        line = self.refused("open_model()\n")
        self.assertIn("too late", line)
        self.assertIn("before the first", line)


class Again(unittest.TestCase):
    def test_a_refused_precision_can_be_mended(self):
        program = programs.python("""
try: kvsplit.enable("K7V4")
except kvsplit.Error: kvsplit.enable("K4V4")
kvsplit.enable("K4V4")
answer(text(open_model(), n=4))
kvsplit.enable("K4V4")
""")
        self.assertTrue(program.answer)
        self.assertEqual([cache["precision"] for cache in program.caches()], ["K4V4"])

    def test_another_precision_is_refused(self):
        program = programs.python("kvsplit.enable()\nkvsplit.enable('K4V4')")
        self.assertEqual(program.exception, "kvsplit.Error: K8V4 is enabled in this process, "
                                            "K4V4 would need another one")

    def test_a_program_is_told_in_one_line(self):
        program = programs.Program([programs.sys.executable, "-m", "kvsplit", "K7V4", "this"])
        self.assertEqual(program.result.returncode, 1)
        self.assertTrue(program.exception.startswith('kvsplit: error: precision "K7V4": no codec'))
