"""Weights whose files carry a variant's name, in one file and in several."""

from pathlib import Path

import pytest
import torch
from kernel_toys import NoteConfig, NoteForCausalLM

from modelry.errors import NotFound

pytestmark = pytest.mark.usefixtures("registry")


@pytest.mark.parametrize("shard", ["10GB", "1KB"])
def test_a_variant_is_loaded_by_name(tmp_path: Path, shard: str) -> None:
    """Named as published: model.fp16-00001-of-00002.safetensors, model.safetensors.index.fp16.json."""
    torch.manual_seed(0)
    model = NoteForCausalLM.from_config(NoteConfig())
    model.save_pretrained(tmp_path, max_shard_size=shard)
    index = tmp_path / "model.safetensors.index.json"
    assert index.is_file() == (shard == "1KB")
    if index.is_file():
        text = index.read_text(encoding="utf-8").replace('"model-0', '"model.fp16-0')
        (tmp_path / "model.safetensors.index.fp16.json").write_text(text, encoding="utf-8")
        index.unlink()
    for path in list(tmp_path.glob("model*.safetensors")):
        path.rename(path.with_name("model.fp16" + path.name.removeprefix("model")))
    again = NoteForCausalLM.from_pretrained(tmp_path, variant="fp16")
    assert all(one.equal(other) for one, other in zip(model.parameters(), again.parameters(), strict=True))
    with pytest.raises(NotFound, match=r"holds neither model\.safetensors nor .* pass variant='fp16'"):
        NoteForCausalLM.from_pretrained(tmp_path)
    with pytest.raises(NotFound, match=r"neither model\.int7\.safetensors nor .* pass variant='fp16'"):
        NoteForCausalLM.from_pretrained(tmp_path, variant="int7")
