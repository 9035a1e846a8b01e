"""Which watermark a watermarking_config asks for."""

from collections.abc import Mapping
from typing import Any

from modelry.errors import GenerationError
from modelry.generation import GenerationConfig, LogitsProcessor
from modelry_watermark.green import WatermarkLogitsProcessor
from modelry_watermark.parameters import SynthIDTextWatermarkingConfig, WatermarkingConfig
from modelry_watermark.synthid import SynthIDTextWatermarkLogitsProcessor


def processors(config: GenerationConfig) -> list[LogitsProcessor]:
    """None without a watermarking_config, else the one that marks.

    Raises:
        GenerationError: the config is impossible, or marks draws where nothing is drawn.
    """
    found: Any = config.watermarking_config
    if found is None:
        return []
    if not is_synthid(found):
        return [WatermarkLogitsProcessor(WatermarkingConfig.read(found))]
    read = SynthIDTextWatermarkingConfig.read(found)
    if not config.do_sample or (config.num_beams or 1) > 1:
        raise GenerationError("a SynthID watermark lies in how tokens are drawn: set do_sample=True, without beams")
    return [SynthIDTextWatermarkLogitsProcessor(read)]


def is_synthid(values: Any) -> bool:
    """SynthID configs are known by the keys they must have."""
    return isinstance(values, Mapping) and ("keys" in values or "ngram_len" in values)
