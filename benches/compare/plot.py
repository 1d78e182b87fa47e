"""Plots as SVG, without a library."""

import math

from report import middle

COLOURS = ["#2f6f9f", "#9cc3dd", "#b5651d", "#e3bd94"]
TITLES = {
    "requests.svg": "Processor time of a request on PostgreSQL, in µs: shorter is better",
    "growth.svg": "Processor time of a request, by the number of messages",
}
STYLE = "font-family: system-ui, sans-serif; font-size: 13px; fill: #1b1f24"


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def document(width, height, title, body):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" style="{STYLE}">'
            f'<title>{escape(title)}</title><rect width="{width}" height="{height}" fill="#ffffff"/>{"".join(body)}</svg>\n')


def text(x, y, what, anchor="start", more=""):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" {more}>{escape(what)}</text>'


def bars(title, groups, kinds):
    """Horizontal bars: `groups` are (name, [(name, [a value for each of `kinds`])])."""
    width, left, row, y = 860, 250, 21, 62
    largest = max(sum(values) for _, members in groups for _, values in members)
    scale = (width - left - 80) / largest
    body = [text(16, 26, title, more='font-weight="600"')]
    for index, kind in enumerate(kinds):
        body.append(f'<rect x="{left + index * 190}" y="36" width="11" height="11" fill="{COLOURS[index]}"/>')
        body.append(text(left + index * 190 + 17, 46, kind))
    for name, members in groups:
        y += 12
        body.append(text(16, y + 14, name, more='font-weight="600"'))
        for member, values in members:
            body.append(text(left - 8, y + 14, member, "end"))
            x = left
            for index, value in enumerate(values):
                body.append(f'<rect x="{x:.1f}" y="{y + 2}" width="{value * scale:.1f}" height="16" fill="{COLOURS[index]}"/>')
                x += value * scale
            body.append(text(x + 6, y + 14, f"{sum(values):,.0f}"))
            y += row
    return document(width, y + 16, title, body)


def lines(title, series, unit):
    """Lines over a logarithmic axis of sizes: `series` is {name: {size: value}}."""
    width, height, left, right, top, bottom = 860, 420, 70, 250, 50, 50
    sizes = sorted({size for values in series.values() for size in values})
    largest = max(value for values in series.values() for value in values.values()) * 1.05
    span = max(1e-9, math.log10(sizes[-1] / sizes[0]))
    x = lambda size: left + (width - left - right) * math.log10(size / sizes[0]) / span
    y = lambda value: height - bottom - (height - top - bottom) * value / largest
    body = [text(16, 26, title, more='font-weight="600"')]
    step = 10 ** math.floor(math.log10(largest))
    step = step if largest / step >= 3 else step / 4
    mark = 0.0
    while mark <= largest:
        body.append(f'<line x1="{left}" x2="{width - right}" y1="{y(mark):.0f}" y2="{y(mark):.0f}" stroke="#dde2e6"/>')
        body.append(text(left - 8, y(mark) + 4, f"{mark:,.0f}", "end"))
        mark += step
    for size in sizes:
        body.append(text(x(size), height - bottom + 20, f"{size:,}", "middle"))
    body.append(text((left + width - right) / 2, height - 10, "messages in the database", "middle"))
    body.append(text(left, top - 8, unit))
    heights = []
    for index, (name, values) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)]
        points = " ".join(f"{x(size):.0f},{y(value):.0f}" for size, value in sorted(values.items()))
        dashes = 'stroke-dasharray="6 4"' if index >= len(COLOURS) else ""
        body.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5" {dashes}/>')
        end = y(values[max(values)]) + 4
        while any(abs(end - other) < 15 for other in heights):
            end += 3
        heights.append(end)
        body.append(text(width - right + 10, end, name, more=f'style="fill: {colour}"'))
    return document(width, height, title, body)


def everything(results):
    """The plots of a run, by the names of their files."""
    plots = {}
    if "requests" in results:
        groups = []
        for key, servers in results["requests"].items():
            operation, connections = key.split("@")
            members = [(name, middle(runs)) for name, runs in servers.items()]
            groups.append((f"{operation}, {connections} connections",
                           [(name, [it["server"], it["database"]]) for name, it in members]))
        plots["requests.svg"] = bars(TITLES["requests.svg"], groups, ["server", "PostgreSQL"])
    if "growth" in results:
        plots["growth.svg"] = lines(TITLES["growth.svg"], results["growth"], "µs")
    return plots
