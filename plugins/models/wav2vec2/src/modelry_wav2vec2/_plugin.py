"""What the registry reads: the Wav2Vec2 family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="wav2vec2",
            config="modelry_wav2vec2.configuration:Wav2Vec2Config",
            heads={
                "base": "modelry_wav2vec2.modeling:Wav2Vec2Model",
                "pretraining": "modelry_wav2vec2.pretraining:Wav2Vec2ForPreTraining",
                "ctc": "modelry_wav2vec2.ctc:Wav2Vec2ForCTC",
                "audio-classification": "modelry_wav2vec2.classification:Wav2Vec2ForSequenceClassification",
                "audio-frame-classification": "modelry_wav2vec2.classification:Wav2Vec2ForAudioFrameClassification",
                "audio-xvector": "modelry_wav2vec2.xvector:Wav2Vec2ForXVector",
            },
            preprocessors={
                "feature-extractor": "modelry.preprocessing.audio.waveform:WaveformExtractor",
                "tokenizer": "modelry_wav2vec2.tokenizer:Wav2Vec2CTCTokenizer",
                "processor": "modelry_wav2vec2.processor:Wav2Vec2Processor",
            },
            modalities=("audio",),
            released="2020-06-20",
            papers=("https://arxiv.org/abs/2006.11477",),
            tiny={
                "model_type": "wav2vec2",
                "vocab_size": 32,
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "conv_dim": [16, 16],
                "conv_kernel": [10, 3],
                "conv_stride": [5, 2],
                "feat_extract_norm": "layer",
                "do_stable_layer_norm": True,
                "num_conv_pos_embeddings": 16,
                "num_conv_pos_embedding_groups": 2,
                "layerdrop": 0.0,
                "mask_time_length": 2,
                "num_codevectors_per_group": 8,
                "num_negatives": 4,
                "codevector_dim": 16,
                "proj_codevector_dim": 16,
                "classifier_proj_size": 16,
                "tdnn_dim": [16, 16, 24],
                "tdnn_kernel": [3, 2, 1],
                "tdnn_dilation": [1, 2, 1],
                "xvector_output_dim": 16,
            },
        )
    )
