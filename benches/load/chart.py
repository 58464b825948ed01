"""Charts as SVG, without any library."""
from html import escape

COLOURS = ["#1f6feb", "#8b949e", "#b08800", "#a371f7", "#3fb950", "#f85149"]
STYLE = '<style>text{font:13px sans-serif;fill:#57606a}.t{font-size:16px;font-weight:bold}.s{font-size:11px}</style>'


def frame(width, height, parts):
    return '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">%s<rect width="100%%" height="100%%" fill="#fff"/>%s</svg>\n' % (
        width, height, width, height, STYLE, "".join(parts))


def text(x, y, words, kind="", anchor="start"):
    return '<text x="%.0f" y="%.0f" class="%s" text-anchor="%s">%s</text>' % (x, y, kind, anchor, escape(words))


def bars(title, note, groups):
    """groups: name -> {bar's name: value}; bars of one name have one colour"""
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    most = max((value for group in groups.values() for value in group.values()), default=1)
    parts, y = [text(16, 26, title, "t"), text(16, 44, note, "s")], 66
    for at, name in enumerate(names):
        parts.append('<rect x="%d" y="%d" width="12" height="12" fill="%s"/>' % (16 + at * 110, y, COLOURS[at % len(COLOURS)]))
        parts.append(text(32 + at * 110, y + 11, name))
    y += 34
    for group, values in groups.items():
        parts.append(text(16, y + 10, group))
        y += 18
        for name, value in values.items():
            width = max(1, 560 * value / most)
            parts.append('<rect x="16" y="%d" width="%.0f" height="15" fill="%s"/>' % (y, width, COLOURS[names.index(name) % len(COLOURS)]))
            parts.append(text(22 + width, y + 12, format(round(value, -3), ",.0f"), "s"))
            y += 18
        y += 10
    return frame(680, y, parts)


def panels(title, note, all_panels):
    """all_panels: name -> [(label, value)]; each is one small picture of values relative to the first"""
    parts, width, height = [text(16, 26, title, "t"), text(16, 44, note, "s")], 330, 190
    for at, (name, points) in enumerate(all_panels.items()):
        left, top = 16 + at % 2 * width, 62 + at // 2 * height
        parts.append(text(left, top + 14, name))
        most = max([1.5] + [value / points[0][1] for _, value in points])
        for number, (label, value) in enumerate(points):
            relative, x = value / points[0][1], left + 6 + number * 290 / max(len(points), 4)
            tall = 110 * relative / most
            parts.append('<rect x="%.0f" y="%.0f" width="26" height="%.0f" fill="%s"/>' % (x, top + 144 - tall, tall, COLOURS[0]))
            parts.append(text(x + 13, top + 140 - tall, "%.2f" % relative, "s", "middle"))
            parts.append(text(x + 13, top + 160, label, "s", "middle"))
    return frame(690, 62 + (len(all_panels) + 1) // 2 * height, parts)
