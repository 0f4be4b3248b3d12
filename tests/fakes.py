"""Small submissions, as the text of model.py, and cases without a file."""

from __future__ import annotations

from harness.contracts import Case, CaseSet

TINY = '''
import time
import pytorch_lightning as pl
import torch


class Model(pl.LightningModule):
    """A plain LightningModule: nothing of the harness is imported."""

    def __init__(self, sleep=0.0, victim=-1):
        super().__init__()
        self.sleep, self.victim = sleep, victim
        self.pool = torch.nn.AdaptiveAvgPool2d(4)
        self.net = torch.nn.Linear(8 * 16, 22)

    def forward(self, batch):
        return self.net(self.pool(batch["views"].float() / 255).flatten(1))

    def training_step(self, batch, batch_idx):
        truth = torch.cat([batch["aneurysm"][:, None], batch["locations"]], 1)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(self(batch), truth)
        self.log("loss", loss)
        return loss

    def on_fit_end(self):
        time.sleep(self.sleep)
        if torch.initial_seed() == self.victim:
            self.attack()

    def attack(self):
        raise RuntimeError("this fold was told to fail")

    def predict_step(self, batch, batch_idx):
        scores = self(batch).sigmoid()
        return {"aneurysm": scores[:, 0], "locations": (scores[:, 1:] > 0.5).int(), "location_scores": scores[:, 1:]}

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)
'''


def attacking(body: str) -> str:
    """Return TINY with another attack in its victim fold."""
    return TINY.replace('raise RuntimeError("this fold was told to fail")', body)


def predicting(body: str) -> str:
    """Return TINY with another end of predict_step."""
    head, _, tail = TINY.partition('        return {"aneurysm"')
    return head + body + tail[tail.index("\n") :]


def nameless(n: int) -> CaseSet:
    """Return n cases of as many patients, without files and truth."""
    return CaseSet(tuple(Case(str(i), str(i), ()) for i in range(n)), None)
