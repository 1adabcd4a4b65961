"""Bars of one figure, a bar a contender, as SVG: text and rectangles, equal bytes for equal figures."""

from xml.sax.saxutils import escape

from programme import entry

WIDTH, BAR, GAP, LEFT, RIGHT = 640, 18, 8, 150, 90
FIGURES = {"cpu_s": "CPU seconds", "rss_peak_mb": "MB at the peak", "growth_mb": "MB grown", "p99_ms": "ms, p99"}
SVG = "http://www.w3.org/2000/svg"


def write(rows, folder):
    """The names and titles of the pictures that were written."""
    folder.mkdir(exist_ok=True)
    made = []
    for scenario in dict.fromkeys(row["scenario"] for row in rows):
        mine = [row for row in rows if row["scenario"] == scenario]
        for figure in entry(scenario).pictures:
            name, title = f"bench-{scenario}-{figure}.svg", f"{scenario}: {FIGURES[figure]}"
            (folder / name).write_text(
                drawn(title, [(row["contender"], row[figure]) for row in mine]), encoding="utf-8"
            )
            made.append((name, title))
    return made


def drawn(title, values):
    height = 34 + len(values) * (BAR + GAP)
    most = max(value for _, value in values) or 1.0
    lines = [
        f'<svg xmlns="{SVG}" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="18" font-weight="bold" fill="#202020">{escape(title)}</text>',
    ]
    for place, (name, value) in enumerate(values):
        top = 28 + place * (BAR + GAP)
        length = max(1.0, (WIDTH - LEFT - RIGHT) * value / most)
        colour = "#1f6f8b" if name.startswith("windlass") else "#b8b8b8"
        lines += [
            f'<text x="{LEFT - 8}" y="{top + 13}" text-anchor="end" fill="#202020">{escape(name)}</text>',
            f'<rect x="{LEFT}" y="{top}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<text x="{LEFT + length + 6:.1f}" y="{top + 13}" fill="#202020">{value:.4g}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"
