"""The gate of promotion: a new model is held against the promoted one, on the same rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from adlib.artifacts import StoredModel, unpack
from adlib.errors import InputError, ModelError
from adlib.model import Model
from adlib.selftest import MODEL, USUAL_SHARE, SelfTest, alert_share, sit

_LEAST_LOSS = 0.05
"""The found share may fall by so much."""
_MOST_ALERTS = 3.0
"""The alert volume may rise to so many times what it was, or what was asked for."""


@dataclass(frozen=True)
class Figures:
    """What two models did in one exam: found at one budget, alerts by their own thresholds."""

    found: float
    promoted_found: float
    alert_share: float
    promoted_alert_share: float
    asked_fraction: float | None

    @property
    def most_alerts(self) -> float:
        """The share of ordinary rows that the new model may flag."""
        usual = max(self.promoted_alert_share, self.asked_fraction or 0.0, USUAL_SHARE)
        return min(1.0, _MOST_ALERTS * usual)

    def verdict(self) -> Verdict:
        """Say whether the new model passes, and why not."""
        problems = []
        if self.found < self.promoted_found - _LEAST_LOSS:
            problems.append(
                f"it finds {self.found:.1%} of the planted anomalies, the promoted model "
                f"{self.promoted_found:.1%}"
            )
        if self.alert_share > self.most_alerts:
            problems.append(
                f"it flags {self.alert_share:.2%} of ordinary rows, the promoted model "
                f"{self.promoted_alert_share:.2%}, and {self.most_alerts:.2%} are allowed"
            )
        return Verdict(not problems, "; ".join(problems) or "no worse than the promoted model")


@dataclass(frozen=True)
class Verdict:
    """Whether a model may be promoted, and why."""

    passed: bool
    why: str


def compare(
    model_id: str, model: Model, test: SelfTest | None, promoted: StoredModel
) -> dict[str, Any]:
    """Hold a new model, as its self-test found it, against the promoted one; plain JSON values.

    A promoted model that cannot be compared stands in nobody's way: the gate passes and says so.
    """
    if promoted.model_id == model_id:
        return _passed(promoted, "it is the promoted model")
    if test is None:
        return _passed(promoted, "nothing to compare models on was held out")
    try:
        figures = _figures(model, test, unpack(promoted))
    except (InputError, ModelError) as error:
        return _passed(promoted, f"the promoted model cannot be compared: {error}")
    return {"with": promoted.model_id, **asdict(figures), **asdict(figures.verdict())}


def _passed(promoted: StoredModel, why: str) -> dict[str, Any]:
    return {"with": promoted.model_id, **asdict(Verdict(passed=True, why=why))}


def _figures(model: Model, test: SelfTest, promoted: Model) -> Figures:
    sheet = sit(promoted, test.exam)
    return Figures(
        found=test.overall[MODEL],
        promoted_found=sheet.mean_found(test.exam.share),
        alert_share=alert_share(model, test.sheet.ordinary),
        promoted_alert_share=alert_share(promoted, sheet.ordinary),
        asked_fraction=model.threshold.asked_fraction,
    )
