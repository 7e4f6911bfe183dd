// What shines and flies: flames, glows, bolts, bursts and the numbers over heads.

import { burns, terrainOf } from '../frame.js';
import { STATE } from '../protocol.js';
import { blob, hash, noise, rgb } from './noise.js';

export class Effects {
  constructor() {
    this.blobs = new Map();
  }

  #blob(color, size = 64) {
    const key = `${color.join()}/${size}`;
    let picture = this.blobs.get(key);
    if (!picture) {
      picture = blob(size, color);
      this.blobs.set(key, picture);
    }
    return picture;
  }

  #shine(ctx, color, x, y, radius, alpha) {
    if (alpha <= 0.01) return;
    ctx.globalAlpha = Math.min(alpha, 1);
    ctx.drawImage(this.#blob(color), x - radius, y - radius, radius * 2, radius * 2);
  }

  /** Light that terrain gives off, and flames. */
  drawGlow(ctx, world, area, toScreen, cell, now) {
    ctx.save();
    ctx.globalCompositeOperation = 'lighter';
    for (let y = area.top; y < area.top + area.rows; y += 1) {
      for (let x = area.left; x < area.left + area.columns; x += 1) {
        if (!world.sees(x, y)) continue;
        const value = world.cell(x, y);
        const terrain = world.content.terrain(terrainOf(value));
        const at = toScreen(x + 0.5, y + 0.5);
        if (burns(value)) this.#flames(ctx, at.x, at.y, cell, x * 31 + y, now, 1);
        if (terrain.glows) this.#glow(ctx, terrain, at.x, at.y, cell, x, y, now);
      }
    }
    for (const sprite of world.sprites.values()) {
      const burning = (sprite.actor.state ?? 0) & STATE.BURNING;
      if (!burning || sprite.goneAt !== undefined) continue;
      const at = toScreen(sprite.x + 0.5, sprite.y + 0.5);
      this.#flames(ctx, at.x, at.y, cell, sprite.actor.id, now, 0.8);
    }
    ctx.restore();
  }

  #glow(ctx, terrain, x, y, cell, cx, cy, now) {
    const flicker = 0.8 + 0.4 * noise(now / 150, cx * 7.3 + cy * 3.1);
    if (terrain.torch) {
      this.#shine(ctx, [255, 150, 60], x, y, cell * 2.1 * flicker, 0.3);
      this.#flames(ctx, x, y - cell * 0.06, cell * 0.62, cx * 17 + cy, now, 1);
    } else if (terrain.lava) {
      this.#shine(ctx, [255, 90, 20], x, y, cell * 1.3, 0.13 * flicker);
      this.#ember(ctx, x, y, cell, cx, cy, now);
    } else {
      const fungus = /fungus/.test(terrain.name);
      this.#shine(ctx, fungus ? [60, 230, 190] : [150, 140, 255], x, y, cell * (fungus ? 0.95 : 1.6), 0.24 * flicker);
    }
  }

  #ember(ctx, x, y, cell, cx, cy, now) {
    const period = 2200 + hash(cx, cy, 3) * 3000;
    const turn = Math.floor(now / period);
    if (hash(cx, cy, turn) > 0.3) return;
    const t = (now % period) / period;
    const drift = Math.sin(t * 6 + cx) * cell * 0.3;
    this.#shine(ctx, [255, 190, 90], x + drift, y - t * cell * 2.4, cell * 0.16, 1 - t);
  }

  #flames(ctx, x, y, cell, seed, now, strength) {
    this.#shine(ctx, [255, 110, 30], x, y, cell * 0.95, 0.4 * strength);
    for (let i = 0; i < 6; i += 1) {
      const period = 420 + hash(seed, i) * 380;
      const t = ((now + hash(seed, i, 1) * 900) % period) / period;
      const side = (hash(seed, i, 2) - 0.5) * 0.6 * (1 - t * 0.5);
      const radius = cell * (0.36 - 0.24 * t);
      const color = t < 0.35 ? [255, 226, 130] : t < 0.7 ? [255, 140, 40] : [220, 50, 20];
      this.#shine(ctx, color, x + side * cell, y + cell * (0.28 - t * 0.8), radius, strength * (1 - t) * 0.9);
    }
  }

  drawFlights(ctx, world, toScreen, cell, now) {
    ctx.save();
    ctx.globalCompositeOperation = 'lighter';
    for (const bolt of world.bolts) this.#bolt(ctx, world, bolt, toScreen, cell, now);
    for (const burst of world.bursts) this.#burst(ctx, world, burst, toScreen, cell, now);
    ctx.restore();
  }

  #bolt(ctx, world, bolt, toScreen, cell, now) {
    const flash = world.content.flash(bolt.look);
    const color = rgb(flash.color);
    const t = (now - bolt.at) / bolt.length;
    const a = toScreen(bolt.from.x + 0.5, bolt.from.y + 0.5);
    const b = toScreen(bolt.to.x + 0.5, bolt.to.y + 0.5);
    if (/lightning|spark/.test(flash.name)) {
      jagged(ctx, a, b, cell, flash.color, now, Math.max(0, 1.6 - t));
      return;
    }
    for (let i = 0; i < 9; i += 1) {
      const s = t - i * 0.05;
      if (s < 0 || s > 1) continue;
      const [x, y] = [a.x + (b.x - a.x) * s, a.y + (b.y - a.y) * s];
      this.#shine(ctx, color, x, y, cell * (0.55 - i * 0.045), 0.9 - i * 0.09);
    }
    if (t >= 0 && t <= 1) this.#shine(ctx, [255, 255, 255], a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t, cell * 0.2, 1);
  }

  #burst(ctx, world, burst, toScreen, cell, now) {
    const color = rgb(world.content.flash(burst.look).color);
    const t = (now - burst.start) / 600;
    if (t < 0 || t > 1) return;
    const at = toScreen(burst.at.x + 0.5, burst.at.y + 0.5);
    const reach = (burst.radius + 0.9) * cell;
    this.#shine(ctx, color, at.x, at.y, reach * (0.5 + t * 0.9), (1 - t) * 0.85);
    for (let i = 0; i < 14; i += 1) {
      const angle = hash(i, burst.look, burst.at.x) * 6.3;
      const far = reach * t * (0.4 + hash(i, burst.at.y, 3) * 0.9);
      this.#shine(ctx, color, at.x + Math.cos(angle) * far, at.y + Math.sin(angle) * far, cell * 0.2 * (1 - t), 1 - t);
    }
  }

  drawFloaters(ctx, world, toScreen, cell, now) {
    ctx.textAlign = 'center';
    ctx.textBaseline = 'alphabetic';
    ctx.lineJoin = 'round';
    for (const floater of world.floaters) {
      const t = (now - floater.at) / 1100;
      const rise = 1 - (1 - t) ** 3;
      const { x, y } = toScreen(floater.x + 0.5 + floater.drift * 0.3 * rise, floater.y - rise * 0.9 - floater.rise * 0.25);
      const pop = t < 0.12 ? 0.7 + t * 4 : 1.18 - Math.min(0.18, (t - 0.12));
      ctx.globalAlpha = t < 0.6 ? 1 : Math.max(0, (1 - t) / 0.4);
      ctx.font = `800 ${Math.round(cell * 0.52 * pop)}px system-ui, sans-serif`;
      ctx.lineWidth = Math.max(3, cell * 0.14);
      ctx.strokeStyle = 'rgba(10,4,6,0.85)';
      ctx.strokeText(floater.text, x, y);
      ctx.fillStyle = floater.color;
      ctx.fillText(floater.text, x, y);
    }
    ctx.globalAlpha = 1;
  }
}

function jagged(ctx, a, b, cell, color, now, alpha) {
  const steps = Math.max(3, Math.round(Math.hypot(b.x - a.x, b.y - a.y) / (cell * 0.6)));
  for (const [width, tint] of [[0.22, color], [0.08, '#ffffff']]) {
    ctx.globalAlpha = Math.min(1, alpha) * (tint === color ? 0.5 : 1);
    ctx.strokeStyle = tint;
    ctx.lineWidth = cell * width;
    ctx.beginPath();
    ctx.moveTo(a.x, a.y);
    for (let i = 1; i < steps; i += 1) {
      const wild = (hash(i, Math.floor(now / 40), 9) - 0.5) * cell * 0.7;
      const t = i / steps;
      ctx.lineTo(a.x + (b.x - a.x) * t + wild, a.y + (b.y - a.y) * t - wild);
    }
    ctx.lineTo(b.x, b.y);
    ctx.stroke();
  }
}
