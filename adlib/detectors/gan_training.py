"""Training of the adversarial pair with PyTorch, one thread, the same for one seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from adlib.arrays import FeatureMatrix, Floats, Loss
from adlib.detectors.classes import ValueClasses
from adlib.detectors.gan import SLOPE
from adlib.detectors.network_training import (
    BlockLosses,
    all_rows,
    as_array,
    layers_of,
    refuse_failed_fit,
    reproducible,
    usual_values,
)

if TYPE_CHECKING:
    from adlib.detectors.base import Progress
    from adlib.detectors.gan import GanSettings

_LOOKS = 20
_LOOKED_AT = 1024
_ADVERSARIAL = 0.1
"""What deceiving the critic counts beside rebuilding rows."""


@dataclass(frozen=True)
class TrainedGan:
    """Weights and biases of the networks, and the error of what was rebuilt at last."""

    encoder: tuple[tuple[Floats, ...], tuple[Floats, ...]]
    generator: tuple[tuple[Floats, ...], tuple[Floats, ...]]
    critic_of_rows: Floats
    critic_of_codes: Floats
    loss: float


def train_gan(
    features: FeatureMatrix,
    classes: ValueClasses,
    settings: GanSettings,
    *,
    seed: int,
    progress: Progress | None,
) -> TrainedGan:
    """Train encoder, generator and critic in turns.

    Raises:
        ModelError: if the error of what is rebuilt becomes infinite or does not fall.
    """
    rows = all_rows(features, classes.classes(features)).wanted
    with reproducible(seed):
        networks = Adversaries(classes, settings)
        usual = usual_values(rows, networks.layout)
        networks.start_from(usual)
        looked_at = rows[torch.randperm(len(rows))[:_LOOKED_AT]]
        constant = float(networks.error(looked_at, usual.expand_as(looked_at)))
        first = networks.look(looked_at)
        _train(networks, rows, settings, progress)
        last = networks.look(looked_at)
    refuse_failed_fit(first, last, constant)
    return networks.as_arrays(last)


class Adversaries(nn.Module):
    """An encoder, a generator and a critic of pairs of a row and a code."""

    def __init__(self, classes: ValueClasses, settings: GanSettings) -> None:
        super().__init__()
        self.layout = classes.output_layout
        hidden, codes, width = settings.hidden, settings.codes, self.layout.width
        self.codes = codes
        self.trim_fraction = settings.trim_fraction
        self.block_losses = BlockLosses(self.layout)
        self.block_weights = torch.from_numpy(classes.weights * ~self.layout.marks)
        self.encoder = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, codes))
        self.generator = nn.Sequential(
            nn.Linear(codes, hidden), nn.ReLU(), nn.Linear(hidden, width)
        )
        self.features = nn.Linear(width + codes, hidden)
        self.verdict = nn.Linear(hidden, 1)
        for bounded in (self.features, self.verdict):
            spectral_norm(bounded)

    @torch.no_grad()
    def start_from(self, usual: Tensor) -> None:
        """Let the generator begin at the usual values."""
        self.generator.get_parameter("2.bias").copy_(usual)

    def made(self, codes: Tensor) -> Tensor:
        """Return made rows, with shares in place of logits: shape (rows, layout.width)."""
        return self.as_row(self.generator(codes))

    def as_row(self, outputs: Tensor) -> Tensor:
        """Turn logits among outputs into the shares that a row would hold."""
        parts = []
        for block in self.layout.blocks:
            part = outputs[:, block.span]
            if block.loss is Loss.BINARY:
                part = part.sigmoid()
            elif block.loss is Loss.CATEGORY:
                part = part.softmax(dim=-1)
            parts.append(part)
        return torch.cat(parts, dim=1)

    def hidden(self, rows: Tensor, codes: Tensor) -> Tensor:
        """Return what the critic's hidden units say: shape (rows, hidden)."""
        seen: Tensor = functional.leaky_relu(self.features(torch.cat([rows, codes], 1)), SLOPE)
        return seen

    def believed(self, rows: Tensor, codes: Tensor) -> Tensor:
        """Return the critic's verdict, high for pairs that it takes for real: shape (rows, 1)."""
        verdict: Tensor = self.verdict(self.hidden(rows, codes))
        return verdict

    def forward(self, rows: Tensor) -> Tensor:
        """Return what is made of the rows' codes, logits of booleans and categories."""
        outputs: Tensor = self.generator(self.encoder(rows))
        return outputs

    def errors(self, rows: Tensor, outputs: Tensor) -> Tensor:
        """Return the error of each rebuilt row: shape (rows,)."""
        return (self.block_losses(rows, outputs) * self.block_weights).sum(dim=-1)

    def error(self, rows: Tensor, outputs: Tensor) -> Tensor:
        """Return the mean error of rebuilt rows, the worst left out."""
        each = self.errors(rows, outputs)
        kept = max(1, round(len(each) * (1.0 - self.trim_fraction)))
        return each.topk(kept, largest=False, sorted=False).values.mean()

    @torch.no_grad()
    def look(self, rows: Tensor) -> float:
        """Measure the state by the error of rebuilt rows."""
        return float(self.error(rows, self(rows)))

    @torch.no_grad()
    def as_arrays(self, loss: float) -> TrainedGan:
        """Return all weights."""
        self.eval()
        width = self.layout.width
        weight = self.features.weight
        critic = torch.cat([weight[:, :width], self.features.bias[:, None]], dim=1)
        return TrainedGan(
            layers_of(self.encoder),
            layers_of(self.generator),
            as_array(critic),
            as_array(weight[:, width:]),
            loss,
        )


def _train(
    networks: Adversaries, rows: Tensor, settings: GanSettings, progress: Progress | None
) -> None:
    """Train in turns, for all steps unless the error becomes infinite."""
    pair = [*networks.encoder.parameters(), *networks.generator.parameters()]
    critic = [*networks.features.parameters(), *networks.verdict.parameters()]
    ours = torch.optim.Adam(pair, lr=settings.learning_rate, betas=(0.5, 0.999))
    theirs = torch.optim.Adam(critic, lr=settings.learning_rate, betas=(0.5, 0.999))
    every = max(1, settings.steps // _LOOKS)
    for step in range(1, settings.steps + 1):
        batch = rows[torch.randint(len(rows), (settings.batch_rows,))]
        _descend(theirs, _critic_loss(networks, batch))
        error = networks.error(batch, networks(batch))
        _descend(ours, error + _ADVERSARIAL * _deceit(networks, batch))
        if step % every and step < settings.steps:
            continue
        if progress is not None:
            progress(step, settings.steps, float(error.detach()))
        if not torch.isfinite(error):
            break


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


def _critic_loss(networks: Adversaries, rows: Tensor) -> Tensor:
    """Return the hinge loss of telling real pairs from made ones."""
    with torch.no_grad():
        codes = torch.randn(len(rows), networks.codes)
        real = rows, networks.encoder(rows)
        made = networks.made(codes), codes
    doubt = functional.relu(1.0 - networks.believed(*real))
    belief = functional.relu(1.0 + networks.believed(*made))
    return (doubt + belief).mean()


def _deceit(networks: Adversaries, rows: Tensor) -> Tensor:
    """Return how far the critic tells real pairs from made ones."""
    codes = networks.encoder(rows)
    drawn = torch.randn_like(codes)
    deceit = networks.believed(rows, codes) - networks.believed(networks.made(drawn), drawn)
    return deceit.mean()
