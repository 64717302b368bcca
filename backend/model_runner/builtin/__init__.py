"""The built-in model runner: llama.cpp's own HTTP server, from a wheel, for any GGUF file.

`python -m backend.model_runner.builtin --port N` serves an OpenAI-compatible API under /v1 until it is told to stop.
It is a program of its own, replaceable by any other runner through MODEL_RUNNER_URL; nothing imports it.

One front process owns the port. It knows which model files there are (files.py, gguf.py), which of them are in memory
and which is next (loading.py), and passes requests on (front.py, relay.py). Each model in memory is an engine: a child
process with a llama.cpp server on a loopback port of its own (engine.py, engine_process.py).
"""
