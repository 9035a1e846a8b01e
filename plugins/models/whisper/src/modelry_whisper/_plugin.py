"""What the registry reads: the Whisper family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="whisper",
            config="modelry_whisper.configuration:WhisperConfig",
            heads={
                "base": "modelry_whisper.modeling:WhisperModel",
                "speech-seq2seq": "modelry_whisper.transcribing:WhisperForConditionalGeneration",
                "audio-classification": "modelry_whisper.classification:WhisperForAudioClassification",
                "causal-lm": "modelry_whisper.modeling:WhisperForCausalLM",
            },
            preprocessors={
                "feature-extractor": "modelry.preprocessing.audio.log_mel:LogMelExtractor",
                "tokenizer": "modelry_whisper.tokenizer:WhisperTokenizer",
                "processor": "modelry_whisper.processor:WhisperProcessor",
            },
            modalities=("audio", "text"),
            released="2022-09-21",
            papers=("https://arxiv.org/abs/2212.04356",),
            tiny={
                "model_type": "whisper",
                "vocab_size": 96,
                "d_model": 32,
                "num_mel_bins": 16,
                "encoder_layers": 2,
                "encoder_attention_heads": 4,
                "encoder_ffn_dim": 48,
                "decoder_layers": 2,
                "decoder_attention_heads": 4,
                "decoder_ffn_dim": 48,
                "max_source_positions": 20,
                "max_target_positions": 32,
                "classifier_proj_size": 16,
                "pad_token_id": 0,
                "bos_token_id": 1,
                "eos_token_id": 2,
                "decoder_start_token_id": 3,
                "begin_suppress_tokens": None,
            },
        )
    )
