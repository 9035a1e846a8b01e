"""What a quantization scheme is: it acts on the finished module from outside, before and while its tensors arrive.

The loader (modelry.checkpoint) calls, in this order:

1. `begin(...)`      see what is stored, before a tensor is read;
2. `check(model)`    refuse what cannot be quantized, on the meta device;
3. `swap(model)`     replace layers by packed ones, still on the meta device;
4. `pack(...)`       for each stored tensor of a replaced layer, as it streams in: a float model never has to fit.
   `take(...)` is asked first, for formats whose tensors are packed another way already.
   Neither is called when the checkpoint was saved packed: then its tensors have the packed layers' names already;
5. `finish(model)`   every tensor is in place.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ValidationError

from modelry.errors import BrokenPlugin, QuantizationError
from modelry_registry import get_registry, resolve

if TYPE_CHECKING:
    from torch import Tensor, dtype, nn

    from modelry.checkpoint.shards import Checkpoint

__all__ = ["Quantizer", "build_quantizer", "quantizer_name", "settled"]

_ONCE_ENOUGH = ("load_in_8bit", "load_in_4bit")
"""What says bitsandbytes by itself: configurations were written so before there were other schemes."""


class Quantizer(ABC):
    """One scheme with its parameters, for one model.

    Args:
        parameters: the scheme's pydantic model, which the registry names beside this class.
    """

    method: ClassVar[str]
    """quant_method, the registry's key."""

    def __init__(self, parameters: BaseModel) -> None:
        self.parameters = parameters

    def begin(self, checkpoint: "Checkpoint", dtype: "dtype") -> None:  # noqa: B027  a scheme may do nothing here
        """See what is stored: names, shapes and readers; and the dtype that floating tensors will have.

        Raises:
            QuantizationError: the scheme cannot pack this checkpoint.
        """

    def check(self, model: "nn.Module") -> None:  # noqa: B027  a scheme may do nothing here
        """Refuse a model this scheme cannot do.

        Raises:
            QuantizationError: says which layer, and why.
        """

    @abstractmethod
    def swap(self, model: "nn.Module") -> None:
        """Replace layers in place by packed ones, on the meta device. Packed tensors are parameters or buffers."""

    @abstractmethod
    def pack(self, name: str, tensor: "Tensor") -> Mapping[str, "Tensor"] | None:
        """Turn one float tensor of a replaced layer into the packed tensors that take its place.

        Args:
            name: its full name in the model before `swap`, as in "model.layers.0.mlp.up_proj.weight".
            tensor: as stored, on the device where the packed ones shall be.

        Returns:
            Packed tensors by full name, or None: this one stays as it is, under its name (a bias).
        """

    def take(self, name: str, stored: str, checkpoint: "Checkpoint") -> Mapping[str, "Tensor"] | None:
        """Turn one stored tensor of a replaced layer into packed ones without a float tensor in between.

        Args:
            name: its full name in the model before `swap`.
            stored: its name in the checkpoint, for `checkpoint.reader(stored)`.

        Returns:
            Packed tensors by full name, or None: it is to be read and given to `pack`.
        """
        return None

    def differs(self, parameter: str, asked: object) -> bool:
        """Whether a packed checkpoint of this scheme is another one than somebody asks for who says `asked`."""
        return bool(getattr(self.parameters, parameter, None) != asked)

    def finish(self, model: "nn.Module") -> None:  # noqa: B027  a scheme may do nothing here
        """Called once all tensors are in place."""

    def to_config(self) -> dict[str, Any]:
        """quantization_config as config.json keeps it; `build_quantizer` makes an equal quantizer of it."""
        return {"quant_method": self.method, **self.parameters.model_dump(mode="json", exclude_none=True)}


def quantizer_name(quantization: object, *, where: object) -> str:
    """The registry's name of a `quantization=` argument or quantization_config.

    Raises:
        QuantizationError: it says no quant_method.
    """
    if isinstance(quantization, Quantizer):
        return quantization.method
    if isinstance(quantization, str):
        return quantization
    found = quantization if isinstance(quantization, Mapping) else {}
    method = found.get("quant_method")
    if method is None and any(found.get(one) is True for one in _ONCE_ENOUGH):
        return "bitsandbytes"
    if not isinstance(method, str) or not method:
        raise QuantizationError(f"{where}: the quantization names no quant_method; give a name, or a dict with one")
    return method


def build_quantizer(quantization: object, *, where: object, plugin: str | None = None) -> Quantizer:
    """Make the quantizer of a `quantization=` argument or of a quantization_config.

    Raises:
        RegistryError: no plugin has this scheme.
        QuantizationError: its parameters are wrong.
    """
    if isinstance(quantization, Quantizer):
        return quantization
    name = quantizer_name(quantization, where=where)
    spec = get_registry().get("quantizers", name, plugin=plugin)
    parameters_class, quantizer_class = resolve(spec.parameters), resolve(spec.quantizer)
    if not (isinstance(parameters_class, type) and issubclass(parameters_class, BaseModel)):
        raise BrokenPlugin(f"{spec.parameters}, the parameters of quantizer {name}, is no pydantic model")
    if not (isinstance(quantizer_class, type) and issubclass(quantizer_class, Quantizer)):
        raise BrokenPlugin(f"{spec.quantizer}, the quantizer {name}, is no modelry.quantization.Quantizer")
    values = dict(quantization) if isinstance(quantization, Mapping) else {}
    if "quant_method" not in parameters_class.model_fields:
        values.pop("quant_method", None)
    try:
        return quantizer_class(parameters_class(**values))
    except ValidationError as error:
        wrong = "; ".join(_refusal(dict(one)) for one in error.errors(include_url=False))
        raise QuantizationError(f"{where}: quantization {name}: {wrong}") from error


def _refusal(one: Mapping[str, Any]) -> str:
    """What one parameter, or all of them together, is refused for."""
    parameter, reason = ".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")
    if one["type"] == "missing":
        return f"{parameter} is missing, and has no default"
    return f"{parameter} is {one['input']!r}: {reason}" if parameter else reason


def settled(given: object, stored: object, *, where: object) -> tuple[Quantizer, bool]:
    """The scheme of a load, and whether the checkpoint was saved packed with it.

    Args:
        given: the `quantization=` argument, None where there is none.
        stored: quantization_config of the checkpoint, None where it is not packed.

    Raises:
        QuantizationError: it is packed already, with another scheme or other parameters than those given.
    """
    if stored is None:
        return build_quantizer(given, where="quantization="), False
    if given is None:
        return build_quantizer(stored, where=where), True
    name, wanted = quantizer_name(stored, where=where), quantizer_name(given, where=where)
    what_to_do = "load it without quantization=, or take the checkpoint it was made of"
    if name != wanted:
        raise QuantizationError(f"{where} is {name} already, not {wanted}: {what_to_do}")
    quantizer, said = build_quantizer(stored, where=where), build_quantizer(given, where="quantization=").parameters
    is_so = quantizer.parameters
    for key in sorted(said.model_fields_set):
        if quantizer.differs(key, getattr(said, key)):
            raise QuantizationError(
                f"{where} is {name} already, with {key} {getattr(is_so, key, None)!r} and not {getattr(said, key)!r}: "
                f"{what_to_do}"
            )
    return quantizer, True
