"""The model type `modelry` of lm-evaluation-harness: its requests, answered by one of our causal language models."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from lm_eval.api.model import TemplateLM  # type: ignore[import-untyped]  # it has no types
from lm_eval.models.utils import (  # type: ignore[import-untyped]  # it has no types
    handle_stop_sequences,
    normalize_gen_kwargs,
    postprocess_generated_text,
)
from lm_eval.utils import (  # type: ignore[import-untyped]  # it has no types
    get_rolling_token_windows,
    make_disjoint_window,
)
from tqdm import tqdm  # type: ignore[import-untyped]  # it has no types

from modelry import AutoModelForCausalLM, AutoTokenizer
from modelry.accelerators import accelerator
from modelry_lm_eval.scoring import Continuation, continuation, score

DEFAULT_LENGTH = 2048
"""Tokens that a model reads where neither it nor its tokenizer says."""


class ModelryLM(TemplateLM):  # type: ignore[misc]  # its class has no types
    """Scores and writes.

    Args:
        pretrained: a folder, a checkpoint file, a hub repository, or a model that is already there.
        tokenizer: the same of a tokenizer; the model's own where None.
        revision: of a hub repository.
        dtype: "auto" keeps the stored one.
        device: "cpu", "cuda", "cuda:1"; an accelerator where there is one when None and no device_map is given.
        batch_size: rows at once.
        max_length: tokens that the model reads; what it says itself where None.
        max_gen_toks: tokens that are written where a task does not say.
        add_bos_token: whether texts begin with the tokenizer's first token; as the tokenizer does where None.
        prefix_token_id: what stands before an empty context; the tokenizer's first token, or its last, where None.
        peft: an adapter that PEFT has saved, a folder or a hub repository.
        chat_template_args: for the chat template.
        max_batch_size: the harness gives it; read only with batch_size="auto", which there is not.
        options: of from_pretrained (quantization, device_map, attn_implementation, gguf_file ...).

    Raises:
        ValueError: the model does not score next tokens, or no number of rows is given.
    """

    def __init__(
        self,
        pretrained: Any,
        *,
        tokenizer: Any = None,
        revision: str | None = None,
        dtype: str | torch.dtype = "auto",
        device: str | None = None,
        batch_size: int | str = 1,
        max_length: int | None = None,
        max_gen_toks: int = 256,
        add_bos_token: bool | None = None,
        prefix_token_id: int | None = None,
        peft: str | None = None,
        chat_template_args: dict[str, Any] | None = None,
        max_batch_size: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if not str(batch_size).isdigit() or int(batch_size) < 1:
            raise ValueError(f"batch_size={batch_size!r}: give a number of rows, 1 or more")
        hub: dict[str, Any] = {} if revision is None else {"revision": revision}
        if isinstance(pretrained, str):
            model: Any = AutoModelForCausalLM.from_pretrained(pretrained, dtype=dtype, **hub, **options)
            if device is None and (found := accelerator()) is not None:
                device = found.type
            if "device_map" not in options and device is not None:
                model.to(device)
        else:
            model = pretrained
        if model.config.is_encoder_decoder or not model.can_generate():
            raise ValueError(
                f"{type(model).__name__} does not score next tokens of one text: give a causal language model"
            )
        where = tokenizer or (pretrained if isinstance(pretrained, str) else model.name_or_path)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(where, **hub) if isinstance(where, str) else where
        self._device, self._revision = model.device, revision
        if peft is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, peft)
        self.model = model.eval()
        self.batch_size, self.max_gen_toks = int(batch_size), max_gen_toks
        self.add_bos_token, self._prefix = add_bos_token, prefix_token_id
        self.max_length = max_length or _length(model.config, self.tokenizer)
        self.chat_template_args = chat_template_args or {}

    # What the harness asks of the tokenizer

    @property
    def eot_token_id(self) -> int:
        """The token that ends a text."""
        found = self.tokenizer.eos_token_id
        if found is None:
            raise ValueError("the tokenizer has no end token to stand before an empty context: give prefix_token_id")
        return int(found)

    @property
    def prefix_token_id(self) -> int:
        """What stands before an empty context."""
        for found in (self._prefix, self.tokenizer.bos_token_id):
            if found is not None:
                return int(found)
        return self.eot_token_id

    @property
    def tokenizer_name(self) -> str:
        """A name for caches of requests."""
        return str(self.tokenizer.name_or_path).replace("/", "__")

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **kwargs: Any) -> list[int]:
        """Ids of a text; a first token that it begins with already is not put before it again."""
        wanted = self.add_bos_token if add_special_tokens is None else add_special_tokens
        first = self.tokenizer.bos_token
        if add_special_tokens is None and first is not None and string.startswith(first):
            wanted = False
        said = {} if wanted is None else {"add_special_tokens": wanted}
        ids: list[int] = self.tokenizer.encode(string, **said)
        return ids

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """A conversation as text."""
        text: str = self.tokenizer.apply_chat_template(
            chat_history,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=not add_generation_prompt,
            **self.chat_template_args,
        )
        return text

    def get_model_info(self) -> dict[str, Any]:
        """What results say of the model."""
        parameters = sum(parameter.numel() for parameter in self.model.parameters())
        dtype = next(self.model.parameters()).dtype
        return {"model_num_parameters": parameters, "model_dtype": dtype, "model_revision": self._revision or "main"}

    # Requests

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], disable_tqdm: bool = False, **kwargs: Any
    ) -> list[tuple[float, bool]]:
        asked = [continuation(context, ids, limit=self.max_length) for _, context, ids in requests]
        answers = self._scored(asked, quiet=disable_tqdm)
        for (texts, _, _), answer in zip(requests, answers, strict=True):
            if texts is not None:
                self.cache_hook.add_partial("loglikelihood", texts, answer)
        return answers

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        """How likely whole texts are, in windows where they are longer than the model reads."""
        asked: list[Continuation] = []
        counts = []
        for request in requests:
            windows = get_rolling_token_windows(
                token_list=self.tok_encode(request.args[0]),
                prefix_token=self.prefix_token_id,
                max_seq_len=self.max_length,
                context_len=1,
            )
            own = [continuation(*make_disjoint_window(window), limit=self.max_length) for window in windows]
            counts.append(len(own))
            asked += own
        answers = iter(self._scored(asked, quiet=disable_tqdm))
        totals = [sum(next(answers)[0] for _ in range(count)) for count in counts]
        for request, total in zip(requests, totals, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", (request.args[0],), total)
        return totals

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Continue texts until one of a task's stop strings, or the end."""
        written: dict[int, str] = {}
        groups: dict[str, list[int]] = {}
        for number, request in enumerate(requests):
            groups.setdefault(json.dumps(request.args[1], sort_keys=True, default=str), []).append(number)
        with tqdm(total=len(requests), disable=disable_tqdm, desc="generate_until") as bar:
            for group in groups.values():
                ids = {number: self.tok_encode(requests[number].args[0]) for number in group}
                group.sort(key=lambda number: (-len(ids[number]), requests[number].args[0]))
                for begin in range(0, len(group), self.batch_size):
                    batch = group[begin : begin + self.batch_size]
                    asked = requests[batch[0]].args[1]
                    texts = self._continued([ids[number] for number in batch], asked)
                    for number, text in zip(batch, texts, strict=True):
                        written[number] = text
                        self.cache_hook.add_partial("generate_until", requests[number].args, text)
                    bar.update(len(batch))
        return [written[number] for number in range(len(requests))]

    def _scored(self, asked: Sequence[Continuation], *, quiet: bool) -> list[tuple[float, bool]]:
        with tqdm(total=len(asked), disable=quiet, desc="loglikelihood") as bar:
            found = score(self.model, asked, batch_size=self.batch_size, done=bar.update)
        return [(one.log_probability, one.is_greedy) for one in found]

    def _continued(self, rows: Sequence[list[int]], asked: dict[str, Any]) -> Iterable[str]:
        """What the model writes behind rows of ids, up to a stop string.

        Raises:
            ValueError: a task wants more tokens than the model reads.
        """
        options: dict[str, Any] = dict(normalize_gen_kwargs(asked, self.max_gen_toks))
        end = self.tokenizer.eos_token
        stops = handle_stop_sequences(options.pop("until", None), eos=None)
        new = options.pop("max_gen_toks")
        if not options.get("do_sample"):
            options.pop("temperature", None)
        room = self.max_length - new
        if room < 1:
            raise ValueError(
                f"a task wants {new} tokens written and the model reads {self.max_length}: there is no room"
            )
        rows = [row[-room:] for row in rows]
        width = max(len(row) for row in rows)
        ids = torch.tensor([[0] * (width - len(row)) + row for row in rows], device=self._device)
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=self._device)
        pad = next((one for one in (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id) if one is not None), 0)
        ends = {*self.model.generation_config.end_tokens, *([] if end is None else [self.tokenizer.eos_token_id])}
        out = self.model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=new,
            pad_token_id=pad,
            eos_token_id=sorted(ends) or None,
            **({"stop_strings": [one for one in stops if one], "tokenizer": self.tokenizer} if any(stops) else {}),
            **options,
        )
        for row in out[:, width:].tolist():
            text = self.tokenizer.decode(row, skip_special_tokens=True)
            yield postprocess_generated_text(text, stop=[*stops, *([end] if end else [])], think_end_token=None)


def _length(config: Any, tokenizer: Any) -> int:
    """Tokens that the model reads."""
    text = config.get_text_config()
    for name in ("n_positions", "max_position_embeddings", "n_ctx"):
        found = getattr(text, name, None)
        if found is not None:
            return int(found)
    said = getattr(tokenizer, "model_max_length", None)
    return int(said) if said is not None and said < 1 << 40 else DEFAULT_LENGTH
