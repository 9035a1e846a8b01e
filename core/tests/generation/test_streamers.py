"""Streamers show whole characters, each token once, and pass errors on to who reads."""

import asyncio
import queue
import threading

import pytest
import torch

from modelry.errors import GenerationError
from modelry.generation import AsyncTextIteratorStreamer, TextIteratorStreamer, TextStreamer
from modelry.preprocessing.detokenizer import Detokenizer

TEXT = "Grüße, 世界! 👩‍🚀\nx"


def put_all(streamer, text, prompt="Hé"):
    streamer.put(torch.tensor([list(prompt.encode())]))
    for byte in text.encode():
        streamer.put(torch.tensor([byte]))
    streamer.end()


def test_text_is_printed_in_whole_characters(byte_tokenizer, capsys):
    put_all(TextStreamer(byte_tokenizer), TEXT)
    assert capsys.readouterr().out == "Hé" + TEXT + "\n"


def test_the_prompt_can_be_left_out_again_and_again(byte_tokenizer, capsys):
    streamer = TextStreamer(byte_tokenizer, skip_prompt=True)
    put_all(streamer, "one")
    put_all(streamer, "two")
    assert capsys.readouterr().out == "one\ntwo\n"


def test_no_piece_holds_half_a_character(byte_tokenizer):
    streamer = TextIteratorStreamer(byte_tokenizer, skip_prompt=True)
    put_all(streamer, TEXT)
    pieces = list(streamer)
    assert "".join(pieces) == TEXT
    assert len(pieces) == len(TEXT)


def test_what_never_becomes_a_character_is_shown_at_the_end(byte_tokenizer):
    streamer = TextIteratorStreamer(byte_tokenizer, skip_prompt=True)
    streamer.put(torch.tensor([[65]]))
    streamer.put(torch.tensor([0xE2]))
    streamer.end()
    assert list(streamer) == ["\N{REPLACEMENT CHARACTER}"]


def test_options_reach_the_tokenizer(byte_tokenizer):
    for skip, shown in ((True, "a"), (False, "a<end>")):
        streamer = TextIteratorStreamer(byte_tokenizer, skip_prompt=True, skip_special_tokens=skip)
        streamer.put(torch.tensor([[65]]))
        for token in (97, 256):
            streamer.put(torch.tensor([token]))
        streamer.end()
        assert "".join(streamer) == shown


def test_several_rows_are_refused(byte_tokenizer):
    with pytest.raises(GenerationError, match="2 rows"):
        TextStreamer(byte_tokenizer).put(torch.zeros(2, 3, dtype=torch.long))


def test_waiting_has_an_end(byte_tokenizer):
    with pytest.raises(queue.Empty):
        next(TextIteratorStreamer(byte_tokenizer, timeout=0.01))


def test_an_error_of_the_worker_is_raised_behind_the_text(byte_tokenizer):
    streamer = TextIteratorStreamer(byte_tokenizer, timeout=5)

    def work():
        streamer.put(torch.tensor([[97]]))
        streamer.fail(RuntimeError("out of memory"))

    thread = threading.Thread(target=work)
    thread.start()
    pieces = []
    with pytest.raises(RuntimeError, match="out of memory"):
        pieces.extend(iter(streamer.__next__, None))
    thread.join()


def test_async_text(byte_tokenizer):
    async def read():
        streamer = AsyncTextIteratorStreamer(byte_tokenizer, skip_prompt=True, timeout=5)
        thread = threading.Thread(target=put_all, args=(streamer, TEXT))
        thread.start()
        pieces = [piece async for piece in streamer]
        thread.join()
        return pieces

    assert "".join(asyncio.run(read())) == TEXT


def test_async_errors_and_waiting(byte_tokenizer):
    async def fail():
        streamer = AsyncTextIteratorStreamer(byte_tokenizer, timeout=5)
        threading.Thread(target=streamer.fail, args=(RuntimeError("broken"),)).start()
        return await anext(streamer)

    async def wait():
        return await anext(AsyncTextIteratorStreamer(byte_tokenizer, timeout=0.01))

    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(fail())
    with pytest.raises(TimeoutError):
        asyncio.run(wait())


def test_the_work_for_a_token_does_not_grow(byte_tokenizer):
    class Counting:
        longest = 0

        def decode(self, ids, **options):
            self.longest = max(self.longest, len(ids))
            return byte_tokenizer.decode(ids)

    tokenizer = Counting()
    text = Detokenizer(tokenizer)
    assert "".join(text.push([97]) for _ in range(500)) == "a" * 500
    assert tokenizer.longest < 20
