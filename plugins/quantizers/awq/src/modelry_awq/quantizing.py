"""The awq scheme: a quantizer whose files are AWQ's."""

from modelry.packed.file_form import FileForm
from modelry.packed.zero_point_quantizer import ZeroPointQuantizer
from modelry_awq.forms import GemmForm, GemvForm
from modelry_awq.parameters import AwqParameters


class AwqQuantizer(ZeroPointQuantizer):
    """Reads AWQ checkpoints; packs a float model in their layout, rounded to nearest."""

    method = "awq"
    parameters: AwqParameters

    def __init__(self, parameters: AwqParameters) -> None:
        super().__init__(parameters)
        self.group_size = parameters.group_size
        self.symmetric = not parameters.zero_point
        self.keep = parameters.modules_to_not_convert

    def form(self) -> FileForm:
        if self.parameters.version == "gemv":
            return GemvForm(self.parameters.group_size)
        return GemmForm(self.parameters.bits)
