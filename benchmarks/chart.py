"""A bar chart as SVG, readable on light and on dark pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

_WIDTH: Final = 760
_LABELS: Final = 190
_VALUES: Final = 80
_TOP: Final = 44
_STEP: Final = 30
_BAR: Final = 20
# An image in a page sees no style of the page, so it brings both; the background is left out.
_STYLE: Final = """
  text { font: 14px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 }
  .bar { fill: #8c959f }
  .ours { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .bar { fill: #6e7681 }
    .ours { fill: #4493f8 }
  }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    value: float
    ours: bool = False


def bar_chart(title: str, bars: Sequence[Bar]) -> str:
    """Horizontal bars from zero, the values beside them; they must not be negative, and one must be positive."""
    height = _TOP + _STEP * len(bars)
    scale = (_WIDTH - _LABELS - _VALUES) / max(bar.value for bar in bars)
    rows = [_row(bar, _TOP + _STEP * number, scale) for number, bar in enumerate(bars)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            f'<text class="title" x="0" y="20">{escape(title)}</text>',
            *rows,
            "</svg>\n",
        ]
    )


def _row(bar: Bar, top: int, scale: float) -> str:
    length = round(bar.value * scale, 1)
    kind = "bar ours" if bar.ours else "bar"
    baseline = top + _BAR - 5
    return (
        f'<text x="{_LABELS - 8}" y="{baseline}" text-anchor="end">{escape(bar.label)}</text>'
        f'<rect class="{kind}" x="{_LABELS}" y="{top}" width="{length}" height="{_BAR}" rx="2"/>'
        f'<text x="{_LABELS + length + 6:.1f}" y="{baseline}">{bar.value:,.0f}</text>'
    )
