"""`pipeline()`: what it is given, what it loads, and what it refuses."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import modelry
from modelry import pipeline
from modelry.errors import ConfigError, ModelryWarning, NotFound, ParameterError, UnknownName
from modelry.pipelines import Pipeline
from modelry.pipelines.building import task_of
from modelry_registry import Task, get_registry, use_registry

pytestmark = pytest.mark.usefixtures("toys")


@pytest.fixture
def folder(toy_model: Any, tmp_path: Path) -> Path:
    toy_model.save_pretrained(tmp_path)
    return tmp_path


def test_the_function_is_not_hidden_by_a_module() -> None:
    assert callable(modelry.pipeline)
    assert modelry.pipeline is pipeline
    assert modelry.Pipeline is Pipeline


def test_from_a_folder(folder: Path) -> None:
    made = pipeline("add", str(folder), device="cpu", batch_size=2, scale=2.0)
    assert made("a")["sum"] == 194
    assert (made.task, made.batch_size, made.device.type) == ("add", 2, "cpu")


def test_from_a_model(toy_model: Any) -> None:
    made = pipeline("add", model=toy_model)
    assert made.model is toy_model
    assert made("a")["sum"] == 97


@pytest.mark.parametrize("dtype", ["bfloat16", torch.bfloat16])
def test_dtype(folder: Path, dtype: Any) -> None:
    assert pipeline("add", model=folder, dtype=dtype, device="cpu").dtype == torch.bfloat16


def test_float16_on_a_cpu(toy_model: Any, tmp_path: Path) -> None:
    toy_model.to(torch.float16).save_pretrained(tmp_path)
    made = pipeline("add", model=tmp_path, device="cpu")
    assert (made.dtype, made.model.config.dtype) == (torch.float32, "float32")
    assert pipeline("add", model=tmp_path, device="cpu", dtype="float16").dtype == torch.float16
    assert pipeline("add", model=tmp_path, device="cpu", model_kwargs={"dtype": "float16"}).dtype == torch.float16
    assert pipeline("add", model=tmp_path, device="cpu", torch_dtype="float16").dtype == torch.float16
    assert pipeline("add", model=tmp_path, device="cpu", dtype=None).dtype == torch.float16
    assert pipeline("add", model=tmp_path, device="meta").dtype == torch.float16


def test_the_task_follows_from_the_model(folder: Path, toy_model: Any) -> None:
    assert pipeline(model=folder).task == "add"
    assert pipeline(model=toy_model).task == "add"


def test_a_task_that_is_not_implied(folder: Path) -> None:
    also = Task(name="also", pipeline="nowhere:Nothing", heads=("base",), implied=False)
    seeing = Task(name="seeing", pipeline="nowhere:Nothing", heads=("base",), preprocessors=("image-processor",))
    with use_registry(get_registry().extended(also, seeing, distribution="more-tasks")):
        assert pipeline(model=folder).task == "add"


def test_a_head_that_no_task_prefers(toy_model: Any) -> None:
    family = get_registry().get("models", "toy-adder")
    chess = replace(family, model_type="toy-chess", heads={"pretraining": family.heads["base"]})
    player = Task(name="player", pipeline="toy_adder:AdderPipeline", heads=("multimodal-lm", "pretraining"))
    with use_registry(get_registry().extended(chess, player, distribution="chess")):
        config = toy_model.config.model_copy(update={"model_type": "toy-chess"})
        assert task_of(config, get_registry(), "AdderModel") == player


def test_two_tasks_prefer_the_head(folder: Path) -> None:
    second = Task(name="second", pipeline="nowhere:Nothing", heads=("base",))
    with (
        use_registry(get_registry().extended(second, distribution="more-tasks")),
        pytest.raises(UnknownName, match="add, second of the installed tasks run it"),
    ):
        pipeline(model=folder)


def test_the_task_does_not_follow(folder: Path) -> None:
    config = folder / "config.json"
    config.write_text(config.read_text().replace("AdderModel", "AdderForChess"))
    with pytest.raises(
        ConfigError, match="task does not follow from the model: AdderForChess is no head of 'toy-adder'"
    ):
        pipeline(model=folder)


def test_an_unknown_task(folder: Path) -> None:
    with pytest.raises(UnknownName, match="addd"):
        pipeline("addd", model=folder)


def test_a_family_without_the_head(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"'spell' runs causal-lm; 'toy-adder' has base"):
        pipeline("spell", model=folder)


def test_no_model() -> None:
    with pytest.raises(ParameterError, match="needs a model"):
        pipeline("add")
    with pytest.raises(ParameterError, match="model is a int"):
        pipeline("add", model=7)  # type: ignore[arg-type]


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        pipeline("add", model=tmp_path / "nowhere")


def test_a_part_that_cannot_be_had(toy_model: Any) -> None:
    with pytest.raises(ParameterError, match=r"'spell' needs a tokenizer.*pass tokenizer="):
        pipeline("spell", model=toy_model)


def test_words_from_other_libraries(folder: Path) -> None:
    assert pipeline("add", model=folder, torch_dtype="bfloat16", device="cpu").dtype == torch.bfloat16
    with pytest.warns(ModelryWarning, match="never from a checkpoint"):
        pipeline("add", model=folder, trust_remote_code=True)


def test_two_ways_to_say_where(folder: Path) -> None:
    with pytest.raises(ParameterError, match="exclude each other"):
        pipeline("add", model=folder, device="cpu", device_map="auto")


def test_an_unknown_argument(folder: Path) -> None:
    with pytest.raises(ParameterError, match="'add' has no parameter 'devise'"):
        pipeline("add", model=folder, devise="cpu")
