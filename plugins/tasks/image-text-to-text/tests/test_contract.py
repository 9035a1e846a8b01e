"""Image-text-to-text keeps the contract of tasks."""

from pathlib import Path
from typing import ClassVar

from modelry_testing import TaskContract
from modelry_testing.toys.pictures import picture
from modelry_testing.toys.seeing_models import save_seeing_model


class TestImageTextToText(TaskContract):
    name = "image-text-to-text"
    items: ClassVar = [
        {"images": picture(20, 30), "text": "<image>what"},
        [{"role": "user", "content": [{"type": "image", "image": picture(9, 40, 1)}, {"type": "text", "text": "who"}]}],
        {"images": [picture(8, 8, 2), picture(30, 9, 3)], "text": "<image> or <image>, which of them?"},
    ]
    parameters: ClassVar = {"max_new_tokens": 5, "do_sample": False}
    bad_item = "no-such-file.png"
    impossible: ClassVar = ({"top_p": 7}, {"max_new_tokens": -1}, {"return_full_text": "perhaps"}, {"timeout": 0})

    def model_folder(self, folder: Path) -> Path:
        return save_seeing_model(folder)
