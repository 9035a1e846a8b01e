"""The gguf scheme: blocks of a .gguf file stay packed in memory; float checkpoints are packed as such blocks.

A saved model says in its quantization_config which layer is of which type, so that it loads without the .gguf file.
"""

import warnings
from collections import Counter
from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from modelry.checkpoint.naming import names_in
from modelry.checkpoint.shards import Checkpoint
from modelry.errors import ModelryWarning, QuantizationError
from modelry.model import PreTrainedModel
from modelry.packed import GroupedInt8Linear, Int4Linear, found_layers
from modelry.packed.replacing import in_short, packed_in_file, refuse_packed
from modelry.quantization import Quantizer
from modelry_gguf.blocks import packed_type, stored_bytes
from modelry_gguf.parameters import GgufParameters, PackedType
from modelry_gguf.reader import GgufReader
from modelry_gguf.repacking import BLOCK, repacked

MARKS = ("weight_scale", "weight_scale_and_zero")


class GgufQuantizer(Quantizer):
    """Packs linear layers as Q4_0, Q4_1 or Q8_0."""

    method = "gguf"
    parameters: GgufParameters

    def __init__(self, parameters: GgufParameters) -> None:
        super().__init__(parameters)
        self._given = parameters
        self._where = "the checkpoint"
        self._scale_dtype = torch.float32
        self._stored: Collection[str] = ()
        self._file_types: dict[str, str] | None = None
        """Stored tensor to type, where a .gguf file is loaded."""
        self._types: dict[str, PackedType] = {}
        """Packed layer to type."""

    def begin(self, checkpoint: Checkpoint, dtype: torch.dtype) -> None:
        """See what types a .gguf file has.

        Raises:
            QuantizationError: the file's types and those of the parameters may differ; or neither says any.
        """
        self.parameters = self._given
        self._where, self._scale_dtype, self._types = checkpoint.where, dtype, {}
        self._stored = tuple(checkpoint.names())
        readers = {name: checkpoint.reader(name) for name in checkpoint.names()}
        types = {name: one.type_name(name) for name, one in readers.items() if isinstance(one, GgufReader)}
        self._file_types = types or None
        if types and self.parameters != GgufParameters():
            raise QuantizationError(
                f"{self._where} is a .gguf file, whose blocks have types already: give quantization='gguf' alone"
            )
        if not types and self.parameters.weight_type is None:
            raise QuantizationError(
                f"{self._where} is no .gguf file: say which blocks it shall be packed as, for example "
                "quantization={'quant_method': 'gguf', 'weight_type': 'Q4_0'}"
            )

    def check(self, model: nn.Module) -> None:
        """Refuse a model that is packed another way."""
        refuse_packed(model, self.method, self.parameters.modules_to_not_convert)

    def swap(self, model: nn.Module) -> None:
        """Replace linear layers by packed ones; one warning tells of those that are not packed.

        Raises:
            QuantizationError: the file has no layer of a type that stays packed, or none that fits.
        """
        if self._file_types is None:
            self._types = self._types_of_parameters(model)
        else:
            self._types = self._types_of_file(model, self._file_types)
        for name, layer in list(found_layers(model, [])):
            kind = self._types.get(name)
            if kind is None:
                continue
            make = GroupedInt8Linear if kind == "Q8_0" else Int4Linear
            packed = make(
                layer.in_features,
                layer.out_features,
                group_size=BLOCK,
                bias=layer.bias,
                scale_dtype=self._scale_dtype,
            )
            model.set_submodule(name, packed)

    def _types_of_parameters(self, model: nn.Module) -> dict[str, PackedType]:
        usual = self.parameters.weight_type
        assert usual is not None
        others = self.parameters.other_types
        packed = packed_in_file(model, self._stored, marks=MARKS, method=self.method)
        self._stored = ()
        if packed:
            return self._types_of_packed(model, packed, usual)
        types: dict[str, PackedType] = {}
        unfit = []
        for name, layer in found_layers(model, self.parameters.modules_to_not_convert):
            if layer.in_features % BLOCK:
                unfit.append(name)
            else:
                types[name] = others.get(name, usual)
        unknown = sorted(others.keys() - types.keys())
        if unknown:
            raise QuantizationError(f"other_types names {', '.join(unknown[:5])}, which the model does not pack")
        if unfit and not types:
            raise QuantizationError(f"no layer has inputs that are a multiple of {BLOCK}: {in_short(unfit)}")
        if unfit:
            warnings.warn(
                f"gguf: layers whose inputs are no multiple of {BLOCK} stay as they are: {in_short(unfit)}",
                ModelryWarning,
                stacklevel=2,
            )
        return types

    def _types_of_packed(self, model: nn.Module, packed: Collection[str], usual: PackedType) -> dict[str, PackedType]:
        """Of the layers that a saved file has packed. It may be of another head: names are told by their ends."""
        types: dict[str, PackedType] = {}
        for name, layer in found_layers(model, []):
            if name not in packed:
                continue
            if layer.in_features % BLOCK:
                raise QuantizationError(
                    f"{name} is packed in the checkpoint, and its {layer.in_features} inputs are no multiple of {BLOCK}"
                )
            said = self.parameters.other_types.items()
            alike = (kind for one, kind in said if f".{one}".endswith(f".{name}") or f".{name}".endswith(f".{one}"))
            types[name] = (
                self.parameters.other_types[name] if name in self.parameters.other_types else next(alike, usual)
            )
        return types

    def _types_of_file(self, model: nn.Module, stored: Mapping[str, str]) -> dict[str, PackedType]:
        assert isinstance(model, PreTrainedModel)
        by_name = {ours: stored[name] for name, ours in names_in(model, stored.keys()).items()}
        if model.config.get_text_config().tie_word_embeddings:
            by_name = {name: by_name[of] for name, of in model.tied_weights.items() if of in by_name} | by_name
        types: dict[str, PackedType] = {}
        rest: Counter[str] = Counter()
        kept = []
        for name, _ in found_layers(model, []):
            found = by_name.get(f"{name}.weight")
            kind = None if found is None else packed_type(found)
            if kind is not None:
                types[name] = kind
            else:
                kept.append(name)
                rest.update([found] if found is not None else [])
        said = ", ".join(
            f"{kind} ({count} {'time' if count == 1 else 'times'})" for kind, count in sorted(rest.items())
        )
        if not types:
            raise QuantizationError(
                f"{self._where} has no layer of type Q4_0, Q4_1 or Q8_0, which stay packed; it has {said or 'none'}. "
                "Load it without quantization, which makes floats of it, or with another scheme"
            )
        if said:
            dtype = str(self._scale_dtype).removeprefix("torch.")
            warnings.warn(
                f"{self._where}: layers of type {said} have no packed product and are kept in {dtype}",
                ModelryWarning,
                stacklevel=2,
            )
        usual = Counter(types.values()).most_common(1)[0][0]
        self.parameters = GgufParameters(
            weight_type=usual,
            other_types={name: kind for name, kind in types.items() if kind != usual},
            modules_to_not_convert=kept,
        )
        return types

    def take(self, name: str, stored: str, checkpoint: Checkpoint) -> Mapping[str, Tensor] | None:
        """Blocks become integers and scales as they are; a bias is left to `pack`."""
        reader = checkpoint.reader(stored)
        if self._file_types is None or not isinstance(reader, GgufReader) or not name.endswith(".weight"):
            return None
        kind = packed_type(reader.type_name(stored))
        assert kind is not None, "swap has looked"
        return self._parts(name, reader.read_rows(stored), kind)

    def pack(self, name: str, tensor: Tensor) -> Mapping[str, Tensor] | None:
        """A float weight becomes blocks first; a bias stays."""
        layer, _, part = name.rpartition(".")
        if part != "weight":
            return None
        kind = self._types[layer]
        return self._parts(name, stored_bytes(tensor.cpu(), kind, name=name), kind)

    def _parts(self, name: str, rows: Tensor, kind: PackedType) -> Mapping[str, Tensor]:
        integers, numbers = repacked(rows, kind, dtype=self._scale_dtype)
        return {name: integers, f"{name}_scale" if kind == "Q8_0" else f"{name}_scale_and_zero": numbers}

    def finish(self, model: nn.Module) -> None:
        """Bring every layer's integers into the layout of its device's kernel, one layer at a time.

        They are written where they lay: a result kept between two large intermediate ones would pin the heap's height.
        """
        for layer in model.modules():
            if isinstance(layer, Int4Linear | GroupedInt8Linear):
                room = layer.integers.view(torch.uint8)
                layer.lay_out()
                laid = layer.integers
                if laid.dtype == room.dtype and laid.numel() == room.numel():
                    layer._buffers["weight"] = room.view(laid.shape).copy_(laid)
