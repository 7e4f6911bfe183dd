// Numbers without state: hashes, value noise and colours.

/** A number from 0 up to 1 that depends on three integers only. */
export function hash(x, y, seed = 0) {
  let h = Math.imul(x | 0, 0x27d4eb2f) ^ Math.imul(y | 0, 0x165667b1) ^ Math.imul(seed | 0, 0x3c6ef35f);
  h = Math.imul(h ^ (h >>> 15), 0x2c2c57ed);
  h ^= h >>> 13;
  return (h >>> 0) / 4294967296;
}

/** Smooth noise from 0 to 1 over the plane. */
export function noise(x, y, seed = 0) {
  const [ix, iy] = [Math.floor(x), Math.floor(y)];
  const [fx, fy] = [x - ix, y - iy];
  const [sx, sy] = [fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)];
  const top = hash(ix, iy, seed) * (1 - sx) + hash(ix + 1, iy, seed) * sx;
  const bottom = hash(ix, iy + 1, seed) * (1 - sx) + hash(ix + 1, iy + 1, seed) * sx;
  return top * (1 - sy) + bottom * sy;
}

/** A generator for drawing one picture: `next()` from 0 to 1. */
export function generator(seed) {
  let n = 0;
  return () => hash((n += 1), seed, 77);
}

export function rgb(hex) {
  const value = Number.parseInt(hex.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

export function css([r, g, b], alpha = 1) {
  return `rgba(${Math.round(r)},${Math.round(g)},${Math.round(b)},${alpha})`;
}

export function mix(a, b, t) {
  return [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t];
}

export function scale(color, factor) {
  return color.map((c) => Math.max(0, Math.min(255, c * factor)));
}

/** A canvas off the page and its context. */
export function sheet(width, height) {
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(width));
  canvas.height = Math.max(1, Math.round(height));
  return { canvas, ctx: canvas.getContext('2d') };
}

/** A soft round blob, for glows and flames. */
export function blob(size, color, inner = 0) {
  const { canvas, ctx } = sheet(size, size);
  const gradient = ctx.createRadialGradient(size / 2, size / 2, inner, size / 2, size / 2, size / 2);
  gradient.addColorStop(0, css(color, 1));
  gradient.addColorStop(0.35, css(color, 0.45));
  gradient.addColorStop(0.7, css(color, 0.1));
  gradient.addColorStop(1, css(color, 0));
  ctx.fillStyle = gradient;
  ctx.fillRect(0, 0, size, size);
  return canvas;
}
