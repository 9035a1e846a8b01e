"""What the fp8 scheme may be told: the published keys of quantization_config. No torch here."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt

Size = Annotated[StrictInt, Field(gt=0)]


class Fp8Parameters(BaseModel):
    """Keys of quantization_config besides quant_method."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight_block_size: tuple[Size, Size] | None = Field(
        None, description="outputs and inputs that share a scale; None: each row has one (when read: as it is stored)"
    )
    activation_scheme: Literal["dynamic", "static"] = Field(
        "dynamic", description="how e4m3 hardware rounds activations: by their own size, or by a stored scale"
    )
    modules_to_not_convert: list[str] | None = Field(
        None,
        description="layers that stay when a float model is packed, by full name, by the last part of it, or by a "
        "module they are in; None: all that stand outside the base model. A packed file says itself which it has",
    )
    ignored_layers: list[str] | None = Field(None, description="another published name of modules_to_not_convert")
    fmt: Literal["e4m3"] = Field("e4m3", description="the numbers: 4 bits of exponent, 3 of fraction")
    scale_fmt: Literal["float", "ue8m0"] | None = Field(
        None, description="what the publisher made scales of; they are read in whatever dtype they are stored"
    )
    dequantize: Literal[False] = False
    modules_to_convert: None = Field(None, description="embedding tables in e4m3 are not read")
    expert_dtype: Literal["fp8"] = "fp8"

    @property
    def keep(self) -> list[str] | None:
        """Layers that stay, under either name."""
        return self.modules_to_not_convert if self.modules_to_not_convert is not None else self.ignored_layers
