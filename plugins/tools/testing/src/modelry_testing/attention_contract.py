"""The contract of an attention function: what it computes is what the kernel's plain one computes, or it refuses."""

from typing import Any, ClassVar, cast

from modelry.nn.attention import Attend
from modelry_registry import AttentionBackend, resolve
from modelry_testing.attending import adding, seeing
from modelry_testing.attending.backend import Backend, installed
from modelry_testing.contract import PluginContract, check

_RUNS = ("test_registered", "test_runs", "test_causal")
_BOTH = (*_RUNS, "test_grouped_heads")


class AttentionContract(PluginContract):
    """What every attention function keeps.

    class TestFlexAttention(AttentionContract):
        name = "flex_attention"
    """

    kind = "attention"
    tolerance: ClassVar[float] = 1e-5
    """Largest distance from the plain function in float32; where it computes in bfloat16 only, 0.02 at least."""

    def attend(self) -> Attend:
        """The function: what the plugin declares. A test gives another where that one needs a device it lacks."""
        spec = cast(AttentionBackend, self.spec())
        installed(spec)
        return cast(Attend, resolve(spec.attend))

    def backend(self) -> Backend:
        """The function where it runs, shared by all checks."""

        def make() -> Backend:
            return Backend.running(cast(AttentionBackend, self.spec()), self.attend(), tolerance=self.tolerance)

        found: Any = self.remembered("backend", make)
        return cast(Backend, found)

    @check(after=("test_registered",))
    def test_runs(self) -> None:
        """It computes on some device in float32 or bfloat16."""
        self.backend()

    @check(after=("test_registered", "test_runs"))
    def test_causal(self) -> None:
        """A query sees itself and what stands before it, scaled as it is told."""
        seeing.causal(self.backend())

    @check(after=_RUNS)
    def test_grouped_heads(self) -> None:
        """Query heads share key/value heads in order."""
        seeing.grouped(self.backend())

    @check(after=_BOTH)
    def test_windows(self) -> None:
        """A query sees the last positions only, itself counted."""
        seeing.windows(self.backend())

    @check(after=_BOTH)
    def test_caches(self) -> None:
        """One new position, and several, behind those of a cache, whose tail nobody sees."""
        seeing.caches(self.backend())

    @check(after=_BOTH)
    def test_padding(self) -> None:
        """Padding on either side is seen by nobody, and gives numbers."""
        seeing.padding(self.backend())

    @check(after=_BOTH)
    def test_packed(self) -> None:
        """Texts one behind the other in a row do not see each other."""
        seeing.packed(self.backend())

    @check(after=_BOTH)
    def test_both_ways(self) -> None:
        """Encoders, and decoders that look at an encoder: more queries than keys, fewer, padded keys."""
        seeing.both_ways(self.backend())

    @check(after=_RUNS)
    def test_biases(self) -> None:
        """Relative positions are added to the scores, or refused where the plugin declares biases=False."""
        adding.biases(self.backend())

    @check(after=_RUNS)
    def test_patterns(self) -> None:
        """Any table of who sees whom is followed, or refused where the plugin declares patterns=False."""
        adding.patterns(self.backend())

    @check(after=_BOTH)
    def test_weights(self) -> None:
        """Weights are given where the plugin declares it, and refused where not."""
        adding.weights(self.backend())

    @check(after=_BOTH)
    def test_softcap(self) -> None:
        """Scores are capped, or it is refused."""
        adding.softcap(self.backend())

    @check(after=_BOTH)
    def test_dropout(self) -> None:
        """Weights are dropped, or it is refused."""
        adding.dropout(self.backend())

    @check(after=(*_BOTH, "test_padding", "test_packed"))
    def test_shared_masks(self) -> None:
        """Layers share a mask, and nothing that they are given changes."""
        adding.shared(self.backend())

    @check(after=(*_BOTH, "test_padding", "test_packed", "test_shared_masks"))
    def test_gradients(self) -> None:
        """Gradients of queries, keys and values are those of the plain function."""
        adding.gradients(self.backend())

    @check(after=_BOTH)
    def test_bfloat16(self) -> None:
        """It computes in bfloat16 too, and returns it."""
        adding.bfloat16(self.backend())
