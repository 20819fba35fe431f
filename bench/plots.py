"""The plots of the results, as SVG."""

from collections.abc import Mapping
from statistics import median
from typing import Any

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot

from bench.build import RESULTS
from bench.figures import figure as summary

COLORS = {"gatewatch": "#1f6feb", "twin": "#d29922", "limit": "#6e7781", "floor": "#2da44e"}


def draw(results: Mapping[str, Any]) -> None:
    """Draws what was measured in this run."""
    pyplot.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    # The same results give the same bytes.
    pyplot.rcParams["svg.hashsalt"] = "gatewatch"
    drawings = {"cold": cold, "warm": warm, "sweep": sweep, "rule": rule}
    for name, drawing in drawings.items():
        if name in results:
            figure = drawing(results[name])
            figure.tight_layout()
            figure.savefig(RESULTS / f"{name}.svg", metadata={"Date": None})
            pyplot.close(figure)


def cold(results: Mapping[str, Any]) -> Any:
    """A bar for each function: start to ready, and the first event."""
    figure, axes = pyplot.subplots(figsize=(8, 3.2))
    names = list(results)[::-1]
    init = [median(results[name]["init_ms"]) for name in names]
    first = [median(results[name]["first_ms"]) for name in names]
    axes.barh(names, init, color="#8b949e", label="start to ready")
    axes.barh(names, first, left=init, color=COLORS["gatewatch"], label="first event")
    for position, (before, after) in enumerate(zip(init, first, strict=True)):
        axes.text(before + after, position, f"  {before + after:.1f} ms", va="center")
    axes.set_xlim(right=1.25 * max(before + after for before, after in zip(init, first, strict=True)))
    axes.set_xlabel("ms")
    axes.set_title("Cold start: from the start of the process to the first answer")
    axes.legend(loc="upper right", frameon=False)
    return figure


def warm(results: Any) -> Any:
    """The time of each event over the latency."""
    events = list(dict.fromkeys(result["event"] for result in results))
    figure, all_axes = pyplot.subplots(1, len(events), figsize=(4 * len(events), 3.4), sharey=True)
    for event, axes in zip(events, all_axes, strict=True):
        for name in ("twin", "gatewatch"):
            found = [result for result in results if (result["event"], result["name"]) == (event, name)]
            latencies = [result["latency"] for result in found]
            figures = [summary(result["ms"]) for result in found]
            medians = [summarized.median for summarized in figures]
            spread = [
                [summarized.median - summarized.p10 for summarized in figures],
                [summarized.p90 - summarized.median for summarized in figures],
            ]
            axes.errorbar(latencies, medians, spread, fmt="o-", capsize=3, color=COLORS[name], label=name)
        limits = [result["limit_ms"] for result in found]
        axes.plot(latencies, limits, "--", color=COLORS["limit"], label="limit")
        axes.set_title(event.replace(", VPC", ",\nVPC"), fontsize=9)
        axes.set_xlabel("latency of each call, ms")
    all_axes[0].set_ylim(bottom=0)
    all_axes[0].set_ylabel("event to answer, ms")
    all_axes[0].legend(frameon=False)
    return figure


def sweep(results: Any) -> Any:
    """Time, calls and memory over the number of VPCs."""
    figure, all_axes = pyplot.subplots(1, 3, figsize=(12, 3.6))
    vpcs = [result["vpcs"] for result in results]
    quantities = (("ms", "time, s", 1000), ("calls", "calls", 1), ("peak_mb", "peak memory, MB", 1))
    for axes, (quantity, label, unit) in zip(all_axes, quantities, strict=True):
        for name in ("twin", "gatewatch"):
            medians = [median(result["samples"][name][quantity]) / unit for result in results]
            axes.plot(vpcs, medians, "o-", color=COLORS[name], label=name)
        if quantity == "ms":
            limits = [result["limit_ms"] / unit for result in results]
            axes.plot(vpcs, limits, "--", color=COLORS["limit"], label="limit")
            axes.set_yscale("log")
            axes.legend(frameon=False)
        if quantity == "peak_mb":
            axes.set_ylim(bottom=0)
        axes.set_xscale("log")
        axes.set_xlabel("VPCs")
        axes.set_ylabel(label)
    all_axes[1].set_title("Sweep of a Region")
    return figure


def rule(results: Any) -> Any:
    """The time of the rule and of the planner over the size."""
    names = list(dict.fromkeys(result["name"] for result in results))
    figure, all_axes = pyplot.subplots(1, len(names), figsize=(4.5 * len(names), 3.4), squeeze=False)
    for axes, name in zip(all_axes[0], names, strict=True):
        found = [result for result in results if result["name"] == name]
        sizes = [result["size"] for result in found]
        axes.plot(sizes, [median(result["ms"]) for result in found], "o-", color=COLORS["gatewatch"])
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(name)
        axes.set_xlabel("size")
        axes.set_ylabel("ms")
    return figure
