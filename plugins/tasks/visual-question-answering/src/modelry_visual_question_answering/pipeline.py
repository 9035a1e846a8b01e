"""Questions about images in, answers out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from modelry.errors import ParameterError, PreprocessorError
from modelry.pipelines import TaskParameters
from modelry.pipelines.image_text import ImageTextPipeline
from modelry.pipelines.seen_prompts import SeenPrompt, question_about, read_seen_prompt
from modelry_visual_question_answering.parameters import VisualQuestionAnsweringParameters


class VisualQuestionAnsweringPipeline(ImageTextPipeline[VisualQuestionAnsweringParameters]):
    """Answer questions about images.

    `{"image": …, "question": …}`, or `image=` and `question=`, is answered by `[{"answer": …}]`, with `top_k` by so
    many. A model that has a chat template is asked in a chat, another in a text behind its placeholders; one of an
    image encoder and a decoder begins its answer with the question.
    """

    parameters_class: ClassVar[type[TaskParameters]] = VisualQuestionAnsweringParameters

    def __call__(self, inputs: Any = None, question: Any = None, *, image: Any = None, **options: Any) -> Any:
        """As every pipeline.

        Args:
            inputs: an item or many; beside `question` the image, or images.
            image: the same by its other name: an image, a list of images or anything with a length.
            question: one, or a list. Of several images and questions, each question is asked about each image: first
                all images with the first question.
            options: batch_size, on_error, progress, and the task's parameters.

        Raises:
            PipelineError: names the item that failed; its cause says why.
            ParameterError: a keyword is not the task's, or there is nothing to ask about.
        """
        if inputs is not None and image is not None:
            raise ParameterError("the image is given twice: as the first argument and by name")
        image = inputs if image is None else image
        if question is None:
            return super().__call__(image, **options)
        if image is None:
            raise ParameterError("a question is given and no image: pass image=")
        one = super().is_item(image)
        several = isinstance(question, list | tuple)
        if one and not several:
            return super().__call__({"image": image, "question": question}, **options)
        images: Sequence[Any] = [image] if one else image
        questions = question if several else [question]
        rows = [{"image": seen, "question": asked} for asked in questions for seen in images]
        return super().__call__(rows, **options)

    def asked(self, item: Any, parameters: VisualQuestionAnsweringParameters) -> SeenPrompt:
        prompt = read_seen_prompt(item)
        if prompt.chat is not None:
            raise PreprocessorError("a question about an image is needed, found a chat: that is image-text-to-text")
        if prompt.text is None:
            raise PreprocessorError("a question is needed beside the image: {'image': …, 'question': …}")
        if not prompt.images and not prompt.videos:
            raise PreprocessorError("an image is needed beside the question: {'image': …, 'question': …}")
        if self.model.config.is_encoder_decoder:
            return prompt
        return question_about(self._processor, prompt.text, prompt.images, prompt.videos)

    def stream(self, item: Any, **parameters: Any) -> Iterator[str]:
        """As of every task that goes on with a prompt; several answers come in one part."""
        if self.parameters(**parameters).top_k > 1:
            return (self.display(self(one, **parameters)) for one in (item,))
        return super().stream(item, **parameters)

    def postprocess(
        self, output: dict[str, Any], parameters: VisualQuestionAnsweringParameters
    ) -> list[dict[str, Any]]:
        alone = parameters.model_copy(update={"return_full_text": False})
        return super().postprocess(output, alone)

    def entry(self, told: Mapping[str, Any], generated: dict[str, Any]) -> dict[str, Any]:
        if "generated_text" in generated:
            return {"answer": generated["generated_text"].strip()}
        return {"answer_token_ids": generated["generated_token_ids"]}

    def display(self, answer: Any) -> str:
        return "\n".join(str(next(iter(one.values()))) for one in answer)
