"""The head that writes what is said. What `generate` knows of languages and time stamps is in instructions.py.

B rows   M mel bins   L frames   T positions of the text   V vocabulary
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from modelry.cache import Cache
from modelry.errors import GenerationError
from modelry.generation import GenerationConfig
from modelry.generation.precedence import understood
from modelry.heads.losses import cross_entropy
from modelry.heads.seq2seq_model import beside_states
from modelry.heads.shifting import shift_right
from modelry.model import PreTrainedModel
from modelry.nn.linear import Linear
from modelry.outputs import BaseModelOutput, Seq2SeqLMOutput
from modelry_whisper.configuration import WhisperConfig
from modelry_whisper.instructions import Instructions, detect_languages
from modelry_whisper.modeling import WhisperModel
from modelry_whisper.trying import Thresholds, sampling
from modelry_whisper.writing import Writing


class WhisperForConditionalGeneration(PreTrainedModel):
    """Whisper and `proj_out`, (V, D), which is the decoder's embedding of tokens."""

    base_class = WhisperModel
    main_input_name = "input_features"
    input_embeddings_name = "decoder.embed_tokens"
    output_embeddings_name = "proj_out"
    tied_weights: ClassVar[Mapping[str, str]] = {"proj_out.weight": "model.decoder.embed_tokens.weight"}

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__(config)
        self.model = WhisperModel(config)
        self.proj_out = Linear(config.d_model, config.vocab_size, bias=False)

    def forward(
        self,
        input_features: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: BaseModelOutput | Sequence[Any] | None = None,
        past_key_values: Cache | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        decoder_position_ids: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> Seq2SeqLMOutput:
        """Score the next token of the text at each position, (B, T, V).

        Args:
            labels: (B, T), the text; -100 does not count. The decoder then reads them shifted to the right, where
                nothing else is given.
            input_features: and the others: those of `WhisperModel.forward`.

        Raises:
            ValueError: more labels than the decoder has positions.
        """
        if labels is not None:
            if labels.shape[1] > self.config.max_target_positions:
                raise ValueError(
                    f"labels have {labels.shape[1]} tokens, and the model was made for "
                    f"{self.config.max_target_positions} (max_target_positions): shorten the text"
                )
            if decoder_input_ids is None and decoder_inputs_embeds is None:
                start, padding = self.config.decoder_start_token_id, self.config.pad_token_id
                decoder_input_ids = shift_right(labels, start=start, padding=padding)
        out = self.model(
            input_features,
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            decoder_attention_mask=decoder_attention_mask,
            encoder_outputs=encoder_outputs,
            past_key_values=past_key_values,
            decoder_inputs_embeds=decoder_inputs_embeds,
            decoder_position_ids=decoder_position_ids,
            use_cache=use_cache,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )
        assert out.last_hidden_state is not None
        logits = self.scored(out.last_hidden_state)
        loss = None if labels is None else cross_entropy(logits.flatten(0, 1), labels.flatten())
        return Seq2SeqLMOutput(loss, logits, *beside_states(out))

    def scored(self, hidden: Tensor) -> Tensor:
        """Scores (B, T, V) of the decoder's states (B, T, D)."""
        logits: Tensor = self.proj_out(hidden)
        return logits

    def generate(
        self,
        inputs: Tensor | None = None,
        generation_config: GenerationConfig | None = None,
        *,
        language: str | Sequence[str] | None = None,
        task: str | None = None,
        return_timestamps: bool | None = None,
        return_token_timestamps: bool = False,
        num_frames: Any = None,
        prompt_ids: Tensor | Sequence[int] | None = None,
        temperature: float | Sequence[float] | None = None,
        compression_ratio_threshold: float | None = None,
        logprob_threshold: float | None = None,
        no_speech_threshold: float | None = None,
        **options: Any,
    ) -> Any:
        """Write what is said in spectrograms of chunk_length seconds.

        Args:
            inputs: (B, M, L), the same as input_features=.
            generation_config: instead of the model's own, from generation_config.json.
            language: of all rows or of each: a code ("de"), a name ("german") or a token ("<|de|>"). Where a model of
                several languages is not told, it listens first.
            task: "transcribe" (the default) or "translate", into English.
            return_timestamps: write time stamps, by the rules of the paper.
            return_token_timestamps: find out when each token is said, from the alignment heads.
            num_frames: of the spectrogram that are sound, a number or one for each row, for return_token_timestamps; by
                default what attention_mask= says.
            prompt_ids: text that the recording continues, or words that it may use: tokenizer.get_prompt_ids(...).
            temperature: above 0 it samples; of several, the next is taken where a threshold says that an answer is not
                to be believed.
            compression_ratio_threshold: an answer that zlib makes shorter by more repeats itself.
            logprob_threshold: an answer whose tokens have a lower mean log-probability is a guess.
            no_speech_threshold: a guess about a sound that is silence with more probability is left out: an empty row.
            options: those of `modelry.generation.generate`. A max_length counts the answer, as max_new_tokens does.

        Returns:
            (B, T) ids, without the tokens that say language and task; or a WhisperOutput, with return_token_timestamps
            too.

        Raises:
            GenerationError: the model does not know the language, or has no tasks, no time stamps or no alignment
                heads; or thresholds that cannot be.
        """
        if "condition_on_prev_tokens" in options:
            raise GenerationError(
                "condition_on_prev_tokens: generate() hears one window, before which there is nothing. The pipeline "
                "automatic-speech-recognition, which hears long sounds, has it; or give prompt_ids"
            )
        features = options.pop("input_features", inputs)
        if not isinstance(features, Tensor) or options.get("decoder_input_ids") is not None:
            plain_options = options if temperature is None else {**options, "temperature": temperature}
            return super().generate(features, generation_config, **plain_options)
        generation_config = understood(generation_config)
        told = Instructions.of(self, generation_config, options)
        heard = detect_languages(self, features, told) if told.listens and language is None else None
        start = told.start(
            features.shape[0], language, task, timestamps=return_timestamps, prompt=prompt_ids, heard=heard
        ).to(self.device)
        options |= self._longest(options, generation_config, begun=start.shape[1])
        given = options.pop("logits_processor", None)
        more = [] if given is None else list(given) if isinstance(given, Iterable) else [given]
        options["logits_processor"] = [*told.rules(start.shape[1], timestamps=return_timestamps), *more]
        thresholds = Thresholds.of(
            {
                "temperature": temperature,
                "compression_ratio_threshold": compression_ratio_threshold,
                "logprob_threshold": logprob_threshold,
                "no_speech_threshold": no_speech_threshold,
            }
        )
        if return_token_timestamps or thresholds.judge or len(thresholds.temperatures) > 1:
            mask = options.pop("attention_mask", None)
            num_frames = mask.sum(-1) if num_frames is None and mask is not None else num_frames
            plain = partial(super().generate, None, generation_config)
            writing = Writing(self, features, start, told, plain, options)
            return writing.answer(thresholds, timed=return_token_timestamps, frames=num_frames)
        options |= sampling(thresholds.temperatures[0])
        out = super().generate(features, generation_config, decoder_input_ids=start, **options)
        if isinstance(out, Tensor):
            return out[:, start.shape[1] :]
        out.sequences = out.sequences[:, start.shape[1] :]
        return out

    def _longest(self, options: Mapping[str, Any], config: GenerationConfig | None, *, begun: int) -> dict[str, int]:
        """A max_length that counts what is told, too: said by a call or a file it counts the answer, as published."""
        told = [self.generation_config] if config is None else [config, self.generation_config]
        fields = [dict(options), *(one.set_fields() for one in told)]
        names, most = ("max_new_tokens", "max_length"), self.config.max_target_positions
        nearest: dict[str, Any] = next((one for one in fields if any(one.get(name) is not None for name in names)), {})
        said = nearest.get("max_length")
        if nearest.get("max_new_tokens") is not None or not isinstance(said, int) or said < 1 or begun >= most:
            return {}
        return {"max_length": min(said + begun, most)}

    def detect_language(self, input_features: Tensor) -> Tensor:
        """The token of the language that each row of (B, M, L) is in, (B,).

        Raises:
            GenerationError: generation_config has no lang_to_id: the model knows one language.
        """
        told = Instructions.of(self, None)
        if not told.languages:
            raise GenerationError("generation_config has no lang_to_id: the model knows one language")
        return torch.tensor(detect_languages(self, input_features, told))

    def get_encoder(self) -> nn.Module:
        """The part that hears."""
        return self.model.encoder

    def get_decoder(self) -> nn.Module:
        """The part that writes."""
        return self.model.decoder

    def freeze_encoder(self) -> None:
        """Leave the hearing side as it is in training."""
        self.model.freeze_encoder()
