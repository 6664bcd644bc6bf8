"""What happens to a camera: a clear picture made into each class of camera health.

make(rng, pick, name, size) gives size x size x 3 bytes of the class name, out of the clear scenes that pick() gives (any size that is at
least WHOLE, three bytes a pixel), and the class that each cell of 16 x 16 pixels shows. Sizes of grain, blur and blocks are in pixels of
the network's input, whatever size is: so a quarter of a picture teaches the same as a whole one. Between clear and each fault
there is a gap that nothing is drawn from: nobody could say what it is.
"""

import cv2
import numpy as np

CLASSES = ["clear", "dark", "overexposed", "blurred", "covered", "corrupt", "noisy"]


def luma(img):
    return img @ np.float32([0.299, 0.587, 0.114])


def normal(rng, *shape):
    return rng.standard_normal(shape, dtype=np.float32)


def smooth(rng, size, cells):
    """A field of mean 0 and deviation about 1 that varies over 1/cells of the picture."""
    return cv2.resize(normal(rng, cells + 1, cells + 1), (size, size), interpolation=cv2.INTER_CUBIC)


def blob(rng, size, radius, centre, rough):
    """A mask 0..1 of a closed shape."""
    n = 64
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    r = np.full(n, radius)
    for k in range(1, 7):
        r = r * (1 + rng.normal(0, rough / k) * np.cos(k * t + rng.uniform(0, 6.3)))
    r = np.abs(r)
    p = np.stack([centre[0] + r * np.cos(t), centre[1] + r * np.sin(t)], 1)
    m = np.zeros((size, size), np.uint8)
    cv2.fillPoly(m, [np.round(p * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return m.astype(np.float32) / 255


def disc(radius):
    r = int(np.ceil(radius))
    y, x = np.mgrid[-r:r + 1, -r:r + 1]
    k = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return k / k.sum()


def defocus(img, radius):
    return cv2.filter2D(img, -1, disc(radius), borderType=cv2.BORDER_REFLECT)


def motion(rng, img, length):
    n = int(length) | 1
    k = np.zeros((n, n), np.float32)
    a, c = rng.uniform(0, np.pi) if rng.random() < 0.6 else rng.integers(2) * np.pi / 2, (n - 1) / 2
    bend = rng.normal(0, 0.25) if rng.random() < 0.4 else 0
    t = np.linspace(-1, 1, 4 * n)
    x, y = c + c * (t * np.cos(a) - bend * t * t * np.sin(a)), c + c * (t * np.sin(a) + bend * t * t * np.cos(a))
    np.add.at(k, (np.clip(np.round(y), 0, n - 1).astype(int), np.clip(np.round(x), 0, n - 1).astype(int)), 1)
    return cv2.filter2D(img, -1, k / k.sum(), borderType=cv2.BORDER_REFLECT)


def jpeg(img, quality):
    b = np.clip(img * 255 + 0.5, 0, 255).astype(np.uint8)
    _, e = cv2.imencode(".jpg", b[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return cv2.imdecode(e, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32) / 255


def sensor(rng, img, worst=3.5):
    """What even a good picture has: a little noise, sharpening, compression."""
    if rng.random() < 0.3:
        img = cv2.GaussianBlur(img, (0, 0), rng.uniform(0.3, 0.8))
    if rng.random() < 0.2:  # a camera's denoiser, a codec: edges stay, and what is fine between them goes
        img = cv2.bilateralFilter(img.astype(np.float32), 5, rng.uniform(0.04, 0.15), rng.uniform(1, 2.5))
    if rng.random() < 0.35:
        img = img + (img - cv2.GaussianBlur(img, (0, 0), rng.uniform(0.6, 1.5))) * rng.uniform(0.2, 1.3)
    if rng.random() < 0.7:
        img = img + normal(rng, *img.shape) * (rng.uniform(0, worst) / 255)
    if rng.random() < 0.6:
        img = jpeg(img, rng.integers(45, 98))
    return img


# --- clear

def clear(rng, img, other):
    kind = rng.random()
    if kind < 0.22:  # a low-key picture: dark, with something that is lit
        img = img ** rng.uniform(1.3, 2.6)
        if rng.random() < 0.6:
            n = img.shape[0]
            spot = np.clip(smooth(rng, n, int(rng.integers(1, 4))) * 0.6 + rng.uniform(0.1, 0.6), 0.05, 1)
            img = img * spot[..., None]
        y = luma(img)
        lit = max(float(np.quantile(y, rng.uniform(0.86, 0.97))), 0.02)
        img = np.clip(img * (rng.uniform(0.4, 0.95) / lit), 0, 1)
        if luma(img).mean() < 0.13:
            img = np.clip(img * (0.14 / luma(img).mean()), 0, 1)
    elif kind < 0.34:  # fog, haze, a window's reflection
        y = np.linspace(rng.uniform(0, 0.3), rng.uniform(-0.3, 0), img.shape[0], dtype=np.float32)[:, None, None]
        t = np.clip(rng.uniform(0.2, 0.7) + y, 0, 0.82)
        img = img * (1 - t) + t * rng.uniform(0.45, 0.86) * np.float32([1, 1, rng.uniform(0.97, 1.06)])
    elif kind < 0.42:  # high key: bright, parts of it white
        img = 1 - (1 - img) * rng.uniform(0.55, 0.9)
    elif kind < 0.48:
        img = np.repeat(luma(img)[..., None], 3, 2)
    elif kind < 0.56:  # low contrast
        img = (img - 0.5) * rng.uniform(0.3, 0.7) + rng.uniform(0.35, 0.65)
    elif kind < 0.68:  # a shallow depth of field: a part is sharp, and that is where one looks
        n = img.shape[0]
        m = blob(rng, n, n * rng.uniform(0.27, 0.5), rng.uniform(0.3, 0.7, 2) * n, 0.3)
        m = cv2.GaussianBlur(m, (0, 0), rng.uniform(1, 10))[..., None]
        img = img * m + defocus(img, rng.uniform(1.5, 9)) * (1 - m)
    return sensor(rng, img)


# --- dark

def dark(rng, img, other):
    n = img.shape[0]
    kind = rng.random()
    if kind > 0.85:  # a steep curve: what is bright stays
        img = img ** rng.uniform(3.5, 8)
    else:
        img = img ** rng.uniform(1, 2.2)
        img = img * (rng.uniform(0.01, 0.1) / max(float(luma(img).mean()), 0.05))
    if kind < 0.12:
        img = img * 0 + rng.uniform(0, 0.06) * rng.uniform(0.6, 1, 3).astype(np.float32)
    elif kind < 0.35:  # lamps far away, the lights of devices
        for _ in range(rng.integers(1, 8)):
            m = blob(rng, n, rng.uniform(0.4, 4), rng.uniform(0, n, 2), 0.1)
            m = m + cv2.GaussianBlur(m, (0, 0), rng.uniform(1, 10)) * rng.uniform(0, 1.5)
            img = img + m[..., None] * rng.uniform(0.3, 1, 3).astype(np.float32)
    elif kind < 0.5:
        img = img * np.clip(smooth(rng, n, 2) * 0.7 + 0.8, 0, 3)[..., None]
    img = img + rng.uniform(0, 0.025) * np.float32(1)
    if rng.random() < 0.25:
        img = np.repeat(luma(img)[..., None], 3, 2)
    mean = float(luma(np.clip(img, 0, 1)).mean())
    most = rng.uniform(0.01, 0.095)
    if mean > most:
        img = img * (most / mean)
    img = img + normal(rng, *img.shape) * (rng.uniform(0, 4.5) / 255) * (rng.random() < 0.8)
    return jpeg(img, rng.integers(40, 98)) if rng.random() < 0.6 else img


# --- overexposed

def overexposed(rng, img, other):
    n = img.shape[0]
    kind = rng.random()
    if kind < 0.75:
        want = rng.uniform(0.45, 0.97)
        lin = img ** rng.uniform(1, 2.2)
        if kind < 0.2:  # the light comes from somewhere
            lin = lin * np.exp(smooth(rng, n, int(rng.integers(1, 3))) * 0.5)[..., None]
        y = luma(lin)
        gain = 1 / max(float(np.quantile(y, 1 - want)), 0.015)
        img = (lin * gain)
        if rng.random() < 0.6:  # lenses scatter some of it everywhere
            b = cv2.GaussianBlur(np.minimum(img, 8), (0, 0), n * rng.uniform(0.03, 0.2))
            img = img + b * rng.uniform(0.03, 0.35)
        img = np.clip(img, 0, 1) ** rng.uniform(0.45, 1)
    else:  # the sun, or a torch, in the lens
        c = rng.uniform(0.1, 0.9, 2) * n
        y, x = np.mgrid[0:n, 0:n].astype(np.float32)
        d = np.hypot(x - c[0], y - c[1]) / n
        glow = np.exp(-(d / rng.uniform(0.35, 0.9)) ** 2) * rng.uniform(1.1, 2.2) + rng.uniform(0.25, 0.6)
        if rng.random() < 0.4:
            glow = glow * (1 + 0.25 * np.cos(np.arctan2(y - c[1], x - c[0]) * rng.integers(2, 9)))
        img = img * rng.uniform(0.3, 1.2) + glow[..., None] * rng.uniform(0.9, 1, 3).astype(np.float32)
    img = np.clip(img, 0, 1)
    if rng.random() < 0.3:
        img = img * rng.uniform(0.94, 1)
    return sensor(rng, img)


def is_overexposed(img):
    y = luma(img)
    return y.mean() > 0.76 and ((y > 0.93).mean() > 0.45 or y.mean() > 0.9) and (y < 0.3).mean() < 0.06


# --- blurred

def blurred(rng, img, other):
    n = img.shape[0]
    kind = rng.random()
    strength = np.exp(rng.uniform(0, 1))
    if kind < 0.28:
        out = defocus(img, rng.uniform(2.1, 5.5) * strength)
    elif kind < 0.52:
        out = cv2.GaussianBlur(img, (0, 0), rng.uniform(1.4, 3.2) * strength)
    elif kind < 0.72:
        out = motion(rng, img, rng.uniform(9, 17) * strength)
        if rng.random() < 0.4:
            out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.8, 3))
    elif kind < 0.76:  # a denoiser that is too strong
        out = cv2.medianBlur((img * 255).astype(np.uint8), 2 * int(rng.integers(3, 6)) + 1).astype(np.float32) / 255
    elif kind < 0.81:  # made small somewhere, and large again
        k = int(rng.integers(4, 11))
        s = cv2.resize(img, (max(n // k, 4),) * 2, interpolation=cv2.INTER_AREA)
        out = cv2.resize(s, (n, n), interpolation=cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_LINEAR)
    elif kind < 0.9:  # grease or a film of water: not the same everywhere, and it veils
        soft = cv2.GaussianBlur(img, (0, 0), rng.uniform(2.5, 8))
        m = np.clip(smooth(rng, n, int(rng.integers(2, 6))) * 0.5 + rng.uniform(0.75, 1.3), 0, 1)[..., None]
        half = cv2.GaussianBlur(img, (0, 0), rng.uniform(1.2, 2))
        out = soft * m + half * (1 - m)
        v = rng.uniform(0, 0.5) * m
        out = out * (1 - v) + v * rng.uniform(0.4, 0.85)
    else:  # drops on the lens: each shows the world upside down, out of focus, and all else is soft
        out = cv2.GaussianBlur(img, (0, 0), rng.uniform(1.8, 5))
        flip = cv2.GaussianBlur(np.ascontiguousarray(img[::-1]), (0, 0), rng.uniform(1, 4))
        for _ in range(rng.integers(6, 45)):
            r = np.exp(rng.uniform(np.log(3), np.log(24)))
            m = cv2.GaussianBlur(blob(rng, n, r, rng.uniform(0, n, 2), 0.15), (0, 0), rng.uniform(0.8, 2.5))[..., None]
            d = flip * rng.uniform(0.6, 1.3) + rng.uniform(-0.1, 0.15)
            out = out * (1 - m) + d * m
    if rng.random() < 0.3:  # condensation and bad lenses take the contrast too
        out = (out - 0.5) * rng.uniform(0.4, 0.9) + 0.5 + rng.uniform(-0.1, 0.2)
    if rng.random() < 0.6:
        out = out + normal(rng, *out.shape) * (rng.uniform(0, 3.5) / 255)
    return jpeg(out, rng.integers(40, 98)) if rng.random() < 0.6 else out


# --- covered

def cover_colour(rng):
    kind = rng.random()
    if kind < 0.3:  # skin, lit, in shadow, or with light behind it
        c = np.array([1, rng.uniform(0.55, 0.85), rng.uniform(0.4, 0.75)]) * rng.uniform(0.15, 0.95)
        if rng.random() < 0.25:
            c = np.array([rng.uniform(0.4, 0.9), rng.uniform(0.05, 0.25), rng.uniform(0.02, 0.2)])
    elif kind < 0.55:  # tape, plastic, metal, cardboard
        c = np.ones(3) * rng.uniform(0.02, 0.85) * rng.uniform(0.92, 1.0, 3)
    elif kind < 0.65:  # leaves
        c = np.array([rng.uniform(0.1, 0.4), rng.uniform(0.25, 0.6), rng.uniform(0.02, 0.25)])
    elif kind < 0.78:  # snow, paper
        c = np.ones(3) * rng.uniform(0.6, 0.86) * np.array([rng.uniform(0.92, 1), rng.uniform(0.95, 1), 1])
    elif kind < 0.86:  # cardboard, wood
        c = np.array([1, rng.uniform(0.72, 0.85), rng.uniform(0.45, 0.65)]) * rng.uniform(0.25, 0.8)
    else:  # cloth, paint
        c = rng.uniform(0.05, 0.85, 3)
    return c.astype(np.float32)


def cover_surface(rng, n, img):
    """Something very near the lens: light and shade, and no detail that is sharp."""
    s = np.ones((n, n, 1), np.float32) * cover_colour(rng)
    s = s * np.exp(smooth(rng, n, 1) * rng.uniform(0, 0.5))[..., None]
    if rng.random() < 0.6:
        s = s * np.exp(smooth(rng, n, int(rng.integers(2, 9))) * rng.uniform(0, 0.18))[..., None]
    kind = rng.random()
    if kind < 0.15:  # a weave, folds
        y, x = np.mgrid[0:n, 0:n].astype(np.float32)
        a, p = rng.uniform(0, np.pi), rng.uniform(5, 60)
        w = np.sin((x * np.cos(a) + y * np.sin(a)) * 2 * np.pi / p + smooth(rng, n, 4))
        if rng.random() < 0.5:
            w = w * np.sin((y * np.cos(a) - x * np.sin(a)) * 2 * np.pi / p)
        s = s * (1 + w * rng.uniform(0.02, 0.2))[..., None]
    elif kind < 0.3:  # soft lumps: fingers, leaves over one another
        for _ in range(rng.integers(2, 9)):
            m = cv2.GaussianBlur(blob(rng, n, rng.uniform(0.1, 0.5) * n, rng.uniform(-0.1, 1.1, 2) * n, 0.3), (0, 0), rng.uniform(3, 12))[..., None]
            s = s * (1 - m) + s * rng.uniform(0.55, 1.35) * m
    elif kind < 0.42:  # light comes through
        s = s + cv2.GaussianBlur(img, (0, 0), n * rng.uniform(0.05, 0.15)) * rng.uniform(0.05, 0.4)
    return np.clip(s, 0, 1)


def covering_mask(rng, n):
    kind = rng.random()
    y, x = np.mgrid[0:n, 0:n].astype(np.float32) / n - 0.5
    want = rng.uniform(0.56, 0.99)
    if kind < 0.2:
        return np.ones((n, n), np.float32)
    if kind < 0.45:  # from a side
        a = rng.uniform(0, 2 * np.pi)
        f = x * np.cos(a) + y * np.sin(a) + smooth(rng, n, int(rng.integers(1, 6))) * rng.uniform(0, 0.1)
    elif kind < 0.75:  # something round or lumpy
        c = rng.uniform(-0.3, 0.3, 2)
        f = -np.hypot((x - c[0]) * rng.uniform(0.6, 1.6), y - c[1]) + smooth(rng, n, int(rng.integers(2, 6))) * rng.uniform(0, 0.12)
    elif kind < 0.84:  # a rectangle: tape, a sheet of paper
        a, c = rng.uniform(0, np.pi), rng.uniform(-0.2, 0.2, 2)
        u, v = (x - c[0]) * np.cos(a) + (y - c[1]) * np.sin(a), (y - c[1]) * np.cos(a) - (x - c[0]) * np.sin(a)
        f = -np.maximum(np.abs(u) * rng.uniform(0.4, 1), np.abs(v))
    else:  # in pieces: snow, mud, leaves
        f = smooth(rng, n, int(rng.integers(3, 14)))
    return (f > np.quantile(f, 1 - want)).astype(np.float32)


def web(rng, img):
    """A spider's web, or hairs, near the lens: wide soft strands across all of it."""
    n = img.shape[0]
    m = np.zeros((n, n), np.uint8)
    c = rng.uniform(-0.1, 1.1, 2) * n
    spokes = rng.integers(9, 26)
    angles = np.sort(rng.uniform(0, 2 * np.pi, spokes))
    width = lambda: int(rng.integers(1, 5))
    for a in angles:
        e = c + np.array([np.cos(a), np.sin(a)]) * 2 * n
        cv2.line(m, tuple(np.int32(c * 16)), tuple(np.int32(e * 16)), int(rng.integers(140, 256)), width(), cv2.LINE_AA, 4)
    r, step = rng.uniform(5, 20), rng.uniform(7, 22)
    while r < 1.5 * n:
        p = [c + np.array([np.cos(a), np.sin(a)]) * r * rng.uniform(0.94, 1.06) for a in angles]
        cv2.polylines(m, [np.int32(np.array(p) * 16)], True, int(rng.integers(110, 256)), width(), cv2.LINE_AA, 4)
        r += step * rng.uniform(0.6, 1.4)
    f = cv2.GaussianBlur(m.astype(np.float32) / 255, (0, 0), rng.uniform(0.8, 4))
    f = np.clip(f * rng.uniform(1, 2.2), 0, 1)[..., None] * rng.uniform(0.6, 1)
    tone = np.float32(rng.uniform(0.5, 1)) if rng.random() < 0.85 else np.float32(rng.uniform(0, 0.15))
    if rng.random() < 0.5:
        img = cv2.GaussianBlur(img, (0, 0), rng.uniform(0.5, 2))
    return img * (1 - f) + tone * f


def covered(rng, img, other):
    n = img.shape[0]
    if rng.random() < 0.1:
        img = web(rng, img)
    else:
        m = covering_mask(rng, n)
        if rng.random() < 0.8:
            m = cv2.GaussianBlur(m, (0, 0), rng.uniform(1.5, 14))
        m = m[..., None] * (rng.uniform(0.85, 1) if rng.random() < 0.3 else 1)
        if rng.random() < 0.3:  # what is left of the scene is out of focus or in the shade
            img = cv2.GaussianBlur(img, (0, 0), rng.uniform(1, 6))
        if rng.random() < 0.3:
            img = img * rng.uniform(0.3, 1)
        img = img * (1 - m) + cover_surface(rng, n, img) * m
        mean = float(luma(np.clip(img, 0, 1)).mean())
        if mean < 0.13:
            img = img * (0.14 / max(mean, 0.02)) + 0.01
    if rng.random() < 0.7:
        img = img + normal(rng, *img.shape) * (rng.uniform(0, 4) / 255)
    return jpeg(img, rng.integers(40, 98)) if rng.random() < 0.6 else img


# --- corrupt

def blocks_mask(rng, n, b, cover):
    """Macroblocks that are hit: in runs along rows, as slices are lost."""
    g = n // b + 1
    m = np.zeros((g, g), bool)
    for _ in range(500):
        r, c, run = rng.integers(g), rng.integers(g), int(rng.geometric(0.15 + 0.5 * rng.random()))
        m[r, c:c + run] = True
        if rng.random() < 0.4:
            m[r:r + rng.integers(1, 4), c:c + run] = True
        if m.mean() > cover:
            break
    return np.kron(m, np.ones((b, b), bool))[:n, :n]


def strange(rng, n):
    """A colour that broken decoders show."""
    c = [[0, 0.53, 0], [0.5, 0.5, 0.5], [0, 1, 0], [1, 0, 1], [0.9, 0.3, 0.8], [0, 0, 0], [0.1, 0.9, 0.3], [0.55, 0, 0.5]][rng.integers(8)]
    return np.float32(c) * np.float32(rng.uniform(0.7, 1.0))


def macroblocks(rng, img, other):
    n = img.shape[0]
    b = int(rng.choice([4, 6, 8, 11, 16, 24]))
    m = blocks_mask(rng, n, b, rng.uniform(0.2, 0.7))
    kind = rng.random()
    if kind < 0.3:  # from elsewhere in the picture, each its own way
        g = n // b + 1
        dy, dx = [np.kron(rng.integers(-40, 41, (g, g)), np.ones((b, b), int))[:n, :n] for _ in "yx"]
        y, x = np.mgrid[0:n, 0:n]
        bad = img[(y + dy) % n, (x + dx) % n]
    elif kind < 0.45:
        bad = np.broadcast_to(strange(rng, n), img.shape)
    elif kind < 0.7:  # only each block's mean, or its first frequencies, off in colour
        g = n // b + 1
        small = cv2.resize(img, (g, g), interpolation=cv2.INTER_AREA) + rng.normal(0, rng.uniform(0.02, 0.35), (g, g, 3)).astype(np.float32)
        bad = np.kron(small, np.ones((b, b, 1), np.float32))[:n, :n]
    elif kind < 0.85:  # the residual on top of another picture
        bad = other + img - cv2.GaussianBlur(img, (0, 0), 4)
    else:  # noise of the transform: basis functions instead of a picture
        g = n // b + 1
        y, x = np.mgrid[0:b, 0:b].astype(np.float32)
        tiles = np.stack([np.cos((2 * y + 1) * i * np.pi / (2 * b)) * np.cos((2 * x + 1) * j * np.pi / (2 * b)) for i, j in rng.integers(0, 6, (8, 2))])
        pick = rng.integers(0, 8, (g, g))
        bad = tiles[pick].transpose(0, 2, 1, 3).reshape(g * b, g * b)[:n, :n, None] * rng.uniform(0.15, 0.6, 3).astype(np.float32) + img * 0.6 + 0.1
    return np.where(m[..., None], bad, img)


def smear(rng, img, other):
    """The rest of the picture is lost: its last rows are drawn down, or grey, or green."""
    n = img.shape[0]
    y0 = int(rng.uniform(0.05, 0.75) * n)
    out = img.copy()
    kind = rng.random()
    if kind < 0.4:
        k = int(rng.integers(1, 10))
        rows = img[y0:y0 + k]
        fill = np.concatenate([rows] * (n // k + 2))[:n - y0]
        if rng.random() < 0.4:
            fill = fill * np.linspace(1, rng.uniform(0.2, 1), n - y0, dtype=np.float32)[:, None, None]
        out[y0:] = fill
    elif kind < 0.75:
        out[y0:] = strange(rng, n) if rng.random() < 0.6 else 0.5
        if rng.random() < 0.5:
            b = int(rng.choice([6, 8, 16]))
            x0 = int(rng.integers(0, n))
            out[max(y0 - b, 0):y0, x0:] = out[-1, -1]
    else:
        out[y0:] = np.roll(img[y0:], int(rng.integers(20, n - 20)), 1)
        out[y0:] = out[y0:, :, [2, 0, 1]] if rng.random() < 0.5 else out[y0:] * rng.uniform(0.5, 1.5, 3).astype(np.float32)
    if rng.random() < 0.3:
        out = np.ascontiguousarray(out[::-1])
    return out


def torn(rng, img, other):
    """Rows that are not where they should be."""
    n = img.shape[0]
    kind = rng.random()
    if kind < 0.3:  # the one from a row on
        y = int(rng.uniform(0.15, 0.85) * n)
        rest = other if rng.random() < 0.5 else np.roll(img, int(rng.integers(n // 12, n - n // 12)), 1)
        return np.concatenate([img[:y], rest[y:]] if rng.random() < 0.7 else [rest[:y], img[y:]])
    if kind < 0.5:  # bands of another moment, or shifted
        out, y = img.copy(), 0
        while y < n:
            h = int(rng.integers(6, 60))
            s = int(rng.integers(-n // 3, n // 3))
            band = other[y:y + h] if rng.random() < 0.4 else np.roll(img[y:y + h], s, 1)
            if rng.random() < 0.7:
                out[y:y + h] = band
            y += h
        return out
    if kind < 0.75:  # a wrong stride
        shift = rng.uniform(0.3, 6) * rng.choice([-1, 1])
        y, x = np.mgrid[0:n, 0:n]
        return img[y, (x + (y * shift).astype(int)) % n]
    if kind < 0.88:  # rows that jitter
        j = (normal(rng, n, 1) * rng.uniform(3, 22)).astype(int)
        if rng.random() < 0.5:
            j = np.repeat(j[::4], 4, 0)[:n]
        y, x = np.mgrid[0:n, 0:n]
        return img[y, (x + j) % n]
    s = int(rng.uniform(0.2, 0.8) * n)  # a picture that rolls, with its bar
    out = np.roll(img, s, 0)
    out[s:s + int(rng.integers(5, 20))] = rng.uniform(0, 0.15)
    return np.roll(out, int(rng.uniform(0.1, 0.9) * n), 1)


def planes(rng, img, other):
    """Colours in the wrong place: planes swapped, shifted, missing, or read as another format."""
    n = img.shape[0]
    kind = rng.random()
    ycc = cv2.cvtColor(np.clip(img, 0, 1), cv2.COLOR_RGB2YCrCb)
    if kind < 0.3:
        dy, dx = rng.integers(12, 80, 2) * rng.choice([-1, 1], 2)
        ycc[..., 1:] = np.roll(ycc[..., 1:], (dy, dx), (0, 1)) * 1.0
        ycc[..., 1:] = (ycc[..., 1:] - 0.5) * rng.uniform(1.5, 4) + 0.5
    elif kind < 0.55:
        ycc[..., 1] = rng.choice([0.0, 1.0]) if rng.random() < 0.7 else ycc[..., 1]
        ycc[..., 2] = rng.choice([0.0, 1.0]) if rng.random() < 0.7 else ycc[..., 0]
    elif kind < 0.75:  # chroma out of what is not chroma
        o = cv2.resize(cv2.resize(luma(other), (n // 8,) * 2, interpolation=cv2.INTER_AREA), (n, n), interpolation=cv2.INTER_NEAREST)
        ycc[..., 1], ycc[..., 2] = o, 1 - o if rng.random() < 0.5 else o[::-1]
    else:  # a picture of a quarter's width, four times, in stripes: a packed format taken for a planar one
        k = int(rng.choice([2, 3, 4]))
        small = cv2.resize(img, (n // k + 1, n), interpolation=cv2.INTER_AREA)
        out = np.concatenate([small * (1 if rng.random() < 0.5 else rng.uniform(0.6, 1.3, 3).astype(np.float32)) for _ in range(k)], 1)[:, :n]
        if rng.random() < 0.6:
            out[::2] = out[::2, :, [1, 2, 0]]
        return np.ascontiguousarray(out)
    return cv2.cvtColor(np.clip(ycc, 0, 1), cv2.COLOR_YCrCb2RGB)


def testcard(rng, img, other):
    """What a recorder shows where there is no picture: bars, one colour and words, black and words."""
    n = img.shape[0]
    kind = rng.random()
    out = np.zeros_like(img)
    if kind < 0.45:
        bars = np.float32([[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 1, 0], [1, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0]]) * np.float32(rng.choice([0.75, 1.0, 0.9]))
        if rng.random() < 0.3:
            bars = bars[::-1]
        bars = bars[: int(rng.integers(6, 9))]
        out[:] = bars[(np.arange(n) * len(bars) // n)][None]
        if rng.random() < 0.5:
            y0 = int(rng.uniform(0.6, 0.8) * n)
            out[y0:] = bars[::-1][(np.arange(n) * len(bars) // n)][None] if rng.random() < 0.5 else np.linspace(0, 1, n, dtype=np.float32)[None, :, None]
    elif kind < 0.85:  # no signal
        out[:] = np.float32([[0, 0, rng.uniform(0.4, 1)], [0.05, 0.1, rng.uniform(0.5, 0.9)], [0, 0, rng.uniform(0.5, 0.9)], [rng.uniform(0.1, 0.3)] * 3][rng.integers(4)])
    else:
        y, x = np.mgrid[0:n, 0:n]
        b = int(rng.integers(6, 40))
        out[:] = (((x // b + y // b) % 2)[..., None] * rng.uniform(0.5, 1, 3)).astype(np.float32)
    words = ["NO SIGNAL", "No Signal", "VIDEO LOSS", "NO VIDEO", "Connecting...", "OFFLINE", "CAM 3", "NO INPUT", "signal lost"]
    if kind >= 0.45 or rng.random() < 0.3:
        m = np.zeros((n, n), np.uint8)
        for _ in range(rng.integers(1, 3)):
            cv2.putText(m, str(rng.choice(words)), (int(rng.uniform(0.02, 0.5) * n), int(rng.uniform(0.2, 0.9) * n)), int(rng.integers(0, 5)),
                        n / 224 * rng.uniform(0.5, 1.3), 255, int(rng.integers(1, 3)), cv2.LINE_AA)
        out = np.maximum(out, (m.astype(np.float32) / 255)[..., None] * np.float32(rng.uniform(0.7, 1)))
    return out


def starved(rng, img, other):
    """A codec that has no bits left, and has had none for a while."""
    n = img.shape[0]
    out = jpeg(img, rng.integers(1, 5)) if rng.random() < 0.4 else img
    b = int(rng.choice([8, 12, 16, 20]))
    g = n // b + 1
    small = cv2.resize(out, (g, g), interpolation=cv2.INTER_AREA)
    q = rng.uniform(0.08, 0.25)
    small = np.round(small / q) * q
    flat = np.kron(small, np.ones((b, b, 1), np.float32))[:n, :n]
    m = blocks_mask(rng, n, b, rng.uniform(0.4, 0.98))[..., None]
    return np.where(m, flat, out)


def orphaned(rng, img, other):
    """Pictures that are only differences: the one they build on is missing, so they lie on grey."""
    d = (img - np.roll(img, rng.integers(1, 7, 2) * rng.choice([-1, 1], 2), (0, 1))) * rng.uniform(0.5, 1.6)
    base = 0.5 * np.ones(3, np.float32) if rng.random() < 0.7 else strange(rng, 0)
    m = np.clip(cv2.resize(normal(rng, 15, 15), img.shape[:2], interpolation=cv2.INTER_NEAREST) + 0.7, 0, 1)[..., None]
    return base + d * (1 if rng.random() < 0.5 else m)


CORRUPT = [macroblocks, macroblocks, macroblocks, smear, smear, torn, torn, planes, planes, testcard, starved, orphaned]


def corrupt(rng, img, other):
    for _ in range(6):
        out = CORRUPT[rng.integers(len(CORRUPT))](rng, img, other)
        if (np.abs(out - img).max(2) > 0.08).mean() > 0.15:  # else nobody would see it
            break
    img = out
    if rng.random() < 0.12:
        img = CORRUPT[rng.integers(len(CORRUPT))](rng, np.clip(img, 0, 1).astype(np.float32), other)
    img = np.clip(img, 0, 1).astype(np.float32)
    if rng.random() < 0.3:  # made small on its way to the network
        img = cv2.GaussianBlur(img, (0, 0), rng.uniform(0.3, 0.6))
    return jpeg(img, rng.integers(50, 98)) if rng.random() < 0.5 else img


# --- noisy

def noisy(rng, img, other):
    n = img.shape[0]
    kind = rng.random()
    if kind < 0.35:  # infrared: grey, lit in the middle
        img = np.repeat(luma(img)[..., None], 3, 2) ** rng.uniform(0.8, 1.6)
        y, x = np.mgrid[0:n, 0:n].astype(np.float32) / n - 0.5
        img = img * np.clip(rng.uniform(0.5, 1.1) - (x * x + y * y) * rng.uniform(0, 1.8), 0.05, 2)[..., None]
    if rng.random() < 0.5:
        img = img * rng.uniform(0.25, 0.9) + rng.uniform(0, 0.12)
    sigma = np.exp(rng.uniform(np.log(11), np.log(70))) / 255
    grey = kind < 0.35 or rng.random() < 0.3
    g = normal(rng, n, n, 1) if grey else normal(rng, n, n, 3)
    if rng.random() < 0.4:  # grain larger than a pixel: a sensor's own raster, a denoiser, a stretched picture
        g = cv2.GaussianBlur(g, (0, 0), rng.uniform(0.4, 1.3)).reshape(n, n, -1)
        g = g / (g.std() + 1e-6)
    if not grey and rng.random() < 0.4:  # colour noise is coarser
        c = cv2.GaussianBlur(normal(rng, n, n, 3), (0, 0), rng.uniform(1, 3.5))
        g = g * 0.7 + c / (c.std() + 1e-6) * 0.7
    shot = np.sqrt(np.clip(img, 0.02, 1) / 0.4) if rng.random() < 0.5 else 1.0
    out = img + g * sigma * shot
    if rng.random() < 0.3:  # rows and columns that differ
        out = out + normal(rng, n, 1, 1) * rng.uniform(0, 0.05)
        out = out + normal(rng, 1, n, 1) * rng.uniform(0, 0.05)
    if kind > 0.86:  # hot, dead and shaken pixels
        out = out if rng.random() < 0.3 else img.copy()
        hit = rng.random((n, n) if rng.random() < 0.7 else (n, n, 3)) < rng.uniform(0.03, 0.25)
        value = (rng.random(hit.shape) < 0.5).astype(np.float32) if rng.random() < 0.6 else rng.random(hit.shape).astype(np.float32)
        if hit.ndim == 2:
            hit, value = hit[..., None], value[..., None]
        out = np.where(hit, value, out)
    out = np.clip(out, 0, 1).astype(np.float32)
    if sigma > 0.07 and rng.random() < 0.2:
        out = cv2.bilateralFilter(out, 5, rng.uniform(0.03, 0.12), 2)
    return jpeg(out, rng.integers(50, 98)) if rng.random() < 0.5 else out


MAKERS = {f.__name__: f for f in (clear, dark, overexposed, blurred, covered, corrupt, noisy)}


def frame(rng, img):
    """What recorders and films put around and over a picture, whatever it shows: bars, the time, a name."""
    n = img.shape[0]
    if rng.random() < 0.5:
        tone = rng.choice([0.0, 0.0, 0.0, 0.05, 1.0, 0.9])
        a, b = (rng.integers(0, n // 6, 2) if rng.random() < 0.4 else [rng.integers(0, n // 6)] * 2)
        img = img.copy()
        if rng.random() < 0.5:
            img[:a], img[n - b:] = tone, tone
        else:
            img[:, :a], img[:, n - b:] = tone, tone
    else:
        m, ink = np.zeros((n, n), np.uint8), rng.choice([1.0, 1.0, 0.85, 0.0])
        for _ in range(rng.integers(1, 3)):
            words = "".join(rng.choice(list("0123456789-:/ CAMcam"), rng.integers(4, 20)))
            at = (int(rng.uniform(-0.1, 0.6) * n), int((rng.uniform(0.03, 0.12) if rng.random() < 0.5 else rng.uniform(0.9, 0.99)) * n))
            cv2.putText(m, words, at, int(rng.integers(0, 4)), rng.uniform(0.25, 0.6), 255, 1, cv2.LINE_AA)
        m = (m.astype(np.float32) / 255)[..., None]
        img = img * (1 - m) + m * np.float32(ink)
    return img


# What the network sees at once, in pixels.
WHOLE = 224


def view(rng, scene, size):
    """Shows a scene as the network sees it, or of that a part of size x size: all of the scene or some, at most its own resolution, stretched
    to a square, as frames are, and either way round."""
    whole = rng.random() < 0.5
    sides = []
    for n in scene.shape[:2]:
        shown = n * rng.uniform(0.9, 1) if whole else rng.uniform(min(WHOLE, n), n)
        part = shown * size / WHOLE
        at = rng.uniform(0, n - shown) + rng.uniform(0, max(shown - part, 0))
        sides.append(slice(int(at), int(at) + max(int(part), 1)))
    img = cv2.resize(scene[tuple(sides)], (size, size), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        img = img[:, ::-1]
    img = np.ascontiguousarray(img).astype(np.float32) / 255
    if rng.random() < 0.3:
        img = img * rng.uniform(0.9, 1.1, 3).astype(np.float32)
    return np.clip(img, 0, 1)


def make(rng, pick, name, size):
    """One picture of a class. pick() gives a scene; another is drawn where one will not do: what shows nothing cannot be blurred."""
    for _ in range(100):
        img, other = view(rng, pick(), size), view(rng, pick(), size)
        y = luma(img)
        if name in ("clear", "blurred", "noisy", "covered", "corrupt") and not 0.12 < y.mean() < 0.86:
            continue
        edges = np.abs(cv2.Laplacian(y, cv2.CV_32F))
        if name == "blurred" and edges.mean() < 0.03 or name == "clear" and (edges > 0.05).mean() < 0.01:
            continue
        framed = rng.random() < 0.12
        if framed and name in ("clear", "covered", "corrupt", "noisy"):
            img = frame(rng, img)
        out = np.clip(MAKERS[name](rng, img, other), 0, 1)
        if framed and name == "blurred":
            out = frame(rng, out)
        if name == "overexposed" and not is_overexposed(out) or name == "clear" and is_overexposed(out):
            continue
        if name == "clear" and luma(out).mean() < 0.125:
            continue
        return (out * 255 + 0.5).astype(np.uint8), cells(img, out, name)
    raise RuntimeError(f"of 100 scenes none will do for {name}")


def cells(img, out, name):
    """The class of each 16 x 16 pixels of it: what covers a picture, or is corrupt, need not be everywhere."""
    n, c = img.shape[0] // 16, CLASSES.index(name)
    if name not in ("covered", "corrupt"):
        return np.full((n, n), c)
    hit = (np.abs(out - img).max(2) > 0.1).astype(np.float32)
    return np.where(cv2.resize(hit, (n, n), interpolation=cv2.INTER_AREA) > 0.25, c, 0)
