"""The benchmark's network as a PyTorch module, as every rival scores with it."""

from __future__ import annotations

import torch
from torch import nn

from plain_network import PlainNetwork


class ScoringModule(nn.Module):
    """Rows of floats to scores."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, plain: PlainNetwork) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(plain.mean))
        self.register_buffer("deviation", torch.tensor(plain.deviation))
        layers: list[nn.Module] = []
        for weight, bias in zip(plain.weights, plain.biases, strict=True):
            linear = nn.Linear(weight.shape[1], weight.shape[0])
            linear.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
            layers += [linear, nn.ReLU()]
        self.network = nn.Sequential(*layers[:-1])

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the scores of rows, shape (rows, 30): shape (rows,)."""
        standard = (rows - self.mean) / self.deviation
        scores: torch.Tensor = (standard - self.network(standard)).square().mean(dim=1)
        return scores
