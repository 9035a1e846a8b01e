"""What both generations lay out is what their functions, as documented, need: the contract over stand-ins."""

from dataclasses import replace
from typing import ClassVar

import pytest
import torch

from modelry.nn.attention import Attend
from modelry_flash_attention_2.attending import FlashAttention, flash_attention_2, flash_attention_3
from modelry_flash_attention_2.kernel import Kernel
from modelry_testing import AttentionContract

DTYPES = (torch.float32, torch.bfloat16)


@pytest.mark.usefixtures("stand_in")
class TestFlashAttention2(AttentionContract):
    name = "flash_attention_2"
    kernel: ClassVar[Kernel] = replace(flash_attention_2.kernel, devices=("cpu",), dtypes=DTYPES)

    def attend(self) -> Attend:
        return FlashAttention(self.kernel)


@pytest.mark.usefixtures("stand_in")
class TestFlashAttention3(AttentionContract):
    name = "flash_attention_3"
    kernel: ClassVar[Kernel] = replace(flash_attention_3.kernel, devices=("cpu",), dtypes=DTYPES)

    def attend(self) -> Attend:
        return FlashAttention(self.kernel)
