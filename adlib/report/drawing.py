"""Drawing on paper that is light or dark: Matplotlib to SVG whose colours are CSS variables."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from adlib.report.wording import compact

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (4.8, 2.85)
"""Inches: at 72 points an inch about as wide as a phone, so that nine points can be read there."""
INK, MUTED, GRID = "#010101", "#020202", "#030303"
ORDINARY, FLAG, ACCENT = "#040404", "#050505", "#060606"
SEVERITY_COLOURS = {"low": "#070707", "medium": "#080808", "high": "#090909", "critical": "#0b0b0b"}
_VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    ORDINARY: "ordinary",
    FLAG: "flag",
    ACCENT: "accent",
    **{colour: severity for severity, colour in SEVERITY_COLOURS.items()},
}
POINT_ORDINARY, POINT_FLAG = "#8093ac", "#e5484d"
"""Of points, which are pixels: they have to do on light and on dark paper."""
_STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9.0,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3.0,
    "ytick.major.size": 0.0,
    "ytick.minor.size": 0.0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "savefig.dpi": 144,
}
_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


@dataclass(frozen=True)
class Key:
    """An entry of a legend."""

    colour: str
    """The name of the page's colour."""
    text: str
    shape: str = "box"
    """box, line or dot."""


@dataclass(frozen=True)
class Plot:
    """A drawing and its text alternative."""

    svg: Markup
    label: str
    """What it shows, in numbers."""
    keys: Sequence[Key] = ()


def draw(
    name: str, on: Callable[[Axes], Any], label: str, keys: Sequence[Key] = (), height: float = 1.0
) -> Plot:
    """Draw on one pair of axes; `name` keeps what an SVG refers to apart from other drawings."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({**_STYLE, "svg.hashsalt": name}), _foreign_glyphs():
        figure = Figure(figsize=(SIZE[0], SIZE[1] * height), layout="constrained")
        on(figure.subplots())
        out = StringIO()
        figure.savefig(out, format="svg", metadata=_METADATA)
    return Plot(_as_markup(out.getvalue()), label, keys)


def compact_ticks(axis: Any) -> None:
    """Write the ticks of an axis short, and none between them."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    axis.set_minor_formatter(NullFormatter())


@contextmanager
def _foreign_glyphs() -> Iterator[None]:
    """Let text be of any script: the browser has the glyphs, Matplotlib only measures them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield


def _as_markup(svg: str) -> Markup:
    """Take the drawing out of its document; colours become variables, fonts the page's."""
    drawing = svg[svg.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r"<style.*?</style>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'<g id="[^"]*"', "<g", drawing)
    drawing = re.sub(r"<!--.*?-->\s*", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'(<svg [^>]*?) width="[^"]*pt"', r"\1", drawing)
    drawing = re.sub(r'(<svg [^>]*?) height="[^"]*pt"', r"\1", drawing)
    drawing = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", drawing)
    for colour, variable in _VARIABLES.items():
        drawing = drawing.replace(colour, f"var(--{variable})")
    return Markup(drawing.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1))  # noqa: S704
