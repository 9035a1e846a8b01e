"""Tasks from raw input to answer: the `Pipeline` that a task subclasses, and `pipeline()`, which makes one.

The room is not called pipeline.py, because a module of that name would hide the function `modelry.pipeline`.
"""

from modelry.pipelines.building import pipeline
from modelry.pipelines.inputs import KeyDataset
from modelry.pipelines.parameters import TaskParameters
from modelry.pipelines.stages import Pipeline, plain
from modelry.pipelines.texts import TextParameters

__all__ = ["KeyDataset", "Pipeline", "TaskParameters", "TextParameters", "pipeline", "plain"]
