// Pictures of terrain: drawn once per kind, variant and size, then kept, in colour for what is in
// sight and in grey for what is remembered.

import { css, generator, mix, rgb, scale, sheet } from './noise.js';

const VARIANTS = 12;
const FLOOR = [74, 69, 84];

/** How a terrain is drawn: the first rule that fits its row. */
const STYLES = [
  [(t) => t.wall, null],
  [(t) => /fountain/.test(t.name), fountain],
  [(t) => /door/.test(t.name) && t.glyph === "'", openDoor],
  [(t) => /door/.test(t.name), door],
  [(t) => t.glyph === '>', (p) => stairs(p, 1)],
  [(t) => t.glyph === '<', (p) => stairs(p, -1)],
  [(t) => /bridge/.test(t.name), bridge],
  [(t) => t.lava || t.water || /bog/.test(t.name), bed],
  [(t) => /thorn|bush/.test(t.name), bush],
  [(t) => /grass/.test(t.name), grass],
  [(t) => /rubble/.test(t.name), rubble],
  [(t) => /bones/.test(t.name), bones],
  [(t) => /statue/.test(t.name), statue],
  [(t) => /pillar/.test(t.name), pillar],
  [(t) => /ash/.test(t.name), ash],
  [(t) => /fungus/.test(t.name), fungus],
  [(t) => /altar/.test(t.name), altar],
  [(t) => /carpet/.test(t.name), carpet],
  [(t) => /web/.test(t.name), web],
  [(t) => t.trap || t.glyph === '^', trap],
  [(t) => /sand/.test(t.name), (p) => ground(p, [150, 130, 92], 12)],
  [(t) => t.glyph === '.', floor],
];

export class Tiles {
  constructor(size) {
    this.size = size;
    this.kept = new Map();
    this.shade = shadows(size);
  }

  /** The picture of a terrain; `part` is '', 'top', 'face' or 'side'. */
  of(terrain, variant, part, grey) {
    const key = `${terrain.number}/${variant % VARIANTS}/${part}/${grey}`;
    let picture = this.kept.get(key);
    if (!picture) {
      picture = grey ? greyed(this.of(terrain, variant, part, false)) : this.#draw(terrain, variant % VARIANTS, part);
      this.kept.set(key, picture);
    }
    return picture;
  }

  #draw(terrain, variant, part) {
    const { canvas, ctx } = sheet(this.size, this.size);
    const paint = {
      ctx,
      s: this.size,
      random: generator(terrain.number * 31 + variant * 7 + 1),
      fg: rgb(terrain.fg),
      bg: rgb(terrain.bg),
      terrain,
      part,
    };
    if (terrain.wall) wall(paint);
    else (STYLES.find(([fits]) => fits(terrain))?.[1] ?? glyph)(paint);
    return canvas;
  }
}

function greyed(picture) {
  const { canvas, ctx } = sheet(picture.width, picture.height);
  ctx.drawImage(picture, 0, 0);
  const image = ctx.getImageData(0, 0, canvas.width, canvas.height);
  const { data } = image;
  for (let i = 0; i < data.length; i += 4) {
    const luma = data[i] * 0.3 + data[i + 1] * 0.55 + data[i + 2] * 0.15;
    data[i] = luma + (data[i] - luma) * 0.18;
    data[i + 1] = luma + (data[i + 1] - luma) * 0.18;
    data[i + 2] = luma + (data[i + 2] - luma) * 0.18;
  }
  ctx.putImageData(image, 0, 0);
  return canvas;
}

/** Shadows that walls throw on the ground beside them: from the north, west and east. */
function shadows(s) {
  const make = (x0, y0, x1, y1, alpha) => {
    const { canvas, ctx } = sheet(s, s);
    const gradient = ctx.createLinearGradient(x0, y0, x1, y1);
    gradient.addColorStop(0, `rgba(0,0,0,${alpha})`);
    gradient.addColorStop(1, 'rgba(0,0,0,0)');
    ctx.fillStyle = gradient;
    ctx.fillRect(0, 0, s, s);
    return canvas;
  };
  return {
    north: make(0, 0, 0, s * 0.55, 0.6),
    west: make(0, 0, s * 0.35, 0, 0.4),
    east: make(s, 0, s * 0.65, 0, 0.4),
  };
}

function speckle({ ctx, s, random }, color, spread, count) {
  for (let i = 0; i < count; i += 1) {
    const side = Math.max(1, s * (0.03 + random() * 0.06));
    ctx.fillStyle = css(scale(color, 1 + (random() - 0.5) * spread), 0.6);
    ctx.fillRect(random() * s, random() * s, side, side);
  }
}

function ground(paint, color, count = 14) {
  const { ctx, s, random } = paint;
  ctx.fillStyle = css(scale(color, 0.94 + random() * 0.12));
  ctx.fillRect(0, 0, s, s);
  speckle(paint, color, 0.45, count);
}

function floor(paint) {
  const { ctx, s, random } = paint;
  ground(paint, FLOOR, 12);
  ctx.strokeStyle = 'rgba(0,0,0,0.2)';
  ctx.lineWidth = Math.max(1, s * 0.035);
  ctx.strokeRect(0, 0, s, s);
  ctx.fillStyle = 'rgba(255,255,255,0.035)';
  ctx.fillRect(0, 0, s, s * 0.05);
  if (random() < 0.25) {
    ctx.beginPath();
    let [x, y] = [random() * s, random() < 0.5 ? 0 : s * random()];
    ctx.moveTo(x, y);
    for (let i = 0; i < 3; i += 1) {
      x += (random() - 0.5) * s * 0.5;
      y += random() * s * 0.35;
      ctx.lineTo(x, y);
    }
    ctx.strokeStyle = 'rgba(0,0,0,0.14)';
    ctx.stroke();
  }
}

/** `top` is seen from above; `face` shows the bricks towards the player. */
function wall(paint) {
  const { ctx, s, random, terrain, part } = paint;
  const stone = terrain.torch ? [128, 118, 120] : mix(paint.fg, [116, 106, 128], 0.45);
  if (part === 'top') {
    const dark = scale(stone, 0.5);
    ctx.fillStyle = css(dark);
    ctx.fillRect(0, 0, s, s);
    speckle(paint, dark, 0.5, 16);
    return;
  }
  const cap = Math.round(s * 0.26);
  ctx.fillStyle = css(scale(stone, 0.3));
  ctx.fillRect(0, 0, s, s);
  const rows = 3;
  const height = (s - cap) / rows;
  for (let row = 0; row < rows; row += 1) {
    const shift = row % 2 ? s / 4 : 0;
    for (let x = -shift; x < s; x += s / 2) {
      const tone = scale(stone, 0.72 + random() * 0.28 - row * 0.07);
      ctx.fillStyle = css(tone);
      const gap = Math.max(1, s * 0.035);
      ctx.fillRect(x + gap / 2, cap + row * height + gap / 2, s / 2 - gap, height - gap);
      ctx.fillStyle = 'rgba(255,255,255,0.07)';
      ctx.fillRect(x + gap / 2, cap + row * height + gap / 2, s / 2 - gap, gap);
    }
  }
  ctx.fillStyle = css(scale(stone, 0.5));
  ctx.fillRect(0, 0, s, cap);
  ctx.fillStyle = css(scale(stone, 1.12));
  ctx.fillRect(0, cap - Math.max(1, s * 0.05), s, Math.max(1, s * 0.06));
  if (terrain.torch) {
    ctx.fillStyle = '#3c2a18';
    ctx.fillRect(s * 0.45, s * 0.45, s * 0.1, s * 0.4);
    ctx.fillStyle = '#19120c';
    ctx.fillRect(s * 0.38, s * 0.42, s * 0.24, s * 0.09);
  }
}

function planks({ ctx, s, random }, color, x, y, w, h, upright) {
  const count = 4;
  for (let i = 0; i < count; i += 1) {
    ctx.fillStyle = css(scale(color, 0.8 + random() * 0.3));
    if (upright) ctx.fillRect(x + (i * w) / count, y, w / count - 1, h);
    else ctx.fillRect(x, y + (i * h) / count, w, h / count - 1);
  }
}

function door(paint) {
  const { ctx, s, terrain, part } = paint;
  floor(paint);
  const locked = /locked|vault/.test(terrain.name);
  const wood = locked ? [150, 132, 60] : [134, 88, 46];
  ctx.fillStyle = '#17120e';
  if (part === 'side') {
    ctx.fillRect(s * 0.32, 0, s * 0.36, s);
    planks(paint, wood, s * 0.37, 0, s * 0.26, s, true);
  } else {
    ctx.fillRect(0, s * 0.02, s, s);
    planks(paint, wood, s * 0.1, s * 0.08, s * 0.8, s * 0.92, true);
    ctx.fillStyle = 'rgba(20,16,14,0.75)';
    ctx.fillRect(s * 0.1, s * 0.26, s * 0.8, s * 0.07);
    ctx.fillRect(s * 0.1, s * 0.72, s * 0.8, s * 0.07);
  }
  ctx.fillStyle = locked ? '#ffe680' : '#d9b36c';
  ctx.beginPath();
  ctx.arc(s * (part === 'side' ? 0.5 : 0.76), s * 0.54, s * 0.06, 0, 7);
  ctx.fill();
}

function openDoor(paint) {
  const { ctx, s, part } = paint;
  floor(paint);
  if (part === 'side') {
    planks(paint, [110, 72, 38], 0, 0, s, s * 0.16, false);
  } else {
    planks(paint, [110, 72, 38], 0, 0, s * 0.16, s, true);
    planks(paint, [90, 58, 30], s * 0.88, 0, s * 0.12, s, true);
  }
  ctx.strokeStyle = 'rgba(0,0,0,0.4)';
  ctx.strokeRect(0.5, 0.5, s - 1, s - 1);
}

function stairs(paint, down) {
  const { ctx, s } = paint;
  floor(paint);
  const steps = 5;
  for (let i = 0; i < steps; i += 1) {
    const t = i / (steps - 1);
    const inset = s * 0.06 + (down > 0 ? t : 1 - t) * s * 0.14;
    const light = down > 0 ? 1.25 - t * 1.1 : 0.45 + t * 0.95;
    ctx.fillStyle = css(scale([170, 148, 104], light));
    const y = s * 0.06 + (i * s * 0.88) / steps;
    ctx.fillRect(inset, y, s - inset * 2, (s * 0.88) / steps - Math.max(1, s * 0.04));
  }
  ctx.strokeStyle = 'rgba(255,224,150,0.55)';
  ctx.lineWidth = Math.max(1, s * 0.06);
  ctx.lineCap = 'round';
  ctx.beginPath();
  const [y, d] = [s * (down > 0 ? 0.6 : 0.42), s * 0.13 * down];
  ctx.moveTo(s * 0.36, y - d);
  ctx.lineTo(s * 0.5, y + d);
  ctx.lineTo(s * 0.64, y - d);
  ctx.stroke();
}

function bridge(paint) {
  const { ctx, s, terrain, fg } = paint;
  ctx.fillStyle = '#0a1420';
  ctx.fillRect(0, 0, s, s);
  const stone = /stone/.test(terrain.name);
  planks(paint, stone ? [120, 114, 128] : scale(fg, 0.72), 0, s * 0.02, s, s * 0.98, false);
  ctx.fillStyle = 'rgba(0,0,0,0.35)';
  ctx.fillRect(0, 0, s * 0.05, s);
  ctx.fillRect(s * 0.95, 0, s * 0.05, s);
}

/** What lies under a liquid; the liquid itself moves and is drawn by fluids.js. */
function bed(paint) {
  const { terrain } = paint;
  if (terrain.lava) ground(paint, mix(FLOOR, [60, 44, 46], 0.5), 10);
  else if (terrain.water) ground(paint, mix(FLOOR, [60, 66, 74], 0.5), 14);
  else ground(paint, mix(FLOOR, [70, 56, 36], 0.6), 18);
}

function blades(paint, color, count, tall) {
  const { ctx, s, random } = paint;
  ctx.lineCap = 'round';
  for (let i = 0; i < count; i += 1) {
    const x = random() * s;
    const y = s * (0.25 + 0.75 * (i / count));
    const height = s * tall * (0.6 + random() * 0.6);
    ctx.strokeStyle = css(scale(color, 0.55 + random() * 0.65));
    ctx.lineWidth = Math.max(1, s * 0.05);
    ctx.beginPath();
    ctx.moveTo(x, y);
    ctx.quadraticCurveTo(x, y - height * 0.6, x + (random() - 0.5) * s * 0.3, y - height);
    ctx.stroke();
  }
}

function grass(paint) {
  const tall = /tall/.test(paint.terrain.name);
  ground(paint, mix(FLOOR, scale(paint.fg, 0.5), 0.75), 10);
  blades(paint, paint.fg, tall ? 26 : 13, tall ? 0.5 : 0.2);
}

function bush(paint) {
  const { ctx, s, random, fg } = paint;
  ground(paint, mix(FLOOR, scale(fg, 0.4), 0.7), 8);
  for (let i = 0; i < 22; i += 1) {
    const angle = random() * 7;
    const reach = Math.sqrt(random()) * s * 0.38;
    ctx.fillStyle = css(scale(fg, 0.55 + random() * 0.7));
    ctx.beginPath();
    ctx.arc(s / 2 + Math.cos(angle) * reach, s * 0.5 + Math.sin(angle) * reach, s * 0.09, 0, 7);
    ctx.fill();
  }
  ctx.fillStyle = 'rgba(190,40,60,0.8)';
  for (let i = 0; i < 3; i += 1) ctx.fillRect(s * (0.25 + random() * 0.5), s * (0.25 + random() * 0.5), s * 0.06, s * 0.06);
}

function rubble(paint) {
  const { ctx, s, random } = paint;
  floor(paint);
  for (let i = 0; i < 9; i += 1) {
    const [x, y, r] = [s * (0.12 + random() * 0.76), s * (0.2 + random() * 0.7), s * (0.05 + random() * 0.1)];
    ctx.fillStyle = 'rgba(0,0,0,0.35)';
    ctx.fillRect(x - r, y, r * 2, r * 1.2);
    ctx.fillStyle = css(scale([122, 114, 130], 0.7 + random() * 0.5));
    ctx.fillRect(x - r, y - r * 0.5, r * 1.8, r * 1.2);
  }
}

function bones(paint) {
  const { ctx, s, random } = paint;
  floor(paint);
  ctx.strokeStyle = '#cfc6ac';
  ctx.lineCap = 'round';
  ctx.lineWidth = Math.max(1.5, s * 0.07);
  for (let i = 0; i < 4; i += 1) {
    const [x, y, a] = [s * (0.3 + random() * 0.4), s * (0.4 + random() * 0.35), random() * 3.1];
    ctx.beginPath();
    ctx.moveTo(x - Math.cos(a) * s * 0.16, y - Math.sin(a) * s * 0.16);
    ctx.lineTo(x + Math.cos(a) * s * 0.16, y + Math.sin(a) * s * 0.16);
    ctx.stroke();
  }
  ctx.fillStyle = '#ddd5bc';
  ctx.beginPath();
  ctx.arc(s * 0.62, s * 0.38, s * 0.13, 0, 7);
  ctx.fill();
  ctx.fillStyle = '#2a2420';
  ctx.fillRect(s * 0.57, s * 0.36, s * 0.045, s * 0.05);
  ctx.fillRect(s * 0.65, s * 0.36, s * 0.045, s * 0.05);
}

function plinth({ ctx, s }, color) {
  ctx.fillStyle = 'rgba(0,0,0,0.4)';
  ctx.beginPath();
  ctx.ellipse(s / 2, s * 0.86, s * 0.36, s * 0.12, 0, 0, 7);
  ctx.fill();
  ctx.fillStyle = css(scale(color, 0.7));
  ctx.fillRect(s * 0.22, s * 0.74, s * 0.56, s * 0.14);
}

function statue(paint) {
  const { ctx, s } = paint;
  floor(paint);
  const marble = [196, 194, 212];
  plinth(paint, marble);
  const gradient = ctx.createLinearGradient(s * 0.3, 0, s * 0.7, 0);
  gradient.addColorStop(0, css(marble));
  gradient.addColorStop(1, css(scale(marble, 0.55)));
  ctx.fillStyle = gradient;
  ctx.beginPath();
  ctx.moveTo(s * 0.3, s * 0.76);
  ctx.quadraticCurveTo(s * 0.3, s * 0.34, s * 0.5, s * 0.3);
  ctx.quadraticCurveTo(s * 0.7, s * 0.34, s * 0.7, s * 0.76);
  ctx.fill();
  ctx.beginPath();
  ctx.arc(s * 0.5, s * 0.22, s * 0.13, 0, 7);
  ctx.fill();
}

function pillar(paint) {
  const { ctx, s } = paint;
  floor(paint);
  plinth(paint, [150, 144, 164]);
  const gradient = ctx.createLinearGradient(s * 0.26, 0, s * 0.74, 0);
  gradient.addColorStop(0, '#6d6780');
  gradient.addColorStop(0.35, '#b3acc4');
  gradient.addColorStop(1, '#4a4558');
  ctx.fillStyle = gradient;
  ctx.fillRect(s * 0.28, s * 0.1, s * 0.44, s * 0.68);
  ctx.fillRect(s * 0.2, s * 0.04, s * 0.6, s * 0.12);
}

function ash(paint) {
  ground(paint, [48, 45, 48], 10);
  speckle(paint, [130, 126, 124], 0.6, 10);
}

function fungus(paint) {
  const { ctx, s, random, fg } = paint;
  ground(paint, [34, 52, 50], 10);
  for (let i = 0; i < 6; i += 1) {
    const [x, y, r] = [s * (0.15 + random() * 0.7), s * (0.3 + random() * 0.6), s * (0.05 + random() * 0.08)];
    ctx.fillStyle = css(scale(fg, 0.6));
    ctx.fillRect(x - r * 0.25, y, r * 0.5, r * 1.4);
    ctx.fillStyle = css(fg);
    ctx.beginPath();
    ctx.ellipse(x, y, r, r * 0.7, 0, Math.PI, 0);
    ctx.fill();
  }
}

function altar(paint) {
  const { ctx, s } = paint;
  floor(paint);
  plinth(paint, [170, 160, 210]);
  ctx.fillStyle = '#8d84b4';
  ctx.fillRect(s * 0.2, s * 0.42, s * 0.6, s * 0.36);
  ctx.fillStyle = '#d8d0ff';
  ctx.fillRect(s * 0.14, s * 0.34, s * 0.72, s * 0.12);
}

function carpet(paint) {
  const { ctx, s, random } = paint;
  ctx.fillStyle = css(scale([112, 40, 46], 0.92 + random() * 0.16));
  ctx.fillRect(0, 0, s, s);
  speckle(paint, [140, 62, 58], 0.5, 16);
  ctx.strokeStyle = 'rgba(224,180,96,0.16)';
  ctx.lineWidth = Math.max(1, s * 0.04);
  ctx.beginPath();
  ctx.moveTo(s / 2, s * 0.2);
  ctx.lineTo(s * 0.8, s / 2);
  ctx.lineTo(s / 2, s * 0.8);
  ctx.lineTo(s * 0.2, s / 2);
  ctx.closePath();
  ctx.stroke();
}

function web(paint) {
  const { ctx, s } = paint;
  floor(paint);
  ctx.strokeStyle = 'rgba(230,230,240,0.6)';
  ctx.lineWidth = Math.max(0.7, s * 0.025);
  for (let i = 0; i < 8; i += 1) {
    const a = (i * Math.PI) / 4;
    ctx.beginPath();
    ctx.moveTo(s / 2, s / 2);
    ctx.lineTo(s / 2 + Math.cos(a) * s * 0.7, s / 2 + Math.sin(a) * s * 0.7);
    ctx.stroke();
  }
  for (const r of [0.14, 0.28, 0.42]) {
    ctx.beginPath();
    for (let i = 0; i <= 8; i += 1) ctx.lineTo(s / 2 + Math.cos((i * Math.PI) / 4) * s * r, s / 2 + Math.sin((i * Math.PI) / 4) * s * r);
    ctx.stroke();
  }
}

function fountain(paint) {
  const { ctx, s } = paint;
  floor(paint);
  const ring = (r, color) => {
    ctx.fillStyle = color;
    ctx.beginPath();
    ctx.arc(s / 2, s / 2, s * r, 0, 7);
    ctx.fill();
  };
  ring(0.46, '#5b586c');
  ring(0.42, '#a6a2ba');
  ring(0.34, '#1d5f92');
  ring(0.22, '#3f8fc4');
  ring(0.1, '#dff4ff');
}

function trap(paint) {
  const { ctx, s, fg } = paint;
  floor(paint);
  ctx.strokeStyle = css(fg, 0.85);
  ctx.fillStyle = css(fg, 0.16);
  ctx.lineWidth = Math.max(1, s * 0.05);
  ctx.beginPath();
  ctx.arc(s / 2, s / 2, s * 0.32, 0, 7);
  ctx.fill();
  ctx.stroke();
  for (let i = 0; i < 4; i += 1) {
    const a = Math.PI / 4 + (i * Math.PI) / 2;
    ctx.beginPath();
    ctx.arc(s / 2 + Math.cos(a) * s * 0.16, s / 2 + Math.sin(a) * s * 0.16, s * 0.045, 0, 7);
    ctx.fillStyle = css(fg, 0.9);
    ctx.fill();
  }
}

/** Terrain that this client does not know: its glyph on its ground. */
function glyph(paint) {
  const { ctx, s, fg, bg, terrain } = paint;
  ground(paint, mix(bg, FLOOR, 0.4), 8);
  ctx.fillStyle = css(fg);
  ctx.font = `700 ${Math.round(s * 0.8)}px ui-monospace, Menlo, Consolas, monospace`;
  ctx.textAlign = 'center';
  ctx.textBaseline = 'middle';
  ctx.fillText(terrain.glyph, s / 2, s * 0.54);
}
