"""The contract of a model family. Subclass it, name the family, and every check runs on its tiny model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from modelry import ModelConfig
from modelry_registry import ModelFamily
from modelry_testing.contract import PluginContract, check
from modelry_testing.models import (
    caching,
    configs,
    dividing,
    generating,
    padding,
    placing,
    precision,
    reference,
    running,
    shortcuts,
    training,
    weights,
)
from modelry_testing.models.inputs import inputs_of_family
from modelry_testing.models.labels import labels_of_head
from modelry_testing.models.reference import Reference
from modelry_testing.models.subject import Inputs, Subject
from modelry_testing.models.weight_tables import total_and_reversible

_READ = ("test_registered", "test_tiny_config")
_RUNS = (*_READ, "test_forward", "test_determinism")
_LOADS = (*_RUNS, "test_save_and_load")
KNOWN = (("text",), ("image",))
"""Modalities of families whose inputs all look alike."""


class ModelContract(PluginContract):
    """What every model family keeps.

    class TestLlama(ModelContract):
        model_type = "llama"
        reference = "somewhere:LlamaForCausalLM"     # an independent implementation, installed for tests
    """

    kind = "models"
    model_type: ClassVar[str] = ""
    tiny: ClassVar[Mapping[str, Any] | None] = None
    """Configuration to check instead of the family's own tiny one."""
    impossible: ClassVar[tuple[Mapping[str, Any], ...]] = ()
    """Changes to the tiny configuration that must be refused, besides the obvious ones."""
    reference: ClassVar[str | None] = None
    """ "module:Name" of an independent implementation with `from_pretrained(folder)`."""
    compiles: ClassVar[bool] = False
    """Whether the family claims that torch.compile takes its forward pass as one graph."""
    without_gradient: ClassVar[tuple[str, ...]] = ()
    """Patterns of parameters that are not trained, or whose gradient is zero by mathematics (say why beside it)."""
    tolerance: ClassVar[float] = 1e-5
    """Largest difference of float32 results, relative to the largest value above one."""

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        if cls.model_type:
            cls.name = cls.model_type

    # What a family may say in its own way

    def inputs(self, config: ModelConfig, rows: int, length: int) -> Inputs:
        """Inputs of `rows` rows and `length` positions, all that some head takes: each is given its own part.

        Raises:
            pytest.skip.Exception: the family's declaration does not say what the model reads.
        """
        subject = self.subject()
        heads = dict.fromkeys((subject.head, *subject.family.heads))
        return inputs_of_family(subject.family, [subject.head_class(head) for head in heads], config, rows, length)

    def labels(self, head: str, config: ModelConfig, inputs: Inputs) -> Inputs:
        """What a head is trained on; empty for a head without a loss, and where only the family knows."""
        return labels_of_head(head, self.subject().head_class(head), config, inputs)

    def reference_model(self, folder: Path) -> Reference | None:
        """An independent implementation of the model in `folder`: it takes our inputs and returns logits."""
        return reference.loaded(self.reference, folder) if self.reference is not None else None

    def subject(self) -> Subject:
        """The family at its tiny size, shared by all checks."""

        def make() -> Subject:
            family = cast(ModelFamily, self.spec())
            values = self.tiny if self.tiny is not None else family.tiny
            if not values:
                pytest.skip(f"{self.name} gives no tiny configuration: add `tiny` to its ModelFamily")
            return Subject(
                family,
                values,
                make_inputs=self.inputs,
                make_labels=self.labels,
                tolerance=self.tolerance,
                guessed=self.by_name and family.modalities not in KNOWN,
            )

        return cast(Subject, self.remembered("subject", make))

    # Configuration

    @check(after=("test_registered",))
    def test_tiny_config(self) -> None:
        """The tiny values make a configuration with the standard names."""
        configs.tiny(self.subject())

    @check(after=_READ)
    def test_config_round_trip(self) -> None:
        """What is read is what is written; an unknown key is kept, and named in a warning."""
        configs.round_trip(self.subject())

    @check(after=_READ)
    def test_config_refusals(self) -> None:
        """Impossible values and broken files are refused, by name."""
        configs.refusals(self.subject(), self.impossible)

    @check(after=("test_registered",))
    def test_config_needs_no_torch(self) -> None:
        """The configuration is imported without torch."""
        configs.torch_free(self.subject(), self.package())

    # Weights

    @check(after=_READ)
    def test_meta_init(self) -> None:
        """Every head is built on the meta device."""
        weights.meta_init(self.subject())

    @check(after=_READ)
    def test_tiny_size(self) -> None:
        """The tiny model has less than a megabyte."""
        weights.tiny_size(self.subject())

    @check(after=_READ)
    def test_class_names(self) -> None:
        """Class names are the published architectures."""
        weights.names(self.subject())

    @check(after=(*_RUNS, "test_meta_init", "test_weight_table"))
    def test_save_and_load(self) -> None:
        """Every head is saved and loaded bit by bit."""
        weights.save_and_load(self.subject())

    @check(after=_READ)
    def test_weight_table(self) -> None:
        """The weight table covers every tensor, both ways; without one, published names are the model's."""
        total_and_reversible(self.subject())

    @check(after=_LOADS)
    def test_tied_weights(self) -> None:
        """Tied tensors are one, stored once."""
        weights.tied(self.subject())

    @check(after=(*_READ, "test_meta_init"))
    def test_tensor_parallel_plan(self) -> None:
        """The tensor-parallel plan, where there is one, names modules that exist and every linear layer of theirs."""
        dividing.plan(self.subject())

    # Running

    @check(after=_READ)
    def test_forward(self) -> None:
        """The model runs, with finite results of the right shape."""
        running.forward(self.subject())

    @check(after=(*_READ, "test_forward"))
    def test_determinism(self) -> None:
        """The same inputs give the same bits, and nothing changes."""
        running.determinism(self.subject())

    @check(after=_RUNS)
    def test_forward_arguments(self) -> None:
        """The ecosystem's arguments do what they say."""
        running.arguments(self.subject())

    @check(after=_RUNS)
    def test_attention_backends(self) -> None:
        """Eager and sdpa attention agree."""
        running.attention_backends(self.subject())

    @check(after=_RUNS)
    def test_layers_alone(self) -> None:
        """Every layer is called, and its weights are used by it alone, so that they can come when its turn has come."""
        placing.layers_alone(self.subject())

    @check(after=_RUNS)
    def test_resized_vocabulary(self) -> None:
        """A larger vocabulary leaves the old tokens as they were."""
        running.resized(self.subject())

    @check(after=_RUNS)
    def test_right_padding(self) -> None:
        """Padding on the right changes nothing."""
        padding.padding(self.subject(), "right")

    @check(after=_RUNS)
    def test_left_padding(self) -> None:
        """Padding on the left changes nothing."""
        padding.padding(self.subject(), "left")

    # Decoding

    @check(after=_RUNS)
    def test_cached_decoding(self) -> None:
        """Prefill then decode equals the full forward."""
        caching.decoding(self.subject())

    @check(after=("test_cached_decoding", "test_left_padding"))
    def test_padded_decoding(self) -> None:
        """A padded batch decodes like its rows alone."""
        caching.padded_decoding(self.subject())

    @check(after=("test_cached_decoding",))
    def test_cache_keep(self) -> None:
        """Rows of the cache are repeated, dropped and reordered."""
        caching.keeping(self.subject())

    @check(after=("test_cached_decoding",))
    def test_cache_rollback(self) -> None:
        """The cache forgets its last positions."""
        caching.rolling_back(self.subject())

    @check(after=_RUNS)
    def test_answering(self) -> None:
        """An encoder-decoder's answer through the cache equals that of one pass."""
        caching.answering(self.subject())
        shortcuts.prepared_answer(self.subject())

    @check(after=("test_cached_decoding", "test_padded_decoding"))
    def test_packed_reading(self) -> None:
        """Texts of different lengths read without their padding are what each is alone, where the family claims it."""
        shortcuts.packed(self.subject())

    @check(after=("test_cached_decoding", "test_padded_decoding"))
    def test_prepared_step(self) -> None:
        """Where the kernel recognises the decoder, its prepared step equals forward."""
        shortcuts.prepared(self.subject())

    @check(after=("test_cached_decoding", "test_left_padding", "test_packed_reading"))
    def test_generate(self) -> None:
        """`generate` follows the most likely token of the full forward pass."""
        generating.greedy(self.subject())

    # Training

    @check(after=_RUNS)
    def test_heads(self) -> None:
        """Every head has its loss."""
        training.heads(self.subject())

    @check(after=_LOADS)
    def test_heads_from_base(self) -> None:
        """A base checkpoint loads into every head."""
        training.heads_from_base(self.subject())

    @check(after=(*_RUNS, "test_heads"))
    def test_gradients(self) -> None:
        """Gradients reach every trainable parameter."""
        training.gradients(self.subject(), self.without_gradient, by_name=self.by_name)

    @check(after=(*_RUNS, "test_gradients"))
    def test_gradient_checkpointing(self) -> None:
        """Gradient checkpointing changes no gradient."""
        training.gradient_checkpointing(self.subject())

    # Precision

    @check(after=(*_LOADS, "test_heads"))
    def test_bfloat16(self) -> None:
        """The model runs and trains in bfloat16."""
        precision.bfloat16(self.subject())

    @check(after=_RUNS)
    def test_compile(self) -> None:
        """torch.compile gives the same, where the family claims it."""
        if not self.compiles:
            pytest.skip("the family does not claim it: set `compiles = True` in its test class")
        precision.compiled(self.subject())

    @check(after=_LOADS)
    def test_reference(self) -> None:
        """Logits equal those of an independent implementation."""
        subject = self.subject()
        other = self.reference_model(subject.saved())
        if other is None:
            pytest.skip("no independent implementation is named: set `reference` in the family's test class")
        reference.agrees(subject, other)
