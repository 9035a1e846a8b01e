"""The gptq scheme: a quantizer whose files are GPTQ's."""

from torch import nn

from modelry.errors import QuantizationError
from modelry.packed.zero_point_quantizer import ZeroPointQuantizer
from modelry_gptq.form import GptqForm
from modelry_gptq.parameters import GptqParameters


class GptqQuantizer(ZeroPointQuantizer):
    """Reads GPTQ checkpoints; packs a float model in their layout, rounded to nearest."""

    method = "gptq"
    parameters: GptqParameters

    def __init__(self, parameters: GptqParameters) -> None:
        super().__init__(parameters)
        self.group_size = parameters.group_size
        self.symmetric = parameters.sym
        self.keep = [] if parameters.lm_head else None

    def form(self) -> GptqForm:
        return GptqForm(self.parameters.bits, less=1 if self.parameters.checkpoint_format == "gptq" else 0)

    def check(self, model: nn.Module) -> None:
        """Refuse what this scheme does not do when it packs itself.

        Raises:
            QuantizationError: act-order, or other layers than all, are asked of a float model.
        """
        super().check(model)
        said = self.parameters.model_dump()
        asked = [key for key in ("desc_act", "dynamic", "modules_in_block_to_quantize") if said.get(key)]
        if asked and not self.is_stored(model):
            raise QuantizationError(
                f"gptq: {' and '.join(asked)} can be read from a checkpoint, not made of a float model. Leave it out"
            )
