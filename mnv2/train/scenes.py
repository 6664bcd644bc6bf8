"""Pictures of nothing: procedural scenes with the statistics of photographs.

scene(rng) gives one clear picture, SIZE x SIZE x 3 bytes (red, green, blue). A scene is a background, objects that hide one another (the
dead leaves model: Lee, Mumford and Huang, "Occlusion Models for Natural Images", IJCV 2001), textures whose spectra fall as those of
photographs do, light, weather, and a lens. Every choice is drawn from rng, so that a seed is a picture.
"""

import cv2
import numpy as np

SIZE = 352  # what a training picture is cut out of


def noise(rng, size, slope):
    """A field of mean 0 and deviation 1 whose amplitudes fall as frequency ** -slope: 0 is white, 1 like photographs, 2 clouds."""
    f = np.fft.rfft2(rng.standard_normal((size, size), dtype=np.float32))
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    stretch = rng.uniform(0.4, 2.5) if rng.random() < 0.3 else 1.0  # grain has a direction
    r = np.hypot(fy * stretch, fx)
    r[0, 0] = 1
    f *= r ** -slope
    f[0, 0] = 0
    n = np.fft.irfft2(f, s=(size, size)).astype(np.float32)
    return n / (n.std() + 1e-9)


class Noises:
    """A few fields, made once, out of which textures are cut: a field for each use would be most of the work."""

    def __init__(self, rng, count=60):
        self.fields = [noise(rng, 512, s) for s in np.linspace(0.5, 2.2, count)]

    def cut(self, rng, h, w, slope=None):
        n = len(self.fields)
        i = int(rng.integers(n)) if slope is None else int(np.clip((slope - 0.5) / 1.7 * (n - 1), 0, n - 1))
        f = self.fields[i]
        zoom = rng.choice([1, 1, 1, 2, 3])
        hh, ww = -(-h // zoom), -(-w // zoom)
        y, x = rng.integers(0, 512 - hh + 1), rng.integers(0, 512 - ww + 1)
        c = f[y:y + hh, x:x + ww]
        if rng.random() < 0.5:
            c = c[:, ::-1]
        if zoom > 1:
            c = cv2.resize(np.ascontiguousarray(c), (ww * zoom, hh * zoom), interpolation=cv2.INTER_CUBIC)
        return c[:h, :w]


def colour(rng, palette=None):
    """A colour as things have it: mostly dull."""
    if palette is not None and rng.random() < 0.7:
        c = palette[rng.integers(len(palette))] + rng.normal(0, 0.06, 3)
    else:
        hsv = np.array([[[rng.uniform(0, 360), rng.beta(1.2, 3.2), rng.beta(2, 2)]]], np.float32)
        c = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]
    return np.clip(c, 0.01, 0.99).astype(np.float32)


def pattern(rng, noises, h, w, base, palette):
    """A surface, h x w x 3: a colour and something that varies it."""
    img = np.broadcast_to(base, (h, w, 3)).astype(np.float32).copy()
    kind = rng.random()
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    if kind < 0.42:
        img *= np.exp(noises.cut(rng, h, w) * rng.uniform(0.02, 0.45))[..., None]
    elif kind < 0.56:  # stripes, boards
        a, p = rng.uniform(0, np.pi), rng.uniform(3, 40)
        s = np.sin((x * np.cos(a) + y * np.sin(a)) * 2 * np.pi / p + noises.cut(rng, h, w, 1.8) * rng.uniform(0, 1))
        if rng.random() < 0.5:
            s = np.sign(s)
        img += (s * rng.uniform(0.03, 0.3))[..., None] * (colour(rng, palette) - 0.3)
    elif kind < 0.68:  # bricks, tiles, windows
        bw, bh = rng.uniform(6, 46), rng.uniform(5, 36)
        shift = 0.5 if rng.random() < 0.6 else 0
        row = np.floor(y / bh)
        u, v = (x / bw + row * shift) % 1, (y / bh) % 1
        gap = rng.uniform(0.06, 0.3)
        joint = (u < gap) | (v < gap * bw / bh if gap * bw / bh < 0.6 else v < 0.3)
        cell = np.floor(x / bw + row * shift) * 12.9898 + row * 78.233
        tone = (np.sin(cell) * 43758.5453) % 1
        img *= (1 + (tone - 0.5) * rng.uniform(0, 0.7))[..., None]
        img[joint] = colour(rng, palette)
    elif kind < 0.76:  # two things spread over one another
        m = noises.cut(rng, h, w, rng.uniform(0.8, 1.8)) > rng.uniform(-1, 1)
        img[m] = colour(rng, palette)
        img *= np.exp(noises.cut(rng, h, w) * rng.uniform(0.02, 0.2))[..., None]
    elif kind < 0.84:  # dots
        p = rng.uniform(5, 30)
        d = np.hypot(x % p - p / 2, y % p - p / 2) < p * rng.uniform(0.15, 0.45)
        img[d] = colour(rng, palette)
    # else: plain
    light = (x * rng.normal() + y * rng.normal()) / max(h, w)
    return img * (1 + rng.uniform(0, 0.5) * light)[..., None]


def outline(rng, cx, cy, r):
    """Points of a closed shape around cx, cy."""
    kind = rng.random()
    if kind < 0.3:  # box, seen from somewhere
        w, h = r * rng.uniform(0.3, 1.2), r * rng.uniform(0.3, 1.2)
        p = np.array([[-w, -h], [w, -h], [w, h], [-w, h]]) + rng.normal(0, 0.06 * r, (4, 2)) * (rng.random() < 0.5)
    elif kind < 0.6:  # ellipse
        t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        p = np.stack([np.cos(t) * r * rng.uniform(0.3, 1), np.sin(t) * r * rng.uniform(0.3, 1)], 1)
    elif kind < 0.85:  # something grown
        n = 48
        t = np.linspace(0, 2 * np.pi, n, endpoint=False)
        rad = np.ones(n)
        for k in range(1, rng.integers(2, 9)):
            rad += rng.normal(0, 0.5 / k) * np.cos(k * t + rng.uniform(0, 6.3))
        rad = np.clip(rad, 0.15, 2)
        p = np.stack([np.cos(t) * rad * r * 0.7, np.sin(t) * rad * r * rng.uniform(0.3, 0.9)], 1)
    else:  # splinters
        n = rng.integers(3, 7)
        t = np.sort(rng.uniform(0, 2 * np.pi, n))
        p = np.stack([np.cos(t) * r, np.sin(t) * r], 1)
    if rng.random() < 0.7:
        a = rng.normal(0, 0.15) if kind < 0.3 else rng.uniform(0, np.pi)
        p = p @ np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return p + [cx, cy]


def put(rng, img, noises, points, palette, softness=0.0):
    """Paints a shape with a surface, shaded as if round, and its shadow."""
    size = img.shape[0]
    x0, y0 = np.floor(points.min(0)).astype(int) - 2
    x1, y1 = np.ceil(points.max(0)).astype(int) + 3
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, size), min(y1, size)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    h, w = y1 - y0, x1 - x0
    mask = np.zeros((h, w), np.uint8)
    cv2.fillPoly(mask, [np.round((points - [x0, y0]) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    m = mask.astype(np.float32) / 255
    if softness > 0:
        m = cv2.GaussianBlur(m, (0, 0), softness)
    r = max(h, w)
    if r > 12 and rng.random() < 0.4:  # shadow
        s = cv2.GaussianBlur(m, (0, 0), r * rng.uniform(0.02, 0.12) + 0.5)
        s = np.roll(s, (int(r * rng.uniform(-0.05, 0.12)), int(r * rng.uniform(-0.1, 0.1))), (0, 1))
        img[y0:y1, x0:x1] *= (1 - s * rng.uniform(0.2, 0.7))[..., None]
    base = colour(rng, palette)
    if r > 10:
        fill = pattern(rng, noises, h, w, base, palette)
        if rng.random() < 0.5:  # round: darker towards its edges, and a highlight
            d = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 3)
            d = np.sqrt(np.minimum(d / (d.max() + 1e-6), 1))
            fill *= (rng.uniform(0.3, 0.8) + d * rng.uniform(0.3, 0.8))[..., None]
            if rng.random() < 0.3:
                fill += (np.clip(d - 0.85, 0, 1) * rng.uniform(0, 6))[..., None]
    else:
        fill = base
    img[y0:y1, x0:x1] = img[y0:y1, x0:x1] * (1 - m[..., None]) + np.clip(fill, 0, 1) * m[..., None]


def lines(rng, img, palette, n):
    """Wires, branches, cracks, letters' strokes."""
    size = img.shape[0]
    for _ in range(n):
        c = colour(rng, palette) * rng.uniform(0.1, 1)
        k = rng.integers(2, 6)
        p = np.cumsum(np.vstack([rng.uniform(0, size, 2), rng.normal(0, rng.uniform(5, 90), (k, 2))]), 0)
        cv2.polylines(img, [np.round(p * 16).astype(np.int32)], False, c.tolist(), int(rng.integers(1, 4)), cv2.LINE_AA, 4)


LETTERS = list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:.-/ ")


def write(rng, img, n, at, font, scale, ink, thickness=1):
    """Writes n letters onto a float picture."""
    m = np.zeros(img.shape[:2], np.uint8)
    cv2.putText(m, "".join(rng.choice(LETTERS, n)), at, font, scale, 255, thickness, cv2.LINE_AA)
    m = (m.astype(np.float32) / 255)[..., None]
    img *= 1 - m
    img += m * ink


def text(rng, img, palette, n):
    size = img.shape[0]
    for _ in range(n):
        at = (int(rng.integers(-20, size)), int(rng.integers(10, size)))
        write(rng, img, rng.integers(2, 14), at, int(rng.integers(0, 8)), float(rng.uniform(0.3, 1.6)), colour(rng, palette), int(rng.integers(1, 3)))


def leaves(rng, img, noises, palette, n, smallest, largest, soft=0.0):
    """n shapes, whose radii fall as r ** -3, as those of things that hide one another do."""
    size = img.shape[0]
    u = rng.random(n)
    r = (smallest ** -2 + u * (largest ** -2 - smallest ** -2)) ** -0.5
    order = np.argsort(-r) if rng.random() < 0.7 else np.arange(n)
    for i in order:
        put(rng, img, noises, outline(rng, *rng.uniform(-0.1 * size, 1.1 * size, 2), r[i]), palette, soft)


def ground(rng, img, noises, palette, horizon):
    """A plane that goes to the horizon, its texture finer and finer."""
    size = img.shape[0]
    h = size - horizon
    if h < 4:
        return
    tex = np.clip(pattern(rng, noises, 480, 480, colour(rng, palette), palette), 0, 1)
    near, far = rng.uniform(0.15, 0.6), rng.uniform(2, 8)
    src = np.float32([[240 - 240 * near, 479], [240 + 240 * near, 479], [479, 0], [0, 0]])
    dst = np.float32([[0, size], [size, size], [size / 2 + size * far / 4, horizon], [size / 2 - size * far / 4, horizon]])
    m = cv2.getPerspectiveTransform(src, dst)
    g = cv2.warpPerspective(tex, m, (size, size), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)
    img[horizon:] = g[horizon:]
    if rng.random() < 0.4:  # a road or path
        c, w0, w1 = rng.uniform(0, size), rng.uniform(2, 20), rng.uniform(60, 400)
        p = np.array([[c - w0, horizon], [c + w0, horizon], [c + w1, size], [c - w1 * rng.uniform(0, 1), size]])
        put(rng, img, noises, p, palette)


def sky(rng, img, noises, bottom):
    top, low = (np.array([rng.uniform(0.2, 0.6), rng.uniform(0.4, 0.75), rng.uniform(0.6, 1)]),
                np.array([rng.uniform(0.6, 1)] * 3) * rng.uniform(0.85, 1, 3))
    if rng.random() < 0.3:  # dusk, overcast
        top, low = rng.uniform(0.1, 0.9) * rng.uniform(0.85, 1, 3), rng.uniform(0.4, 1, 3)
    if rng.random() < 0.12:
        top = low = np.ones(3) * rng.uniform(0.9, 1.05)
    t = np.linspace(0, 1, max(bottom, 1), dtype=np.float32)[:, None, None]
    s = (top * (1 - t) + low * t).astype(np.float32) * np.ones((1, img.shape[1], 1), np.float32)
    if rng.random() < 0.6:
        c = np.clip(noises.cut(rng, s.shape[0], s.shape[1], rng.uniform(1.2, 2)) * rng.uniform(0.1, 0.5) + rng.uniform(-0.3, 0.3), 0, 1)[..., None]
        s = s * (1 - c) + rng.uniform(0.6, 1.0) * c
    img[:bottom] = s


def scene(rng, noises):
    """One clear picture, SIZE x SIZE x 3, float32 0..1 as a camera would show it, before its sensor."""
    size = SIZE
    palette = [colour(rng) for _ in range(rng.integers(2, 7))]
    img = np.empty((size, size, 3), np.float32)
    kind = rng.choice(["street", "land", "room", "wall", "leaves", "near", "object", "texture", "page"],
                      p=[0.17, 0.15, 0.17, 0.1, 0.13, 0.12, 0.08, 0.05, 0.03])
    soft_back = 0.0
    if kind in ("street", "land"):
        horizon = int(size * rng.uniform(0.05, 0.8))
        sky(rng, img, noises, size)
        if kind == "street":
            x = -rng.uniform(0, 60)
            while x < size:
                w = rng.uniform(25, 170)
                h = rng.uniform(0.1, 1) * size
                top = horizon + rng.uniform(0, 30) - h
                put(rng, img, noises, np.array([[x, top], [x + w, top + rng.normal(0, 6)], [x + w, horizon + 60], [x, horizon + 60]]), palette)
                if rng.random() < 0.7:  # windows
                    c, g = colour(rng) * rng.uniform(0.1, 1.3), rng.uniform(8, 28)
                    fw, fh = g * rng.uniform(0.3, 0.8), g * rng.uniform(0.4, 0.9)
                    for yy in np.arange(top + g / 2, min(horizon + 20, size), g * 1.2):
                        for xx in np.arange(x + g / 2, x + w - g / 2, g):
                            lit = c * (1 if rng.random() < 0.8 else rng.uniform(0.5, 2))
                            cv2.rectangle(img, (int(xx), int(yy)), (int(xx + fw), int(yy + fh)), np.clip(lit, 0, 1).tolist(), -1, cv2.LINE_AA)
                x += w * rng.uniform(0.6, 1.3)
        else:
            for _ in range(rng.integers(0, 4)):  # hills
                xs = np.linspace(-5, size + 5, 60)
                ys = horizon + rng.uniform(-40, 15) + np.interp(xs, np.linspace(-5, size + 5, 9), rng.normal(0, 18, 9))
                put(rng, img, noises, np.vstack([np.stack([xs, ys], 1), [[size + 5, size], [-5, size]]]), palette)
        ground(rng, img, noises, palette, horizon)
        leaves(rng, img, noises, palette, int(rng.integers(2, 60)), 3, rng.uniform(25, 110))
        if rng.random() < 0.5:  # trees
            for _ in range(rng.integers(1, 6)):
                cx, cy, r = rng.uniform(0, size), horizon + rng.uniform(-60, 40), rng.uniform(12, 90)
                g = [np.array([0.15, 0.3, 0.1]) * rng.uniform(0.4, 2.2) + rng.normal(0, 0.05, 3) for _ in range(4)]
                cv2.line(img, (int(cx), int(cy)), (int(cx + rng.normal(0, 4)), int(cy + 2 * r)), (np.clip(g[0], 0, 1) * 0.5).tolist(), int(2 + r / 10), cv2.LINE_AA)
                for _ in range(int(r * 2.5)):
                    p = rng.normal(0, r * 0.4, 2)
                    cv2.circle(img, (int(cx + p[0]), int(cy + p[1])), int(rng.integers(1, 5)), np.clip(g[rng.integers(4)] * rng.uniform(0.5, 1.5), 0, 1).tolist(), -1, cv2.LINE_AA)
    elif kind in ("room", "wall"):
        img[:] = np.clip(pattern(rng, noises, size, size, colour(rng, palette) * 0.5 + rng.uniform(0.1, 0.5), palette), 0, 1) if rng.random() < 0.4 \
            else (colour(rng, palette) * 0.4 + rng.uniform(0.1, 0.6)) * np.exp(noises.cut(rng, size, size, rng.uniform(0.2, 1.2)) * rng.uniform(0.005, 0.05))[..., None]
        for _ in range(rng.integers(1, 4)):  # floor, corner, ceiling
            a, b = rng.uniform(0, size, 2)
            side = rng.integers(4)
            p = [[[0, a], [size, b], [size, size], [0, size]], [[0, a], [size, b], [size, 0], [0, 0]],
                 [[a, 0], [b, size], [size, size], [size, 0]], [[a, 0], [b, size], [0, size], [0, 0]]][side]
            if rng.random() < 0.7:
                put(rng, img, noises, np.array(p, float), [palette[0] * 0.4 + rng.uniform(0.1, 0.6)])
        if kind == "room":
            for _ in range(rng.integers(2, 12)):
                put(rng, img, noises, outline(rng, *rng.uniform(0, size, 2), rng.uniform(15, 130)), palette)
            leaves(rng, img, noises, palette, int(rng.integers(0, 50)), 3, rng.uniform(15, 60))
        else:
            leaves(rng, img, noises, palette, int(rng.integers(1, 7)), 4, rng.uniform(10, 60))
            lines(rng, img, palette, int(rng.integers(0, 4)))
    elif kind in ("near", "object"):
        # a thing in front of what is far: out of focus, as lenses have it; the picture is clear all the same
        img[:] = pattern(rng, noises, size, size, colour(rng, palette), palette)
        if kind == "near":
            leaves(rng, img, noises, palette, int(rng.integers(10, 90)), 4, 90)
            soft_back = rng.uniform(0.3, 7)
        elif rng.random() < 0.6:  # before a white, black or grey background
            v = rng.choice([1.0, 1.0, 0.98, 0.92, 0.6, 0.1, 0.02])
            img[:] = v * (1 - rng.uniform(0, 0.15) * np.linspace(0, 1, size, dtype=np.float32)[:, None, None])
        img = cv2.GaussianBlur(np.clip(img, 0, 1), (0, 0), soft_back) if soft_back > 0.5 else np.clip(img, 0, 1)
        r = rng.uniform(0.35, 0.75) * size / (1 if kind == "near" else 1.3)
        cx, cy = rng.normal(size / 2, 40, 2)
        put(rng, img, noises, outline(rng, cx, cy, r), palette)
        for _ in range(rng.integers(15, 130)):  # its parts
            q = rng.normal(0, r * 0.35, 2)
            put(rng, img, noises, outline(rng, cx + q[0], cy + q[1], np.exp(rng.uniform(np.log(3), np.log(r * 0.5)))), palette)
        lines(rng, img, palette, int(rng.integers(0, 25)))
    elif kind == "leaves":
        img[:] = colour(rng, palette)
        leaves(rng, img, noises, palette, int(rng.integers(60, 420)), rng.uniform(2, 6), rng.uniform(30, 140))
    elif kind == "texture":
        img[:] = pattern(rng, noises, size, size, colour(rng, palette), palette) if rng.random() < 0.6 else \
            colour(rng, palette) * np.exp(noises.cut(rng, size, size, rng.uniform(0.3, 1.3)) * rng.uniform(0.15, 0.7))[..., None]
        leaves(rng, img, noises, palette, int(rng.integers(0, 12)), 4, 60)
    else:  # page
        img[:] = rng.uniform(0.6, 1) * np.array([1, rng.uniform(0.92, 1), rng.uniform(0.85, 1)])
        ink = rng.uniform(0, 0.4)
        y = rng.uniform(5, 30)
        while y < size:
            write(rng, img, 60, (int(rng.uniform(5, 30)), int(y)), 0, float(rng.uniform(0.3, 0.6)), ink)
            y += rng.uniform(12, 30)
        leaves(rng, img, noises, palette, int(rng.integers(0, 6)), 10, 110)
    if rng.random() < 0.35:
        lines(rng, img, palette, int(rng.integers(1, 12)))
    if rng.random() < 0.2:
        text(rng, img, palette, int(rng.integers(1, 5)))
    if kind not in ("wall", "page") and rng.random() < 0.5:  # all surfaces have a grain
        img *= np.exp(noises.cut(rng, size, size, rng.uniform(0.6, 1.5)) * rng.uniform(0.01, 0.12))[..., None]
    return np.clip(light(rng, img, noises), 0, 1)


def light(rng, img, noises):
    """Lamps, shade, sun spots, weather, the colour of the light, the contrast."""
    size = img.shape[0]
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    img = np.clip(img, 0, 1.5)
    if rng.random() < 0.6:
        img = img * np.exp((x * rng.normal() + y * rng.normal()) * rng.uniform(0, 1.2))[..., None]
    if rng.random() < 0.25:  # the shadow of something outside
        m = cv2.GaussianBlur((noises.cut(rng, size, size, 1.8) > rng.uniform(-1, 1)).astype(np.float32), (0, 0), rng.uniform(1, 12))
        img = img * (1 - m * rng.uniform(0.2, 0.75))[..., None]
    if rng.random() < 0.3:  # vignette
        img = img * (1 - (x * x + y * y) * rng.uniform(0.2, 1.4))[..., None]
    if rng.random() < 0.12:  # fog: thicker far away, which is up
        t = np.clip(rng.uniform(0.2, 0.75) + rng.uniform(0, 0.5) * (-y), 0, 0.85)[..., None]
        img = img * (1 - t) + rng.uniform(0.5, 0.85) * np.array([1, 1, rng.uniform(1, 1.06)]) * t
    img = img * (1 + rng.normal(0, 0.07, 3))
    g = rng.uniform(0.65, 1.5)
    img = np.clip(img, 0, None) ** g
    if rng.random() < 0.12:  # monochrome: night cameras, and they are clear too
        img = np.repeat(img.mean(2, keepdims=True), 3, 2)
    # Exposure: most pictures are near the middle.
    mean = float(img.mean()) + 1e-3
    want = np.clip(rng.normal(0.45, 0.14), 0.2, 0.78)
    if rng.random() < 0.8:
        img = img * np.clip(want / mean, 0.5, 1.8)
    if rng.random() < 0.5:  # a camera's curve
        c = np.clip(img, 0, 1)
        img = c + rng.uniform(-0.15, 0.3) * (c * c * (3 - 2 * c) - c)
    return img.astype(np.float32)


def start(seed):
    """Makes this process ready for numbered."""
    global _seed, _noises
    _seed, _noises = seed, Noises(np.random.default_rng([seed, 0]))


def numbered(i):
    """Scene number i of the seed that start was given, as bytes: the same whichever process makes it."""
    return (scene(np.random.default_rng([_seed, 1, i]), _noises) * 255 + 0.5).astype(np.uint8)
