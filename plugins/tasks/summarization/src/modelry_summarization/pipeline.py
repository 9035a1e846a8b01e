"""Texts in, their summaries out."""

from modelry.pipelines.text_to_text import TextToTextParameters, TextToTextPipeline


class SummarizationPipeline(TextToTextPipeline[TextToTextParameters]):
    """Say what a text says, in fewer words: `[{"summary_text": …}]`.

    Beams, lengths and a prefix come from the checkpoint's generation_config.json or its `task_specific_params`.
    """

    answer_name = "summary"
