"""From a file to its first token, in a process of its own: `python -m benchmarks.first_token SIDE GGUF`.

What is timed, from outside, is the whole process until it prints the token. See benchmarks/parts/first_token.py.
"""

import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.worker import hide_torchao

PROMPT = "The capital of France is"


def from_model(side: str, path: Path) -> str:
    """Ours, or transformers."""
    import torch

    if side == "ours":
        from modelry import AutoModelForCausalLM, AutoTokenizer

        tokenizer: Any = AutoTokenizer.from_pretrained(path)
        model: Any = AutoModelForCausalLM.from_pretrained(path, dtype="bfloat16", quantization="gguf")
    else:
        import transformers

        tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.bfloat16
        )
    encoded = tokenizer(PROMPT, return_tensors="pt")
    out = model.generate(**encoded, max_new_tokens=1, do_sample=False)
    return str(tokenizer.decode(out[0, -1:]))


def from_llama_cpp(path: Path) -> str:
    """llama.cpp."""
    from llama_cpp import Llama

    threads = int(os.environ["OMP_NUM_THREADS"])
    model: Any = Llama(str(path), n_threads=threads, n_threads_batch=threads, verbose=False)
    return str(model(PROMPT, max_tokens=1, temperature=0.0)["choices"][0]["text"])


def main() -> None:
    hide_torchao()
    side, path = sys.argv[1], Path(sys.argv[2])
    token = from_llama_cpp(path) if side == "llama" else from_model(side, path)
    print(repr(token), flush=True)


if __name__ == "__main__":
    main()
