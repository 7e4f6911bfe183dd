// Small pictures of items and creatures, drawn once per look and size.

import { css, mix, rgb, scale, sheet } from './noise.js';

export const FONT = '"Iosevka", "JetBrains Mono", "Cascadia Mono", ui-monospace, Menlo, "DejaVu Sans Mono", monospace';

/** Which drawing fits the category (or the name) of an item. */
const ICONS = [
  [/potion|flask/, potion],
  [/scroll/, scroll],
  [/staff|wand/, staff],
  [/charm|amulet|ring|talisman/, charm],
  [/key/, key],
  [/gold|coin/, gold],
  [/gem|treasure|prize|lumen/, gem],
  [/food|mango|ration/, food],
  [/armou?r|mail|leather/, armor],
  [/dart|javelin|arrow|thrown/, dart],
  [/axe|mace|hammer/, axe],
  [/\bbow\b/, bow],
  [/weapon|sword|dagger|spear|pike/, sword],
];

export class Icons {
  constructor(size) {
    this.size = size;
    this.kept = new Map();
  }

  item(look) {
    return this.#keep(`item ${look.name} ${look.color}`, (p) => {
      const named = ICONS.find(([rule]) => rule.test(`${look.name}`.toLowerCase()));
      const sorted = ICONS.find(([rule]) => rule.test(`${look.category}`.toLowerCase()));
      const drawing = /weapon|armou?r/.test(look.category ?? '') ? (named ?? sorted) : (sorted ?? named);
      p.ctx.fillStyle = 'rgba(0,0,0,0.45)';
      p.ctx.beginPath();
      p.ctx.ellipse(p.s * 0.5, p.s * 0.84, p.s * 0.27, p.s * 0.08, 0, 0, 7);
      p.ctx.fill();
      if (drawing) drawing[1]({ ...p, color: rgb(look.color) });
      else letter(p, look.glyph, rgb(look.color), 0.72);
    });
  }

  /** A monster: its letter, lit from above, with a dark rim. */
  creature(kind) {
    return this.#keep(`kind ${kind.glyph} ${kind.color}`, (p) => letter(p, kind.glyph, rgb(kind.color), 0.86));
  }

  /** A hooded adventurer in a cloak of the given colour. */
  hero(color) {
    return this.#keep(`hero ${color}`, (p) => hero(p, color));
  }

  #keep(key, draw) {
    let picture = this.kept.get(key);
    if (!picture) {
      const { canvas, ctx } = sheet(this.size, this.size);
      draw({ ctx, s: this.size });
      this.kept.set(key, canvas);
      picture = canvas;
    }
    return picture;
  }
}

/** A player's cloak, by name. */
export function cloak(name) {
  let h = 7;
  for (const c of name) h = (Math.imul(h, 31) + c.codePointAt(0)) >>> 0;
  // Names that differ in one letter get colours far apart.
  return `hsl(${Math.floor((Math.imul(h, 0x9e3779b1) >>> 0) / 2 ** 32 * 360)} 55% 58%)`;
}

function letter({ ctx, s }, glyph, color, size) {
  ctx.font = `800 ${Math.round(s * size)}px ${FONT}`;
  ctx.textAlign = 'center';
  ctx.textBaseline = 'alphabetic';
  const { actualBoundingBoxAscent: up, actualBoundingBoxDescent: down } = ctx.measureText(glyph);
  const y = s / 2 + (up - down) / 2;
  ctx.lineJoin = 'round';
  ctx.strokeStyle = css(scale(color, 0.12), 0.95);
  ctx.lineWidth = Math.max(2.5, s * 0.17);
  ctx.strokeText(glyph, s / 2, y);
  const gradient = ctx.createLinearGradient(0, y - up, 0, y + down);
  gradient.addColorStop(0, css(mix(color, [255, 255, 255], 0.5)));
  gradient.addColorStop(0.45, css(color));
  gradient.addColorStop(1, css(scale(color, 0.62)));
  ctx.fillStyle = gradient;
  ctx.fillText(glyph, s / 2, y);
}

function outline(ctx, s) {
  ctx.strokeStyle = 'rgba(8,6,12,0.9)';
  ctx.lineWidth = Math.max(1.2, s * 0.05);
  ctx.lineJoin = 'round';
  ctx.stroke();
}

function hero({ ctx, s }, color) {
  ctx.fillStyle = color;
  ctx.beginPath();
  ctx.moveTo(s * 0.5, s * 0.1);
  ctx.bezierCurveTo(s * 0.74, s * 0.14, s * 0.7, s * 0.42, s * 0.78, s * 0.86);
  ctx.quadraticCurveTo(s * 0.5, s * 0.96, s * 0.22, s * 0.86);
  ctx.bezierCurveTo(s * 0.3, s * 0.42, s * 0.26, s * 0.14, s * 0.5, s * 0.1);
  ctx.fill();
  outline(ctx, s);
  const shade = ctx.createLinearGradient(s * 0.25, 0, s * 0.8, 0);
  shade.addColorStop(0, 'rgba(255,255,255,0.28)');
  shade.addColorStop(0.5, 'rgba(0,0,0,0)');
  shade.addColorStop(1, 'rgba(0,0,0,0.4)');
  ctx.fillStyle = shade;
  ctx.fill();
  ctx.fillStyle = '#130e16';
  ctx.beginPath();
  ctx.ellipse(s * 0.5, s * 0.32, s * 0.13, s * 0.14, 0, 0, 7);
  ctx.fill();
  ctx.fillStyle = '#f4d6a8';
  ctx.beginPath();
  ctx.ellipse(s * 0.5, s * 0.345, s * 0.095, s * 0.1, 0, 0, 7);
  ctx.fill();
  ctx.fillStyle = '#1c1418';
  ctx.fillRect(s * 0.445, s * 0.325, s * 0.035, s * 0.05);
  ctx.fillRect(s * 0.525, s * 0.325, s * 0.035, s * 0.05);
  ctx.fillStyle = 'rgba(40,26,18,0.85)';
  ctx.fillRect(s * 0.29, s * 0.6, s * 0.42, s * 0.06);
  ctx.fillStyle = '#ffd27a';
  ctx.fillRect(s * 0.47, s * 0.59, s * 0.07, s * 0.08);
}

function potion({ ctx, s, color }) {
  ctx.fillStyle = css(color);
  ctx.beginPath();
  ctx.arc(s * 0.5, s * 0.6, s * 0.22, 0, 7);
  ctx.fill();
  outline(ctx, s);
  ctx.fillStyle = 'rgba(230,240,255,0.85)';
  ctx.beginPath();
  ctx.rect(s * 0.43, s * 0.24, s * 0.14, s * 0.17);
  ctx.fill();
  outline(ctx, s);
  ctx.fillStyle = '#8a5a30';
  ctx.fillRect(s * 0.42, s * 0.17, s * 0.16, s * 0.09);
  ctx.fillStyle = 'rgba(255,255,255,0.75)';
  ctx.beginPath();
  ctx.ellipse(s * 0.42, s * 0.54, s * 0.045, s * 0.08, 0.5, 0, 7);
  ctx.fill();
}

function scroll({ ctx, s, color }) {
  ctx.fillStyle = css(mix(color, [236, 220, 180], 0.7));
  ctx.beginPath();
  ctx.rect(s * 0.27, s * 0.26, s * 0.46, s * 0.5);
  ctx.fill();
  outline(ctx, s);
  ctx.fillStyle = '#b89a62';
  for (const y of [0.2, 0.7]) {
    ctx.beginPath();
    ctx.roundRect(s * 0.2, s * y, s * 0.6, s * 0.12, s * 0.06);
    ctx.fill();
    outline(ctx, s);
  }
  ctx.fillStyle = 'rgba(70,44,24,0.75)';
  for (const y of [0.38, 0.47, 0.56]) ctx.fillRect(s * 0.34, s * y, s * 0.32, s * 0.035);
}

function line(ctx, s, x0, y0, x1, y1, width, color) {
  ctx.lineCap = 'round';
  ctx.beginPath();
  ctx.moveTo(s * x0, s * y0);
  ctx.lineTo(s * x1, s * y1);
  ctx.strokeStyle = 'rgba(8,6,12,0.9)';
  ctx.lineWidth = s * (width + 0.07);
  ctx.stroke();
  ctx.strokeStyle = color;
  ctx.lineWidth = s * width;
  ctx.stroke();
}

function dot(ctx, s, x, y, r, color) {
  ctx.fillStyle = color;
  ctx.beginPath();
  ctx.arc(s * x, s * y, s * r, 0, 7);
  ctx.fill();
}

function staff({ ctx, s, color }) {
  line(ctx, s, 0.28, 0.8, 0.66, 0.3, 0.08, '#8a5c34');
  dot(ctx, s, 0.69, 0.26, 0.14, 'rgba(8,6,12,0.9)');
  dot(ctx, s, 0.69, 0.26, 0.105, css(color));
  dot(ctx, s, 0.66, 0.23, 0.035, '#ffffff');
}

function charm({ ctx, s, color }) {
  ctx.beginPath();
  ctx.arc(s * 0.5, s * 0.42, s * 0.2, 0.6, Math.PI - 0.6, true);
  ctx.strokeStyle = '#e2c878';
  ctx.lineWidth = s * 0.05;
  ctx.stroke();
  dot(ctx, s, 0.5, 0.64, 0.17, 'rgba(8,6,12,0.9)');
  dot(ctx, s, 0.5, 0.64, 0.13, css(color));
  dot(ctx, s, 0.46, 0.6, 0.04, 'rgba(255,255,255,0.9)');
}

function key({ ctx, s, color }) {
  line(ctx, s, 0.42, 0.5, 0.74, 0.76, 0.07, css(color));
  line(ctx, s, 0.66, 0.7, 0.74, 0.6, 0.06, css(color));
  ctx.beginPath();
  ctx.arc(s * 0.36, s * 0.42, s * 0.13, 0, 7);
  ctx.strokeStyle = 'rgba(8,6,12,0.9)';
  ctx.lineWidth = s * 0.13;
  ctx.stroke();
  ctx.strokeStyle = css(color);
  ctx.lineWidth = s * 0.07;
  ctx.stroke();
}

function gold({ ctx, s }) {
  for (const [x, y] of [[0.36, 0.7], [0.6, 0.72], [0.48, 0.58], [0.66, 0.58], [0.5, 0.44]]) {
    ctx.beginPath();
    ctx.ellipse(s * x, s * y, s * 0.13, s * 0.085, 0, 0, 7);
    ctx.fillStyle = '#f4c542';
    ctx.fill();
    outline(ctx, s * 0.7);
    ctx.fillStyle = '#fff0a8';
    ctx.fillRect(s * (x - 0.06), s * (y - 0.035), s * 0.07, s * 0.025);
  }
}

function gem({ ctx, s, color }) {
  ctx.fillStyle = css(color);
  ctx.beginPath();
  ctx.moveTo(s * 0.5, s * 0.8);
  ctx.lineTo(s * 0.22, s * 0.44);
  ctx.lineTo(s * 0.35, s * 0.24);
  ctx.lineTo(s * 0.65, s * 0.24);
  ctx.lineTo(s * 0.78, s * 0.44);
  ctx.closePath();
  ctx.fill();
  outline(ctx, s);
  ctx.fillStyle = 'rgba(255,255,255,0.6)';
  ctx.beginPath();
  ctx.moveTo(s * 0.37, s * 0.28);
  ctx.lineTo(s * 0.52, s * 0.28);
  ctx.lineTo(s * 0.42, s * 0.44);
  ctx.lineTo(s * 0.27, s * 0.44);
  ctx.fill();
}

function food({ ctx, s, color }) {
  ctx.fillStyle = css(color);
  ctx.beginPath();
  ctx.ellipse(s * 0.5, s * 0.58, s * 0.27, s * 0.2, -0.4, 0, 7);
  ctx.fill();
  outline(ctx, s);
  dot(ctx, s, 0.42, 0.5, 0.05, 'rgba(255,255,255,0.5)');
}

function armor({ ctx, s, color }) {
  ctx.fillStyle = css(color);
  ctx.beginPath();
  for (const [x, y] of [[0.34, 0.22], [0.42, 0.3], [0.58, 0.3], [0.66, 0.22], [0.84, 0.36], [0.74, 0.5], [0.7, 0.46], [0.7, 0.8], [0.3, 0.8], [0.3, 0.46], [0.26, 0.5], [0.16, 0.36]]) ctx.lineTo(s * x, s * y);
  ctx.closePath();
  ctx.fill();
  outline(ctx, s);
  ctx.fillStyle = 'rgba(0,0,0,0.28)';
  for (const y of [0.44, 0.55, 0.66]) ctx.fillRect(s * 0.34, s * y, s * 0.32, s * 0.03);
  ctx.fillStyle = 'rgba(255,255,255,0.25)';
  ctx.fillRect(s * 0.34, s * 0.36, s * 0.08, s * 0.4);
}

function dart({ ctx, s, color }) {
  line(ctx, s, 0.26, 0.76, 0.7, 0.32, 0.05, '#9a7448');
  line(ctx, s, 0.64, 0.38, 0.76, 0.26, 0.1, css(mix(color, [220, 220, 232], 0.5)));
  line(ctx, s, 0.22, 0.68, 0.34, 0.8, 0.05, '#b64a3c');
}

function axe({ ctx, s, color }) {
  line(ctx, s, 0.3, 0.82, 0.64, 0.24, 0.07, '#8a5c34');
  ctx.fillStyle = css(mix(color, [210, 212, 226], 0.5));
  ctx.beginPath();
  ctx.moveTo(s * 0.52, s * 0.3);
  ctx.quadraticCurveTo(s * 0.7, s * 0.1, s * 0.86, s * 0.36);
  ctx.quadraticCurveTo(s * 0.76, s * 0.5, s * 0.6, s * 0.46);
  ctx.closePath();
  ctx.fill();
  outline(ctx, s);
}

function sword({ ctx, s, color }) {
  const steel = css(mix(color, [224, 228, 240], 0.6));
  line(ctx, s, 0.4, 0.62, 0.76, 0.22, 0.1, steel);
  line(ctx, s, 0.3, 0.54, 0.5, 0.72, 0.07, '#c9a24a');
  line(ctx, s, 0.26, 0.78, 0.36, 0.67, 0.08, '#6a4426');
}

function bow({ ctx, s, color }) {
  ctx.lineCap = 'round';
  ctx.beginPath();
  ctx.arc(s * 0.34, s * 0.66, s * 0.42, -1.4, -0.17);
  ctx.strokeStyle = 'rgba(8,6,12,0.9)';
  ctx.lineWidth = s * 0.14;
  ctx.stroke();
  ctx.strokeStyle = css(color);
  ctx.lineWidth = s * 0.07;
  ctx.stroke();
  line(ctx, s, 0.41, 0.25, 0.75, 0.59, 0.02, '#e8e4d8');
  line(ctx, s, 0.28, 0.72, 0.66, 0.34, 0.04, '#c8b898');
}
