"""Scores of labels, held against transformers' pipeline on the same folder; texts once for many images; bad input."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import transformers
from PIL import Image

from modelry import Pipeline
from modelry.errors import ConfigError, ParameterError, PipelineError

Make = Callable[..., Pipeline[Any]]
LABELS = ["rain", "the sea", "a tin roof", "who is by the inn"]


def photo(seed: int = 1) -> Image.Image:
    """Noise, not square."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (30, 20, 3), dtype=np.uint8))


def close(found: Any, expected: Any) -> None:
    assert [one["label"] for one in found] == [one["label"] for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=1e-5)


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_as_transformers_has_it(make: Make, family: str) -> None:
    ours = make(family)
    folder = str(ours.source.folder)  # type: ignore[union-attr]  # made from one
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs: Any = transformers.pipeline(
            "zero-shot-image-classification",
            model=folder,
            tokenizer=transformers.PreTrainedTokenizerFast.from_pretrained(folder),
            device="cpu",
        )
        rows: tuple[dict[str, Any], ...] = ({}, {"hypothesis_template": "{}, then rain"})
        for options in rows:
            one, other = photo(1), photo(2)
            close(
                ours(one, candidate_labels=LABELS, **options),
                theirs(one, candidate_labels=LABELS, **options),
            )
            found = ours([one, other, one], candidate_labels=LABELS, batch_size=2, **options)
            for answer, image in zip(found, (one, other, one), strict=True):
                close(answer, theirs(image, candidate_labels=LABELS, **options))


def test_the_names_of_arguments(make: Make) -> None:
    classify, image = make("clip"), photo()
    expected = classify(image, candidate_labels=LABELS)
    assert classify(image, LABELS) == classify(image=image, candidate_labels=LABELS) == expected
    assert classify(inputs=image, candidate_labels=LABELS) == expected
    with pytest.raises(ParameterError, match="image= and inputs= are two names of one thing"):
        classify(image, LABELS, inputs=image)


def test_texts_are_computed_once_for_many_images(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    classify = make("clip", candidate_labels=LABELS)
    calls: list[int] = []
    read: Any = classify.model.get_text_features

    def counted(**given: Any) -> Any:
        calls.append(1)
        return read(**given)

    monkeypatch.setattr(classify.model, "get_text_features", counted)
    first = classify([photo(seed) for seed in range(5)], batch_size=2)
    assert len(calls) == 1
    again = list(classify(photo(seed) for seed in range(5)))
    assert len(calls) == 2  # another call, another time: the model may have been trained between them
    for one, other in zip(first, again, strict=True):
        close(one, other)


def test_more_labels_than_are_read_at_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    classify = make("clip")
    whole = classify(photo(), candidate_labels=LABELS)
    monkeypatch.setattr("modelry_zero_shot_image_classification.pipeline.TEXTS_AT_ONCE", 3)
    close(classify(photo(), candidate_labels=LABELS), whole)


def test_scores_exclude_each_other_or_do_not(make: Make) -> None:
    for family, together in (("clip", True), ("siglip", False)):
        classify = make(family)
        (alone,) = classify(photo(), candidate_labels=["rain"])
        several = classify(photo(), candidate_labels=LABELS)
        assert (sum(one["score"] for one in several) == pytest.approx(1.0)) == together
        (same,) = (one["score"] for one in several if one["label"] == "rain")
        assert (alone["score"] == pytest.approx(same)) == (not together)


def test_labels_as_one_text(make: Make) -> None:
    classify = make("clip")
    close(classify(photo(), candidate_labels="rain , the sea"), classify(photo(), candidate_labels=["rain", "the sea"]))
    lines = classify.display(classify(photo(), candidate_labels="rain, the sea")).splitlines()
    assert sorted(line.split(maxsplit=1)[1] for line in lines) == ["rain", "the sea"]


def test_a_label_with_braces(make: Make) -> None:
    (found,) = make("clip")(photo(), candidate_labels=["{rain}"])
    assert found["label"] == "{rain}"


def test_nothing_says_what_the_image_may_show(make: Make) -> None:
    with pytest.raises(PipelineError, match="give candidate_labels"):
        make("clip")(photo())


def test_a_text_that_is_too_long(make: Make) -> None:
    classify = make("clip")
    long = " ".join(["rain"] * 80)
    with pytest.raises(PipelineError, match="the model reads 64"):
        classify(photo(), candidate_labels=["the sea", long])
    cut = {"truncation": True, "max_length": 64}
    assert len(classify(photo(), candidate_labels=["the sea", long], tokenizer_kwargs=cut)) == 2
    assert len(make("siglip")(photo(), candidate_labels=["the sea", long])) == 2  # cut, as in training


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"picture": 1}, r"keys \['picture'\]"),
        (np.zeros((2, 8, 8, 3), dtype=np.uint8), "give a list"),
        (b"no image", "no image"),
        (np.zeros((0, 8, 3), dtype=np.uint8), "nothing to see"),
        ("http://127.0.0.1/photo.png", r"127\.0\.0\.1"),
    ],
)
def test_items_that_are_no_images(make: Make, item: Any, message: str) -> None:
    classify = make("clip", candidate_labels=LABELS)
    with pytest.raises(PipelineError, match=message):
        classify(item)
    found = classify([photo(), item, photo(2)], on_error="return", batch_size=3)
    assert isinstance(found[1], PipelineError)
    close(found[2], classify(photo(2)))


def test_templates_without_a_place_are_refused_at_once(make: Make) -> None:
    with pytest.raises(ParameterError, match="hypothesis_template"):
        make("clip", hypothesis_template="a photo")


def test_a_model_that_compares_nothing_is_refused(make: Make) -> None:
    classify = make("clip")
    one_side: Any = classify.model.vision_model
    with pytest.raises(ConfigError, match="CLIPVisionModel is no"):
        type(classify)(one_side, tokenizer=classify.tokenizer, image_processor=classify.image_processor)


def test_what_is_drawn(make: Make) -> None:
    classify = make("clip", candidate_labels=["a cat", "a dog"])
    drawn = classify.draw(photo(), classify(photo()))
    assert drawn.getpixel((0, 0)) == photo().getpixel((0, 0))
    assert drawn.height > 256
