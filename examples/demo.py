"""A real chat model answers a real question: `make demo`, or `python examples/demo.py MODEL [QUESTION]`.

Loads a checkpoint (here a quantized GGUF file), applies its chat template, streams the greedy answer, tells its speed.
"""

import argparse
import time

STARTED = time.perf_counter()

import torch  # noqa: E402  the clock starts before the imports do

from modelry import AutoModelForCausalLM, AutoTokenizer, TextStreamer  # noqa: E402


class TimedStreamer(TextStreamer):
    """Prints the answer as it comes and remembers when each token did."""

    def __init__(self, tokenizer: AutoTokenizer) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self.times: list[float] = []

    def put(self, value: torch.Tensor) -> None:
        self.times.append(time.perf_counter())  # the first is the prompt, before the model has seen it
        super().put(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a .gguf file, a folder, or organisation/repository")
    parser.add_argument("question", nargs="?", default="What is the capital of France?")
    parser.add_argument("--max-new-tokens", type=int, default=128)
    arguments = parser.parse_args()

    loading = time.perf_counter()
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.bfloat16)
    loaded = time.perf_counter()

    print(f"> {arguments.question}")
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": arguments.question}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    streamer = TimedStreamer(tokenizer)
    ids = model.generate(**prompt, max_new_tokens=arguments.max_new_tokens, do_sample=False, streamer=streamer)

    begun, first, *_, last = streamer.times if len(streamer.times) > 2 else (*streamer.times, streamer.times[-1])
    prompt_tokens = prompt["input_ids"].shape[1]
    answer_tokens = ids.shape[1] - prompt_tokens
    print()
    print(f"imports  {loading - STARTED:5.2f} s")
    print(f"load     {loaded - loading:5.2f} s   {model.num_parameters() / 1e6:.0f} M parameters")
    print(f"prompt   {first - begun:5.2f} s   {prompt_tokens} tokens, {prompt_tokens / (first - begun):.0f} tokens/s")
    if last > first:
        rate = f"{(answer_tokens - 1) / (last - first):.0f} tokens/s"
        print(f"answer   {last - first:5.2f} s   {answer_tokens} tokens, {rate} after the first")
    print(f"the first word came {first - STARTED:.2f} s after the start")


if __name__ == "__main__":
    main()
