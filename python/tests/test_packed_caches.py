"""What llama-cpp-python computes with packed caches: the same as stock llama.cpp programs."""

import tempfile
import unittest

import kvsplit
import programs

PRECISIONS = ("FP16", "K8V4", "K4V4")


def said(kvq):
    program = programs.python(f"kvsplit.enable({kvq!r})\nanswer(text(open_model()))")
    return program.answer, program


class Text(unittest.TestCase):
    def test_is_that_of_stock_llama_completion(self):
        texts = {}
        for kvq in PRECISIONS:
            with self.subTest(kvq):
                texts[kvq], program = said(kvq)
                stock = programs.completion(kvq, kvsplit.plugin_path())
                self.assertEqual(stock.result.returncode, 0, stock.result.stderr)
                self.assertEqual(texts[kvq].rstrip(), stock.result.stdout.rstrip())
                self.assertEqual(program.caches(), stock.caches())
        self.assertEqual(texts["FP16"][:20], texts["K8V4"][:20])
        # Texts can differ: the comparison above is not one of a text that any cache gives.
        self.assertEqual(len(set(texts.values())), len(PRECISIONS), texts)

    def test_is_that_of_a_cache_without_the_plugin_where_16_bits_are_kept(self):
        without = programs.python("answer(text(open_model(flash_attn=True)))")
        self.assertEqual(without.events, [])
        self.assertEqual(without.answer[:20], said("FP16")[0][:20])


class Bytes(unittest.TestCase):
    def test_are_those_of_the_precision(self):
        for kvq, least, most in (("FP16", 1, 1), ("K8V4", 0.40, 0.45), ("K4V4", 0.28, 0.35)):
            with self.subTest(kvq):
                (cache,) = said(kvq)[1].caches()
                self.assertEqual(cache["precision"], kvq)
                self.assertEqual(cache["unpacked"], 0)
                share = (cache["k_bytes"] + cache["v_bytes"]) / cache["fp16_bytes"]
                self.assertTrue(least <= share <= most, share)

    def test_are_counted_whatever_llama_was_told(self):
        told = "n_gpu_layers=0, flash_attn=False, offload_kqv=False"
        program = programs.python(f"kvsplit.enable()\nanswer(text(open_model({told})))")
        self.assertEqual(program.answer, said("K8V4")[0])
        self.assertEqual(len(program.caches()), 1)


class State(unittest.TestCase):
    def test_goes_on_as_it_would_have(self):
        first, second, elsewhere = programs.python("""
def go_on(llama):
    tokens = llama.tokenize(b" And", add_bos=False)
    for _ in range(24):
        llama.eval(tokens[-1:])
        tokens.append(llama.sample(temp=0, repeat_penalty=1))
    return tokens
kvsplit.enable()
llama = open_model()
text(llama, n=16)
state = llama.save_state()
first = go_on(llama)
text(llama, "Something else altogether: a list of birds.")
llama.load_state(state)
second = go_on(llama)
other = open_model()
other.load_state(state)
answer([first, second, go_on(other)])
""").answer
        self.assertEqual(first, second)
        self.assertEqual(first, elsewhere)
        self.assertGreater(len(set(first)), 5)

    def test_of_another_precision_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            code = f"import pickle\nfile = {folder + '/state'!r}\n"
            saved = programs.python(code + """
kvsplit.enable("K8V4")
llama = open_model()
text(llama, n=4)
pickle.dump(llama.save_state(), open(file, "wb"))
answer("saved")
""")
            self.assertEqual(saved.answer, "saved")
            loaded = programs.python(code + """
kvsplit.enable("K4V4")
llama = open_model()
llama.load_state(pickle.load(open(file, "rb")))
llama.eval([1])
""")
        self.assertEqual(loaded.exception, "RuntimeError: llama_decode returned -3")
        refused = [event["reason"] for event in loaded.events if event["event"] == "refused"]
        self.assertIn("session, of another cache precision", refused[0])


class Chat(unittest.TestCase):
    MESSAGES = [{"role": "user", "content": "Name three birds of the sea."}]
    ASKED = {"messages": MESSAGES, "max_tokens": 24, "temperature": 0, "repeat_penalty": 1}

    def test_through_the_server_is_that_without_it(self):
        program = programs.python(
            f"kvsplit.enable()\nasked = {self.ASKED}\n"
            "answer(open_model().create_chat_completion(**asked)['choices'][0]['message'])")
        self.assertEqual(len(program.caches()), 1)
        with programs.Server("K8V4") as server:
            reply = server.ask("/v1/chat/completions", self.ASKED)
        self.assertEqual(reply["choices"][0]["message"]["content"], program.answer["content"])
        self.assertEqual([cache["precision"] for cache in server.caches()], ["K8V4"])
