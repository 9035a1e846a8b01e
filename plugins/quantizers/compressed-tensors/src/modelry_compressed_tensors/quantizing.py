"""The compressed-tensors scheme: which layers a file or the user wants packed, and what is said about the rest."""

import copy
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from modelry.checkpoint.naming import names_in
from modelry.errors import ModelryWarning, QuantizationError
from modelry.model import PreTrainedModel
from modelry.packed.packed_linear import PackedLinear
from modelry.packed.replacing import in_short, refuse_packed
from modelry.packed.scaled_linear import ScaledLinear
from modelry.packed.scaled_packing import E4M3, refuse_no_numbers
from modelry.packed.zero_point_linear import ZeroPointLinear
from modelry.quantization import Quantizer
from modelry_compressed_tensors.form import SHAPE
from modelry_compressed_tensors.parameters import CompressedTensorsParameters
from modelry_compressed_tensors.plans import Plan
from modelry_compressed_tensors.targets import meant

if TYPE_CHECKING:
    from modelry.checkpoint.reader import TensorInfo
    from modelry.checkpoint.shards import Checkpoint

OF_ACTIVATIONS = tuple(
    f"{what}_{kind}" for what in ("input", "output", "q", "k", "v") for kind in ("scale", "zero_point", "global_scale")
)
"""Tensors beside a weight that say how activations are rounded: kept for other readers."""
OF_DENSE_WEIGHTS = ("weight_scale", "weight_zero_point", "weight_g_idx")


class CompressedTensorsQuantizer(Quantizer):
    """Linear layers in the published layouts."""

    method = "compressed-tensors"
    parameters: CompressedTensorsParameters

    _tensors: "Mapping[str, TensorInfo] | None" = None
    _dtype = torch.float32
    _plans: Mapping[str, Plan] | None = None
    _dense: tuple[str, ...] = ()
    _claimed = False

    def begin(self, checkpoint: "Checkpoint", dtype: torch.dtype) -> None:
        self._tensors = {name: checkpoint.info(name) for name in checkpoint.names()}
        self._dtype = dtype

    def check(self, model: nn.Module) -> None:
        """Find the layers that are meant, and hold the configuration against what is stored for them.

        Raises:
            QuantizationError: the model is packed another way, a layer cannot be read, file and configuration
                contradict each other, or a float model is to be packed in a way that takes more than rounding.
        """
        said = getattr(getattr(model, "config", None), "quantization_config", None) or {}
        self._claimed = said.get("quant_method") == self.method
        if not self._claimed:
            self._check_float(model)
        self._find(model)
        if self._claimed:
            stored, plans = self._by_layer(model), self._plans or {}
            there = [name for name in plans if name in stored]
            for name in there or plans:
                plans[name].hold_against(name, stored.get(name, {}))
            self._leave([name for name in plans if name not in there])  # of another head: made anew, if at all

    def _check_float(self, model: nn.Module) -> None:
        packed = next((name for name in self._tensors or () if name.endswith(".weight_packed")), None)
        if packed is not None:
            raise QuantizationError(
                f"{packed}: the checkpoint is packed already, and config.json has no quantization_config: give it the "
                "one that the file was made with"
            )
        if self.parameters.ignore is None:
            base = model.base_model if isinstance(model, PreTrainedModel) else model
            inside = {id(part) for part in base.modules()}
            heads = [
                name for name, one in model.named_modules() if isinstance(one, nn.Linear) and id(one) not in inside
            ]
            self.parameters = self.parameters.model_copy(update={"ignore": heads})
        refuse_packed(model, self.method, [])
        for name, scheme in self.parameters.config_groups.items():
            weights, kind = scheme.weights, self.parameters.format_of(scheme)
            if weights is None or kind == "dense":
                raise QuantizationError(f"config_groups.{name} packs no weights (format {kind})")
            if weights.reordered:
                raise QuantizationError(
                    f"config_groups.{name}.weights.actorder {weights.actorder} can be read from a checkpoint, not made "
                    "of a float model. Leave it out"
                )
            if weights.type == "int" and weights.scope not in ("group", "channel"):
                raise QuantizationError(
                    f"config_groups.{name}.weights.strategy {weights.scope} can be read from a checkpoint; to pack "
                    "integers take group or channel"
                )
            if scheme.input_activations is not None and not scheme.input_activations.dynamic:
                raise QuantizationError(
                    f"config_groups.{name}.input_activations.dynamic is false, which takes scales measured on data. "
                    "Leave input_activations out"
                )

    def _find(self, model: nn.Module) -> None:
        plans, dense, unfit = {}, [], {}
        modules = dict(model.named_modules())
        for name, group in meant(model, self.parameters, self.parameters.ignore or []):
            scheme, layer = self.parameters.config_groups[group], modules[name]
            kind = self.parameters.format_of(scheme)
            if scheme.weights is None:
                continue
            if not isinstance(layer, nn.Linear):
                raise QuantizationError(
                    f"config_groups.{group} means {name}, a {type(layer).__name__}; linear layers are read"
                )
            if kind == "dense":
                dense.append(name)
                continue
            plan = Plan(group, scheme.weights, kind == "pack-quantized", layer.in_features, layer.out_features)
            if self._claimed or not plan.unfit():
                plans[name] = plan
            else:
                unfit[name] = f"config_groups.{group}: {plan.unfit()}"
        if unfit and not plans:
            raise QuantizationError(
                f"{self.method}: no layer can be packed. {next(iter(unfit))}: {next(iter(unfit.values()))}"
            )
        if unfit:
            warnings.warn(
                f"{self.method}: layers that do not fit stay as they are: {in_short(list(unfit))}",
                ModelryWarning,
                stacklevel=2,
            )
            self._leave(list(unfit))
        self._plans, self._dense = plans, tuple(dense)

    def _leave(self, names: list[str]) -> None:
        """Have layers stay as they are, and say so in the configuration."""
        if names:
            self._plans = {name: plan for name, plan in (self._plans or {}).items() if name not in names}
            self.parameters = self.parameters.model_copy(update={"ignore": [*(self.parameters.ignore or []), *names]})

    def swap(self, model: nn.Module) -> None:
        """Replace the layers that were found; tensors about activations get a place beside them."""
        stored = self._by_layer(model) if self._claimed else {}
        for name, plan in (self._plans or {}).items():
            layer = model.get_submodule(name)
            assert isinstance(layer, nn.Linear)
            tensors = plan.tensors(stored.get(name))
            model.set_submodule(name, plan.layer(tensors, bias=layer.bias, dtype=self._dtype))
        for name in self._dense:
            model.set_submodule(name, copy.deepcopy(model.get_submodule(name)))
        modules = dict(model.named_modules())
        for name, parts in stored.items():
            beside = OF_ACTIVATIONS + (OF_DENSE_WEIGHTS if name in self._dense else ())
            for part in parts.keys() & set(beside) if name in modules else ():
                dtype = getattr(torch, parts[part].dtype)
                modules[name].register_buffer(part, torch.empty(parts[part].shape, dtype=dtype))

    def pack(self, name: str, tensor: Tensor) -> Mapping[str, Tensor] | None:
        """A weight becomes the file's tensors; a bias stays."""
        layer, _, part = name.rpartition(".")
        if part != "weight" or self._plans is None:
            return None
        return {f"{layer}.{one}": found for one, found in self._plans[layer].pack(tensor, name=name).items()}

    def differs(self, parameter: str, asked: object) -> bool:
        """A file's `ignore` names beside what was asked for the layers that did not fit."""
        if parameter != "ignore":
            return super().differs(parameter, asked)
        assert asked is None or isinstance(asked, list)
        return not set(asked or ()) <= set(self.parameters.ignore or ())

    def finish(self, model: nn.Module) -> None:
        """Bring every layer into the layout of its device's kernel, and say once what is computed another way.

        Raises:
            QuantizationError: values that are no numbers, or groups and shapes that are not as the configuration says.
        """
        whole = []
        packed = {name for name, layer in model.named_modules() if isinstance(layer, PackedLinear)}
        self._leave([name for name in self._plans or () if name not in packed])
        for name in self._plans or ():
            layer = model.get_submodule(name)
            if isinstance(layer, ZeroPointLinear):
                self._lay_out(name, layer)
            elif isinstance(layer, ScaledLinear):
                if layer.numbers.dtype == E4M3:
                    refuse_no_numbers(layer.numbers, name=f"{name}.weight")
                if layer.makes_weights_whole():
                    whole.append(name)
        for name in self._dense:
            for parameter in model.get_submodule(name).parameters():
                parameter.data = parameter.data.to(self._dtype)
        self._tensors = self._plans = None
        self._say(whole)

    def _lay_out(self, name: str, layer: ZeroPointLinear) -> None:
        shape = [layer.out_features, layer.in_features]
        said = layer.get_buffer(SHAPE).tolist()
        if said != shape:
            raise QuantizationError(f"{name}.{SHAPE} says {said}, and the layer is {shape}")
        try:
            layer.lay_out()
        except QuantizationError as error:
            raise QuantizationError(f"{name}: {error}") from error

    def _say(self, whole: list[str]) -> None:
        schemes = self.parameters.config_groups.values()
        rounded = ["activations"] if any(one.input_activations or one.output_activations for one in schemes) else []
        rounded += ["keys and values"] if self.parameters.kv_cache_scheme is not None else []
        said = []
        if rounded:
            said.append(
                f"quantization_config rounds {' and '.join(rounded)} too; here they stay in the model's dtype, so "
                "results are nearer to the float model's than the publisher's"
            )
        if self._dense:
            said.append(f"the weights of {len(self._dense)} layers are stored dense and taken as they are")
        if whole:
            said.append(
                f"{len(whole)} layers have their weights made whole for each product; they stay packed in memory"
            )
        if said:
            warnings.warn(f"{self.method}: {'. '.join(said)}", ModelryWarning, stacklevel=3)

    def _by_layer(self, model: nn.Module) -> "dict[str, dict[str, TensorInfo]]":
        """What the file has, by name of the module and of the tensor."""
        found: dict[str, dict[str, TensorInfo]] = {}
        tensors = self._tensors or {}
        if isinstance(model, PreTrainedModel):
            for stored, name in names_in(model, tensors.keys()).items():
                layer, _, part = name.rpartition(".")
                found.setdefault(layer, {})[part] = tensors[stored]
        return found
