"""The heads: what users name, and the head name by which a plugin declares its class for it."""

from modelry.auto_model import AutoModel

__all__ = [
    "AutoBackbone",
    "AutoModelForAudioClassification",
    "AutoModelForAudioFrameClassification",
    "AutoModelForAudioTokenization",
    "AutoModelForAudioXVector",
    "AutoModelForCTC",
    "AutoModelForCausalLM",
    "AutoModelForDepthEstimation",
    "AutoModelForDocumentQuestionAnswering",
    "AutoModelForImageClassification",
    "AutoModelForImageSegmentation",
    "AutoModelForImageTextToText",
    "AutoModelForImageToImage",
    "AutoModelForInstanceSegmentation",
    "AutoModelForKeypointDetection",
    "AutoModelForKeypointMatching",
    "AutoModelForMaskGeneration",
    "AutoModelForMaskedImageModeling",
    "AutoModelForMaskedLM",
    "AutoModelForMultimodalLM",
    "AutoModelForMultipleChoice",
    "AutoModelForNextSentencePrediction",
    "AutoModelForObjectDetection",
    "AutoModelForPreTraining",
    "AutoModelForQuestionAnswering",
    "AutoModelForSemanticSegmentation",
    "AutoModelForSeq2SeqLM",
    "AutoModelForSequenceClassification",
    "AutoModelForSpeechSeq2Seq",
    "AutoModelForTableQuestionAnswering",
    "AutoModelForTextEncoding",
    "AutoModelForTextToSpectrogram",
    "AutoModelForTextToWaveform",
    "AutoModelForTimeSeriesPrediction",
    "AutoModelForTokenClassification",
    "AutoModelForUniversalSegmentation",
    "AutoModelForVideoClassification",
    "AutoModelForVisualQuestionAnswering",
    "AutoModelForZeroShotImageClassification",
    "AutoModelForZeroShotObjectDetection",
]


class AutoModelForPreTraining(AutoModel, head="pretraining"):
    """The heads a family was pretrained with."""


class AutoModelForCausalLM(AutoModel, head="causal-lm"):
    """The next token of a text."""


class AutoModelForMaskedLM(AutoModel, head="masked-lm"):
    """The tokens under the masks."""


class AutoModelForSeq2SeqLM(AutoModel, head="seq2seq-lm"):
    """A text from a text, with an encoder and a decoder."""


class AutoModelForSequenceClassification(AutoModel, head="sequence-classification"):
    """A class, or a number, for a text."""


class AutoModelForTokenClassification(AutoModel, head="token-classification"):
    """A class for each token."""


class AutoModelForQuestionAnswering(AutoModel, head="question-answering"):
    """Where in a text the answer begins and ends."""


class AutoModelForMultipleChoice(AutoModel, head="multiple-choice"):
    """Which of several continuations is right."""


class AutoModelForNextSentencePrediction(AutoModel, head="next-sentence-prediction"):
    """Whether one sentence follows another."""


class AutoModelForTextEncoding(AutoModel, head="text-encoding"):
    """The encoder of a text model alone."""


class AutoModelForTableQuestionAnswering(AutoModel, head="table-question-answering"):
    """Which cells of a table answer a question."""


class AutoModelForDocumentQuestionAnswering(AutoModel, head="document-question-answering"):
    """Where on a page the answer is."""


class AutoModelForVisualQuestionAnswering(AutoModel, head="visual-question-answering"):
    """The answer to a question about an image."""


class AutoModelForImageTextToText(AutoModel, head="image-text-to-text"):
    """A text from images and text."""


class AutoModelForMultimodalLM(AutoModel, head="multimodal-lm"):
    """A text from any mixture of inputs."""


class AutoModelForImageClassification(AutoModel, head="image-classification"):
    """A class for an image."""


class AutoModelForZeroShotImageClassification(AutoModel, head="zero-shot-image-classification"):
    """Which of some texts fits an image."""


class AutoModelForImageSegmentation(AutoModel, head="image-segmentation"):
    """A class and an object for each pixel."""


class AutoModelForSemanticSegmentation(AutoModel, head="semantic-segmentation"):
    """A class for each pixel."""


class AutoModelForInstanceSegmentation(AutoModel, head="instance-segmentation"):
    """A mask for each object."""


class AutoModelForUniversalSegmentation(AutoModel, head="universal-segmentation"):
    """Semantic, instance or panoptic masks, as asked."""


class AutoModelForObjectDetection(AutoModel, head="object-detection"):
    """A box and a class for each object."""


class AutoModelForZeroShotObjectDetection(AutoModel, head="zero-shot-object-detection"):
    """A box for each object that some texts name."""


class AutoModelForDepthEstimation(AutoModel, head="depth-estimation"):
    """The distance of each pixel."""


class AutoModelForKeypointDetection(AutoModel, head="keypoint-detection"):
    """Points of interest in an image."""


class AutoModelForKeypointMatching(AutoModel, head="keypoint-matching"):
    """The same points in two images."""


class AutoModelForMaskedImageModeling(AutoModel, head="masked-image-modeling"):
    """The patches under the masks."""


class AutoModelForMaskGeneration(AutoModel, head="mask-generation"):
    """Masks for points and boxes."""


class AutoModelForImageToImage(AutoModel, head="image-to-image"):
    """An image from an image."""


class AutoModelForVideoClassification(AutoModel, head="video-classification"):
    """A class for a video."""


class AutoModelForAudioClassification(AutoModel, head="audio-classification"):
    """A class for a sound."""


class AutoModelForAudioFrameClassification(AutoModel, head="audio-frame-classification"):
    """A class for each frame of a sound."""


class AutoModelForAudioXVector(AutoModel, head="audio-xvector"):
    """A vector that tells speakers apart."""


class AutoModelForAudioTokenization(AutoModel, head="audio-tokenization"):
    """Sound to discrete codes and back."""


class AutoModelForCTC(AutoModel, head="ctc"):
    """Text from speech, frame by frame."""


class AutoModelForSpeechSeq2Seq(AutoModel, head="speech-seq2seq"):
    """Text from speech, with an encoder and a decoder."""


class AutoModelForTextToSpectrogram(AutoModel, head="text-to-spectrogram"):
    """A spectrogram from text."""


class AutoModelForTextToWaveform(AutoModel, head="text-to-waveform"):
    """Sound from text."""


class AutoModelForTimeSeriesPrediction(AutoModel, head="time-series-prediction"):
    """How a series of numbers goes on."""


class AutoBackbone(AutoModel, head="backbone"):
    """Feature maps of an image model, for detection and segmentation."""
