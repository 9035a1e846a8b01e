"""Our model inside a LightningModule: it is trained, kept in a checkpoint and read again without pickles of classes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from modelry import AutoModelForCausalLM

Make = Callable[..., Any]


class Taught(lightning.LightningModule):  # type: ignore[misc]  # lightning's classes are read as Any
    """A language model that learns its own rows."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def training_step(self, batch: Any, number: int) -> torch.Tensor:
        loss: torch.Tensor = self.model(**batch).loss
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=1e-2)


@pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_fit_checkpoint_and_reload(tiny: Make, tmp_path: Path) -> None:
    rows = [{"input_ids": row, "labels": row} for row in torch.randint(0, 96, (8, 7))]
    loader = torch.utils.data.DataLoader(rows, batch_size=4)
    keeper = ModelCheckpoint(tmp_path, monitor="loss")
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=4,
        callbacks=[keeper],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    taught = Taught(tiny("ForCausalLM", "llama"))
    before = taught.model(**next(iter(loader))).loss.item()
    taught.train()  # Lightning leaves modules in the mode they come in, and ours come for use
    trainer.fit(taught, loader)
    assert trainer.callback_metrics["loss"] < before / 2
    again = Taught.load_from_checkpoint(keeper.best_model_path, model=tiny("ForCausalLM", "llama"), weights_only=True)
    assert all(map(torch.equal, taught.state_dict().values(), again.state_dict().values()))
    again.model.save_pretrained(tmp_path / "model")
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert torch.equal(found.lm_head.weight, taught.model.lm_head.weight)


@pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_the_document(documented: Callable[..., Any], checkpoint: Path) -> None:
    assert documented("Lightning", checkpoint)["trainer"].global_step == 2
