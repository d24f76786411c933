"""Draws `results/sweep.csv` as `../src/guide/speed.svg`, without any library: `python3 benches/plot.py`."""

import csv
import math
import pathlib

HERE = pathlib.Path(__file__).parent
WIDTH, HEIGHT, LEFT, TOP, GAP = 250, 150, 42, 24, 52
COLOURS = {"step": "#2563eb", "predict": "#15803d"}
PANELS = [
    ("IN", "inputs of a layer, 32 outputs, B = 32", "per_multiply_add"),
    ("OUT", "outputs of a layer, 32 inputs, B = 32", "per_multiply_add"),
    ("B", "micro-batch B, 32 inputs, 32 outputs", "per_multiply_add"),
    ("width", "three layers of width ...", "per_sample"),
    ("depth", "... layers of width 32", "per_sample"),
    ("batch", "samples at once, two layers of width 32", "per_sample"),
]
LABELS = {"per_multiply_add": "ns per multiply-add", "per_sample": "ns per sample"}


def number(value):
    return f"{value:.0f}" if value >= 1 else f"{value:.3g}"


def panel(rows, line, title, unit, x0, y0):
    points = {}
    for row in rows:
        if row["line"] == line:
            points.setdefault(row["kind"], []).append((int(row["size"]), float(row["ns_" + unit])))
    xs = [x for series in points.values() for x, _ in series]
    ys = [y for series in points.values() for _, y in series]
    logarithmic = unit == "per_sample"
    low, high = math.log10(min(ys)), math.log10(max(ys))
    margin = 0.06 * (high - low or 1)
    low, high = low - margin, high + margin
    scale_x = (lambda x: math.log2(x)) if logarithmic else float
    left, right = scale_x(min(xs)), scale_x(max(xs))
    if not logarithmic:
        left = 0

    def at(x, y):
        px = x0 + (scale_x(x) - left) / (right - left) * WIDTH
        return f"{px:.1f},{y0 + HEIGHT - (math.log10(y) - low) / (high - low) * HEIGHT:.1f}"

    out = [f'<text x="{x0}" y="{y0 - 7}" font-weight="bold">{title}</text>']
    out.append(f'<rect x="{x0}" y="{y0}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#888"/>')
    for x in sorted(set(xs)) if logarithmic else range(16, int(right) + 1, 16):
        px = at(x, 10**low).split(",")[0]
        out.append(f'<path d="M{px},{y0}v{HEIGHT}" stroke="#ddd"/>')
        if logarithmic or x % 32 == 0:
            out.append(f'<text x="{px}" y="{y0 + HEIGHT + 12}" text-anchor="middle">{x}</text>')
    for exponent in range(math.floor(low), math.ceil(high) + 1):
        for factor in (1, 2, 5):
            y = factor * 10.0**exponent
            if low <= math.log10(y) <= high:
                py = at(max(xs), y).split(",")[1]
                out.append(f'<path d="M{x0},{py}h{WIDTH}" stroke="#ddd"/>')
                out.append(f'<text x="{x0 - 4}" y="{float(py) + 3:.1f}" text-anchor="end">{number(y)}</text>')
    for kind, series in points.items():
        path = " ".join(at(x, y) for x, y in sorted(series))
        out.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[kind]}" stroke-width="1.3"/>')
    out.append(f'<text x="{x0 + WIDTH - 4}" y="{y0 + 12}" text-anchor="end" fill="#666">{LABELS[unit]}</text>')
    return out


def main():
    text = (HERE / "results" / "sweep.csv").read_text().splitlines()
    rows = list(csv.DictReader(line for line in text if not line.startswith("#")))
    columns = 3
    width = columns * (WIDTH + GAP) + LEFT - GAP + 10
    height = 2 * (HEIGHT + GAP) + TOP + 16
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="100%" font-family="sans-serif" '
        'font-size="10" fill="#222" style="background:#fff">'
    ]
    for index, (line, title, unit) in enumerate(PANELS):
        x0, y0 = LEFT + index % columns * (WIDTH + GAP), TOP + index // columns * (HEIGHT + GAP)
        out += panel(rows, line, title, unit, x0, y0)
    for index, (kind, colour) in enumerate(COLOURS.items()):
        out.append(f'<text x="{LEFT + 70 * index}" y="{height - 8}" fill="{colour}" font-weight="bold">{kind}</text>')
    machine = next((line[2:].split(";")[0] for line in text if line.startswith("# ")), "")
    out.append(f'<text x="{width - 10}" y="{height - 8}" text-anchor="end" fill="#666">{machine}</text>')
    out.append("</svg>")
    body = "\n".join(out[1:-1]).replace('fill="none" stroke="#ddd"', 'stroke="#ddd"')
    (HERE.parent / "src" / "guide" / "speed.svg").write_text("\n".join([out[0], body, out[-1]]) + "\n")


main()
