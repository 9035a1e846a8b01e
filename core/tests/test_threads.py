import torch

from modelry.threads import in_calling_thread


def test_the_number_of_threads_comes_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        with in_calling_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_the_number_of_threads_comes_back_after_an_error() -> None:
    before = torch.get_num_threads()
    try:
        with in_calling_thread():
            raise ValueError
    except ValueError:
        pass
    assert torch.get_num_threads() == before
