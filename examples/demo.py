"""A real chat model answers a real question: `make demo`, or `python examples/demo.py MODEL [QUESTION]`.

Loads a checkpoint (here a quantized GGUF file), applies its chat template, streams the greedy answer, tells its speed.
"""

import argparse
import time
from typing import Any

STARTED = time.perf_counter()

from modelry import AutoModelForCausalLM, AutoTokenizer, TextStreamer  # noqa: E402  the clock starts before the imports


class TimedStreamer(TextStreamer):
    """Prints the answer as it comes, and notes the time: of the prompt before the model sees it, then of each token."""

    def __init__(self, tokenizer: Any) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self.times: list[float] = []

    def put(self, value: Any) -> None:
        self.times.append(time.perf_counter())
        super().put(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a .gguf file, a folder, or organisation/repository")
    parser.add_argument("question", nargs="?", default="Name the capital of France.")
    parser.add_argument("--max-new-tokens", type=int, default=128)
    arguments = parser.parse_args()

    import torch  # noqa: F401  so that the load below is the model's alone

    loading = time.perf_counter()
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype="bfloat16")
    loaded = time.perf_counter()

    print(f"> {arguments.question}")
    chat = [{"role": "user", "content": arguments.question}]
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    streamer = TimedStreamer(tokenizer)
    ids = model.generate(**prompt, max_new_tokens=arguments.max_new_tokens, do_sample=False, streamer=streamer)

    begun, first, last = streamer.times[0], streamer.times[1], streamer.times[-1]
    prompt_tokens = prompt["input_ids"].shape[1]
    answer_tokens = ids.shape[1] - prompt_tokens
    print()
    print(f"imports  {loading - STARTED:6.2f} s")
    print(f"load     {loaded - loading:6.2f} s   {model.num_parameters() / 1e6:.0f} million parameters")
    print(f"prompt   {first - begun:6.2f} s   {prompt_tokens} tokens, {prompt_tokens / (first - begun):.0f} tokens/s")
    rate = f", {(answer_tokens - 1) / (last - first):.0f} tokens/s" if last > first else ""
    print(f"answer   {last - first:6.2f} s   {answer_tokens} tokens{rate} after the first")
    print(f"The first token came {first - STARTED:.2f} s after the start.")


if __name__ == "__main__":
    main()
