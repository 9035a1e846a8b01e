"""A plan of devices as a picture: a bar for each, as long as its memory. SVG, with nothing outside the file."""

import re
from html import escape

from modelry.checkpoint.planning import Plan
from modelry.cli.plan_table import rows, title
from modelry.cli.size_table import readable

WIDTH, HEIGHT, GAP, LEFT, TOP = 720, 34, 30, 90, 56
COLOURS = ("#4477aa", "#66ccee", "#228833", "#ccbb44", "#ee6677", "#aa3377")
"""Paul Tol's bright scheme, told apart by people who see few colours."""
CACHE, WORKING = "#bbbbbb", "#dddddd"


def drawn(plan: Plan) -> str:
    """The picture as text."""
    devices = rows(plan)
    used = [row["weights"] + row["cache"] + row["working"] for row in devices]
    longest = max([*used, *(row["memory"] or 0 for row in devices), 1])
    kinds: dict[str, str] = {}
    for part in plan.parts:
        kinds.setdefault(_kind(part.paths[0]), COLOURS[len(kinds) % len(COLOURS)])
    legend = [*kinds.items(), *([("cache", CACHE)] if plan.cache else [])]
    if plan.filled.working:
        legend.append(("working memory", WORKING))
    height = TOP + len(devices) * (HEIGHT + GAP) + 20 * len(legend) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 20}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="10" y="24" font-size="15">{escape(title(plan))}</text>',
    ]
    y = TOP
    for row, taken in zip(devices, used, strict=True):
        lines.append(f'<text x="{LEFT - 10}" y="{y + 22}" text-anchor="end">{escape(row["device"])}</text>')
        x = float(LEFT)
        parts = [part for part, place in plan.filled.placed if str(place) == row["device"] and part.size]
        segments = [(part.size, kinds[_kind(part.paths[0])], ", ".join(part.paths)) for part in parts]
        segments += [(row["cache"], CACHE, "cache"), (row["working"], WORKING, "working memory")]
        for size, colour, name in segments:
            length = WIDTH * size / longest
            if size:
                lines.append(
                    f'<rect x="{x:.2f}" y="{y}" width="{length:.2f}" height="{HEIGHT}" fill="{colour}" stroke="white" '
                    f'stroke-width="0.5"><title>{escape(name)}: {readable(size)}</title></rect>'
                )
            x += length
        has = taken if row["memory"] is None else row["memory"]
        lines.append(
            f'<rect x="{LEFT}" y="{y}" width="{WIDTH * has / longest:.2f}" height="{HEIGHT}" fill="none" '
            'stroke="black"/>'
        )
        said = f"{readable(taken)} used" + ("" if row["free"] is None else f", {readable(row['free'])} free")
        lines.append(f'<text x="{LEFT}" y="{y + HEIGHT + 15}" fill="#444444">{said}</text>')
        y += HEIGHT + GAP
    for name, colour in legend:
        lines.append(f'<rect x="{LEFT}" y="{y}" width="12" height="12" fill="{colour}"/>')
        lines.append(f'<text x="{LEFT + 18}" y="{y + 11}">{escape(name)}</text>')
        y += 20
    return "\n".join([*lines, "</svg>", ""])


def _kind(path: str) -> str:
    """Layers of one list are of one kind."""
    return re.sub(r"\.\d+$", "", path)
