"""The model contract: a good family passes whole, and each bad one fails exactly its check."""

from collections.abc import Callable

import pytest

from modelry_testing import ModelContract
from modelry_testing.outcomes import SKIPPED

MODELING, CONFIGURATION, PLUGIN = "/modeling.py", "/configuration.py", "/_plugin.py"
RUN = "        angles = self.rotary_emb(position_ids, x.dtype)\n"
NORM = "        self.norm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)\n"
HEAD = '    """{name} that scores the next token."""\n\n    base_class = {name}Model\n'


def test_a_good_family_fails_nothing(in_process, outcomes) -> None:
    found = outcomes(ModelContract, in_process("model", "good-family"), "good-family", compiles=True)
    assert not [one for one in found if one.status not in ("passed", SKIPPED)]
    assert {one.check for one in found if one.status == SKIPPED} == {
        "test_package_metadata",
        "test_entry_points",
        "test_declaration_imports_lightly",
        "test_dependencies",
        "test_config_needs_no_torch",
        "test_reference",
        "test_answering",
        "test_packed_reading",
        "test_prepared_step",
    }


def test_a_good_family_that_takes_the_faster_ways(in_process, outcomes) -> None:
    edits = [
        (MODELING, "        self.attend: ", "        self.kv_heads = self.heads\n        self.attend: "),
        (
            MODELING,
            "    config_class = FastFamilyConfig\n",
            "    config_class = FastFamilyConfig\n    reads_packed = True\n",
        ),
    ]
    found = {
        one.check: one.status
        for one in outcomes(ModelContract, in_process("model", "fast-family", edits), "fast-family")
    }
    assert (found["test_packed_reading"], found["test_prepared_step"]) == ("passed", "passed")
    assert set(found.values()) == {"passed", SKIPPED}


SEEDS = {
    "config-loses-a-key": (
        "test_config_round_trip",
        [
            (
                CONFIGURATION,
                "    @property\n",
                "    def to_dict(self) -> dict:\n"
                '        return {k: v for k, v in super().to_dict().items() if k != "max_position_embeddings"}\n\n'
                "    @property\n",
            )
        ],
    ),
    "config-accepts-anything": (
        "test_config_refusals",
        [(CONFIGURATION, "vocab_size: int = Field(gt=0, ", "vocab_size: int = Field(")],
    ),
    "config-of-another": (
        "test_tiny_config",
        [
            (PLUGIN, '"model_type": "config-of-another",', ""),
            (CONFIGURATION, 'Literal["config-of-another"] = "config-of-another"', 'str = "x"'),
        ],
    ),
    "wrong-class-name": (
        "test_class_names",
        [(MODELING, "WrongClassNameForCausalLM", "WrongClassNameSpeaker"), (PLUGIN, "NameForCausalLM", "NameSpeaker")],
    ),
    "unsaved-tensor": (
        "test_save_and_load",
        [
            (
                MODELING,
                NORM,
                NORM + '        self.register_buffer("shift", torch.randn(config.hidden_size, device="cpu"), False)\n',
            ),
            (MODELING, RUN, RUN + "        x = x + self.shift.to(x.dtype)\n"),
            (MODELING, "from torch import", "import torch\nfrom torch import"),
        ],
    ),
    "no-meta-device": (
        "test_meta_init",
        [
            (MODELING, NORM, NORM + '        self.register_buffer("one", torch.ones(1), False)\n'),
            (MODELING, "from torch import", "import torch\nfrom torch import"),
        ],
    ),
    "random-forward": (
        "test_determinism",
        [(MODELING, RUN, RUN + "        x = x + 0.01 * x.new_empty(x.shape).normal_()\n")],
    ),
    "padding-leak": ("test_left_padding", [(MODELING, "causal_mask(attention_mask,", "causal_mask(None,")]),
    "lost-position": (
        "test_cached_decoding",
        [(MODELING, RUN, "        position_ids = count_positions(None, new=new, device=x.device)\n" + RUN)],
    ),
    "lost-count": ("test_cached_decoding", [(MODELING, "cache.advance(new)", "cache.advance(0)")]),
    "cut-gradient": ("test_gradients", [(MODELING, "k, v, mask, scale", "k, v.detach(), mask, scale")]),
    "frozen-parameter": (
        "test_gradients",
        [(MODELING, NORM, NORM + "        self.norm.weight.requires_grad_(False)\n")],
    ),
    "only-float32": (
        "test_bfloat16",
        [(MODELING, RUN, RUN + "        x = x + self.rotary_emb.inv_freq[0] * 0 * x.float()\n")],
    ),
    "idle-row": (
        "test_weight_table",
        [
            (
                MODELING,
                '    """Embeddings, layers and the last norm."""\n',
                '    """Embeddings, layers and the last norm."""\n\n'
                '    weight_table = WeightTable(Rename("wte", "embed_tokens.weight"), Rename("wpe", "nothing"))\n',
            ),
            (
                MODELING,
                "from torch import",
                "from modelry.checkpoint.weight_table import Rename, WeightTable\nfrom torch import",
            ),
        ],
    ),
    "one-way-table": (
        "test_weight_table",
        [
            (
                MODELING,
                '    """Embeddings, layers and the last norm."""\n',
                '    """Embeddings, layers and the last norm."""\n\n'
                "    weight_table = WeightTable(\n"
                '        Split("layers.{i}.qk", sizes=(16, 48), model=(\n'
                '            "layers.{i}.self_attn.q_proj.weight", "layers.{i}.self_attn.k_proj.weight"))\n    )\n',
            ),
            (
                MODELING,
                "from torch import",
                "from modelry.checkpoint.weight_table import Split, WeightTable\nfrom torch import",
            ),
        ],
    ),
    "plan-of-another": (
        "test_tensor_parallel_plan",
        [(CONFIGURATION, '"layers.*.self_attn.q_proj"', '"layers.*.self_attn.query"')],
    ),
    "half-a-plan": (
        "test_tensor_parallel_plan",
        [(CONFIGURATION, '        "layers.*.mlp.down_proj": "rowwise",\n', "")],
    ),
    "silent-loss": (
        "test_heads",
        [
            (
                MODELING,
                HEAD.format(name="SilentLoss"),
                HEAD.format(name="SilentLoss") + "\n    def forward(self, *given, labels=None, **named):\n"
                "        return super().forward(*given, **named)\n\n",
            )
        ],
    ),
    "missing-states": ("test_forward_arguments", [(MODELING, "(*states, x) if", "tuple(states) if")]),
    "one-attention": (
        "test_attention_backends",
        [
            (
                MODELING,
                "        out: Tensor = self.o_proj",
                "        mixed = mixed if self.attend is sdpa_attention else 1.01 * mixed\n"
                "        out: Tensor = self.o_proj",
            )
        ],
    ),
    "no-list-of-layers": (
        "test_gradient_checkpointing",
        [
            (
                MODELING,
                "nn.ModuleList(NoListOfLayersLayer(config) for",
                "nn.Sequential(*[NoListOfLayersLayer(config) for",
            ),
            (MODELING, "range(config.num_hidden_layers))", "range(config.num_hidden_layers)])"),
        ],
    ),
    "meddles-with-layers": (
        "test_layers_alone",
        [(MODELING, RUN, RUN + "        x = x + 0.01 * self.layers[0].input_layernorm.weight\n")],
    ),
    "too-large": ("test_tiny_size", [(PLUGIN, '"vocab_size": 96', '"vocab_size": 9600')]),
    "missing-class": ("test_registered", [(PLUGIN, "modeling:MissingClassForSeq", "modeling:MissingClassForSeek")]),
    "nan-logits": ("test_forward", [(MODELING, RUN, RUN + "        x = x * float('nan')\n")]),
    "packs-without-care": (
        "test_packed_reading",
        [
            (
                MODELING,
                "    config_class = PacksWithoutCareConfig\n",
                "    config_class = PacksWithoutCareConfig\n    reads_packed = True\n",
            ),
            (
                MODELING,
                "        mask = causal_mask(attention_mask,",
                "        if attention_mask is not None and attention_mask.dim() == 2:\n"
                "            attention_mask = (attention_mask != 0).long()\n"
                "        mask = causal_mask(attention_mask,",
            ),
        ],
    ),
    "not-what-it-looks-like": (  # made of the kernel's parts under their names, which it then uses otherwise
        "test_prepared_step",
        [
            (MODELING, "        self.attend: ", "        self.kv_heads = self.heads\n        self.attend: "),
            (MODELING, RUN, RUN + "        x = 1.5 * x\n"),
        ],
    ),
    "fixed-vocabulary": (
        "test_resized_vocabulary",
        [(MODELING, RUN, RUN + "        x = x + 0.01 * self.embed_tokens.num_embeddings\n")],
    ),
}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bad_family_fails_its_check(seed: str, in_process: Callable, failures: Callable) -> None:
    expected, edits = SEEDS[seed]
    found = failures(ModelContract, in_process("model", seed, edits), seed)
    assert set(found) == {expected}, found


def test_an_independent_implementation_is_compared(in_process: Callable, outcomes: Callable) -> None:
    """Here the family itself, and one that says everything twice as loud."""
    edits = [
        (
            MODELING,
            "class TwiceForSequence",
            "class Louder(TwiceForCausalLM):\n    def forward(self, *given, **named):\n"
            "        found = super().forward(*given, **named)\n        found.logits = 2 * found.logits\n"
            "        return found\n\n\nclass TwiceForSequence",
        )
    ]
    registry = in_process("model", "twice", edits)
    for reference, expected in (("TwiceForCausalLM", set()), ("Louder", {"test_reference"})):
        found = outcomes(ModelContract, registry, "twice", reference=f"modelry_twice.modeling:{reference}")
        assert {one.check for one in found if one.status == "failed"} == expected
        assert not [one for one in found if one.check == "test_reference" and one.status == SKIPPED]
