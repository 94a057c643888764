"""Curves as SVG, the same file for the same figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.bench.growing import Growth, Point

__all__ = ["draw"]


def draw(growth: Growth, points: Sequence[Point], file: Path) -> None:
    """One panel under the other; every figure from zero, so that what is flat looks flat."""
    mpl.rcParams.update({"svg.hashsalt": "ndmpdup", "svg.fonttype": "none", "font.size": 9})
    figure = Figure(figsize=(7, 1 + 1.8 * len(growth.panels)), layout="constrained")
    axes = figure.subplots(len(growth.panels), sharex=True, squeeze=False)[:, 0]
    along = [point.x for point in points]
    for panel, axis in zip(growth.panels, axes, strict=True):
        for name in panel.names:
            axis.plot(along, [point.figures[name] for point in points], marker="o", markersize=3, label=name)
        if growth.logarithmic:
            axis.set_xscale("log")
        axis.set_ylim(bottom=0)
        axis.set_ylabel(panel.unit)
        axis.grid(visible=True, alpha=0.3)
        axis.legend(fontsize=7, frameon=False)
    axes[0].set_title(growth.title)
    axes[-1].set_xlabel(growth.along)
    figure.savefig(file, format="svg", metadata={"Date": None})
