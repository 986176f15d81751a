# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cost against sites as an SVG, from what the benchmark measured: both axes logarithmic."""

from math import floor, log10

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, RIGHT = 720, 420, 80, 40, 50, 150
COLOURS = ["#1b6ca8", "#c0392b", "#27ae60", "#8e44ad", "#d68910", "#566573"]


def decades(values):
    low, high = floor(log10(min(values))), floor(log10(max(values)))
    return [10**power for power in range(low, high + 2)]


def svg(series, title):
    """series: {label: [(sites, seconds)]}."""
    xs = decades([x for points in series.values() for x, _ in points])
    ys = decades([y for points in series.values() for _, y in points])

    def across(x):
        return LEFT + (log10(x) - log10(xs[0])) / (log10(xs[-1]) - log10(xs[0])) * (WIDTH - LEFT - RIGHT)

    def up(y):
        return HEIGHT - BOTTOM - (log10(y) - log10(ys[0])) / (log10(ys[-1]) - log10(ys[0])) * (HEIGHT - TOP - BOTTOM)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="15">{title}</text>',
    ]
    for x in xs:
        out.append(f'<line x1="{across(x):.1f}" y1="{TOP}" x2="{across(x):.1f}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        out.append(f'<text x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{x:,}</text>')
    for y in ys:
        text = f"{y:g} s" if y >= 1 else f"{y * 1000:g} ms"
        out.append(f'<line x1="{LEFT}" y1="{up(y):.1f}" x2="{WIDTH - RIGHT}" y2="{up(y):.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 8}" y="{up(y) + 4:.1f}" text-anchor="end">{text}</text>')
    for (label, points), colour in zip(series.items(), COLOURS):
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in sorted(points))
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, y in points:
            out.append(f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3" fill="{colour}"/>')
        x, y = max(points)
        out.append(f'<text x="{across(x) + 8:.1f}" y="{up(y) + 4:.1f}" fill="{colour}">{label}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">sites</text>')
    return "\n".join(out + ["</svg>", ""])
