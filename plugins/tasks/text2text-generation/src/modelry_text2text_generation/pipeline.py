"""Texts in, texts out, by whatever an encoder-decoder was trained to do."""

from modelry.pipelines.text_to_text import TextToTextParameters, TextToTextPipeline


class Text2TextGenerationPipeline(TextToTextPipeline[TextToTextParameters]):
    """Answer a text: `[{"generated_text": …}]`. What is to be done stands in the text ("question: … context: …")."""

    answer_name = "generated"
