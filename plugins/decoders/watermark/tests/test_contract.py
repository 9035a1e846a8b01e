"""Marking keeps the contract of decoding strategies; a bias of nothing says what the model says."""

from modelry_testing import DecoderContract


class TestWatermark(DecoderContract):
    name = "watermark"
    parameters = {"watermarking_config": {"bias": 0.0}}  # noqa: RUF012  only read
    follows_greedy = {}  # noqa: RUF012  only read
    impossible = (
        {"watermarking_config": {"greenlist_ratio": 1.5}},
        {"watermarking_config": {"seeding_scheme": "righthash"}},
        {"watermarking_config": None},
        {"num_return_sequences": 2},
    )


class TestWatermarkSampling(DecoderContract):
    name = "watermark"
    parameters = {"watermarking_config": {"keys": [3, 5, 8], "ngram_len": 3}, "do_sample": True}  # noqa: RUF012  only read
    draws = True
    impossible = ({"num_return_sequences": 10**12},)
