"""The contract of a decoding strategy: it says what the toy language model says, in the ways that generate promises."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import pytest

from modelry_registry import Decoder, Registry
from modelry_testing.contract import PluginContract, check
from modelry_testing.decoding import following, promises
from modelry_testing.decoding.strategy import Strategy
from modelry_testing.toys.family import with_toy

_RUNS = ("test_registered", "test_parameters", "test_decodes")


class DecoderContract(PluginContract):
    """What every decoding strategy keeps.

    class TestBeamSearch(DecoderContract):
        name = "beam-search"
        parameters = {"num_beams": 3}
        finds_best = {"num_beams": 50}
    """

    kind = "decoders"
    parameters: ClassVar[Mapping[str, Any]] = {}
    """Keywords of generate in every check: what the strategy needs to be itself (`do_sample=True`)."""
    finds_best: ClassVar[Mapping[str, Any] | None] = None
    """Keywords with which it must find the most likely of all sequences."""
    follows_greedy: ClassVar[Mapping[str, Any] | None] = None
    """Keywords with which each token must be the most likely next one."""
    draws: ClassVar[bool] = False
    """Whether other seeds give other sequences."""
    impossible: ClassVar[tuple[Mapping[str, Any], ...]] = ()
    """Keywords that must be refused."""

    @classmethod
    def found_in(cls) -> Registry:
        """The registry that knows the plugin, and the toy."""
        outer = super().found_in()
        return cast(Registry, cls.remembered("registry", lambda: with_toy(outer)))

    def strategy(self) -> Strategy:
        """The strategy with this contract's keywords, on toys that all checks share."""
        spec = cast(Decoder, self.spec())
        return cast(Strategy, self.remembered("strategy", lambda: Strategy(spec, dict(self.parameters))))

    @check(after=("test_registered",))
    def test_parameters(self) -> None:
        """The strategy declares its parameters, typed, and what is impossible is refused by name."""
        promises.parameters(self.strategy(), self.impossible)

    @check(after=("test_registered", "test_parameters"))
    def test_decodes(self) -> None:
        """The prompt comes back first, then as many tokens of the vocabulary as were asked for."""
        promises.decodes(self.strategy())

    @check(after=_RUNS)
    def test_seed(self) -> None:
        """The same seed gives the same sequence, whatever else the process draws."""
        promises.seed(self.strategy(), draws=self.draws)

    @check(after=("test_seed",))
    def test_interrupted(self) -> None:
        """What fails or is interrupted in the middle leaves the model as it was."""
        promises.interrupted(self.strategy())

    @check(after=_RUNS)
    def test_certain_sequence(self) -> None:
        """Where the model leaves no choice, the strategy says what the model says."""
        following.certain(self.strategy())

    @check(after=("test_certain_sequence",))
    def test_batch(self) -> None:
        """Rows of different lengths, decoded together, are what each is alone."""
        following.batch(self.strategy())

    @check(after=("test_batch",))
    def test_encoder_decoder(self) -> None:
        """An encoder-decoder model says what the model says, or is refused before it runs."""
        following.encoder_decoder(self.strategy())

    @check(after=("test_batch",))
    def test_stop_tokens(self) -> None:
        """A row ends with its stop token; others go on, and the ended one is padded."""
        following.stop_tokens(self.strategy())

    @check(after=("test_certain_sequence",))
    def test_maximum_length(self) -> None:
        """max_length counts the prompt, max_new_tokens does not; neither is exceeded."""
        following.maximum_length(self.strategy())

    @check(after=("test_stop_tokens",))
    def test_stopping_criteria(self) -> None:
        """A stopping criterion of the caller's ends the loop."""
        following.stopping_criteria(self.strategy())

    @check(after=("test_certain_sequence",))
    def test_processors(self) -> None:
        """Logits processors count: a suppressed token is not said."""
        following.processors(self.strategy())

    @check(after=("test_certain_sequence",))
    def test_streaming(self) -> None:
        """A streamer is given the prompt, then every token once and in order, then the end."""
        if not cast(Decoder, self.spec()).streams:
            pytest.skip("the strategy declares that it knows its tokens only at the end (streams=False)")
        following.streaming(self.strategy())

    @check(after=("test_certain_sequence",))
    def test_greedy_sequence(self) -> None:
        """Each token is the most likely next one, where the test class claims it."""
        if self.follows_greedy is None:
            pytest.skip("not claimed: set `follows_greedy` to the keywords that make it so")
        following.greedy(self.strategy(), self.follows_greedy)

    @check(after=("test_certain_sequence",))
    def test_best_sequence(self) -> None:
        """The sequence is the most likely of all, where the test class claims it."""
        if self.finds_best is None:
            pytest.skip("not claimed: set `finds_best` to the keywords that make it so")
        following.best(self.strategy(), self.finds_best)
