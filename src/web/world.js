// The world as the player sees it: the newest view, which cells are in sight, and everything that
// moves between two ticks. Filled from frames, read by draw/ and hud.js.

import { DARK_RADIUS, fieldOfView, SIGHT_RADIUS } from './fov.js';
import { burns, itemOf, terrainOf } from './frame.js';
import { STATE } from './protocol.js';

const FLOATER_MS = 1100;
const LOG_LINES_MAX = 200;

export class World extends EventTarget {
  constructor(content) {
    super();
    this.content = content;
    this.view = null;
    this.cells = null;
    this.visible = new Uint8Array(0);
    this.terrainVersion = 0;
    this.sprites = new Map();
    this.floaters = [];
    this.bolts = [];
    this.bursts = [];
    this.lines = [];
    this.names = new Map();
    this.hurtAt = -1e9;
    this.place = null;
  }

  get me() {
    return this.view?.me ?? null;
  }

  get width() {
    return this.cells?.width ?? 0;
  }

  get height() {
    return this.cells?.height ?? 0;
  }

  inside(x, y) {
    return x >= 0 && y >= 0 && x < this.width && y < this.height;
  }

  /** The 20 bits known of a cell, or null. */
  cell(x, y) {
    if (!this.inside(x, y)) return null;
    const index = y * this.width + x;
    return this.cells.known(index) ? this.cells.values[index] : null;
  }

  /** The terrain row of a cell, or null if the cell is unknown. */
  terrain(x, y) {
    const value = this.cell(x, y);
    return value === null ? null : this.content.terrain(terrainOf(value));
  }

  sees(x, y) {
    return this.inside(x, y) && this.visible[y * this.width + x] === 1;
  }

  actorAt(x, y) {
    return this.view?.actors.find((a) => a.pos.x === x && a.pos.y === y) ?? null;
  }

  isHostile(actor) {
    return actor.kind !== 0 && (actor.state & STATE.FRIENDLY) === 0;
  }

  actorName(actor) {
    return actor.kind === 0 ? actor.name || 'somebody' : this.content.kind(actor.kind).name;
  }

  /** Takes what a frame brought. */
  apply(reader, applied, now) {
    const { view } = reader;
    const before = this.view;
    const moved = view.place.zone !== this.place?.zone || reader.cells !== this.cells;
    if (view.place.zone !== this.place?.zone) {
      this.sprites.clear();
      this.floaters = [];
      this.bolts = [];
      this.bursts = [];
      this.dispatchEvent(new CustomEvent('place', { detail: view.place }));
    }
    this.place = view.place;
    this.view = view;
    this.cells = reader.cells;
    for (const actor of view.actors) if (actor.kind === 0) this.names.set(actor.id, actor.name);
    this.#moveSprites(now);
    this.#takeEvents(applied.events, now);
    if (before && before.me.hp > view.me.hp && !moved) this.hurtAt = now;
    const stepped = !before || before.me.pos.x !== view.me.pos.x || before.me.pos.y !== view.me.pos.y;
    if (applied.cells.length > 0) this.terrainVersion += 1;
    const dimmed = before?.me.effects !== view.me.effects;
    if (moved || stepped || dimmed || applied.cells.length > 0) this.#look();
  }

  /** Whether the player is hidden in the dark, and sees less for it. */
  isDark() {
    return this.me.effects.some(({ kind }) => this.content.effect(kind).name === 'Darkened');
  }

  /** Works out the cells in sight: unknown ones count as opaque. */
  #look() {
    const { width, height } = this;
    if (this.visible.length === width * height) this.visible.fill(0);
    else this.visible = new Uint8Array(width * height);
    const { x, y } = this.me.pos;
    const opaque = (cx, cy) => this.terrain(cx, cy)?.opaque ?? true;
    fieldOfView(x, y, this.isDark() ? DARK_RADIUS : SIGHT_RADIUS, opaque, (cx, cy) => {
      if (this.inside(cx, cy)) this.visible[cy * width + cx] = 1;
    });
  }

  #moveSprites(now) {
    const { me, actors } = this.view;
    const all = [{ id: me.id, generation: -1, kind: 0, pos: me.pos, mine: true }, ...actors];
    const present = new Set();
    for (const actor of all) {
      if (!actor.mine && actor.id === me.id) continue;
      const key = actor.mine ? 'me' : `${actor.id}.${actor.generation}`;
      present.add(key);
      const sprite = this.sprites.get(key);
      if (!sprite) {
        const { x, y } = actor.pos;
        this.sprites.set(key, { key, actor, x, y, fromX: x, fromY: y, movedAt: now - 1e4, bornAt: now });
        continue;
      }
      if (sprite.x !== actor.pos.x || sprite.y !== actor.pos.y) this.#step(sprite, actor.pos, now);
      if (!actor.mine && actor.health < sprite.actor.health) sprite.hurtAt = now;
      sprite.actor = actor;
      sprite.goneAt = undefined;
    }
    for (const [key, sprite] of this.sprites) {
      if (present.has(key)) continue;
      sprite.goneAt ??= now;
      if (now - sprite.goneAt > 350) this.sprites.delete(key);
    }
  }

  #step(sprite, to, now) {
    const at = spritePosition(sprite, now);
    const far = Math.max(Math.abs(to.x - sprite.x), Math.abs(to.y - sprite.y)) > 2;
    sprite.fromX = far ? to.x : at.x;
    sprite.fromY = far ? to.y : at.y;
    sprite.x = to.x;
    sprite.y = to.y;
    sprite.movedAt = now;
    if (sprite.fromX !== to.x) sprite.facing = Math.sign(to.x - sprite.fromX);
  }

  #spriteOf(who) {
    if (who.type === 'you') return this.sprites.get('me');
    if (who.type !== 'actor') return undefined;
    let found;
    for (const sprite of this.sprites.values()) {
      if (!sprite.actor.mine && sprite.actor.id === who.id) found = sprite;
    }
    return found;
  }

  #takeEvents(events, now) {
    for (const event of events) {
      if (event.type === 'note') this.#note(event, now);
      else if (event.type === 'bolt') this.bolts.push({ ...event, at: now, length: boltTime(event) });
      else if (event.type === 'burst') this.bursts.push({ ...event, start: now });
      else this.say(`${event.from}: ${event.text}`, 'chat', now);
    }
  }

  #note(event, now) {
    const amount = this.content.noteAmount(event);
    const mine = [event.who, event.other].some((w) => w.type === 'you');
    this.say(this.content.note(event, (id) => this.names.get(id)), noteTone(event, amount, mine), now);
    if (!amount) return;
    const target = this.#spriteOf(amount.target);
    if (!target) return;
    const struck = this.#spriteOf(event.who);
    if (amount.amount < 0 && struck && struck !== target) {
      const [dx, dy] = [target.x - struck.x, target.y - struck.y];
      if (Math.max(Math.abs(dx), Math.abs(dy)) === 1) struck.lunge = { dx, dy, at: now };
    }
    if (amount.amount < 0) target.hurtAt = now;
    this.float(target.x, target.y, amount.amount, amount.target.type === 'you', now);
  }

  /** A number that rises from a cell. */
  float(x, y, amount, mine, now) {
    const same = this.floaters.filter((f) => f.x === x && f.y === y && now - f.at < 300).length;
    const color = amount > 0 ? '#7dffb0' : mine ? '#ff6b5e' : '#ffe9c0';
    const text = amount > 0 ? `+${amount}` : String(-amount);
    this.floaters.push({ x, y, text, color, at: now, drift: (same % 3) - 1, rise: same });
  }

  /** Adds a line to the log, or counts up the last one if it is the same. */
  say(text, tone, now) {
    if (!text) return;
    const last = this.lines.at(-1);
    if (last && last.text === text && now - last.at < 15_000) {
      last.times += 1;
      last.at = now;
    } else {
      this.lines.push({ text, tone, times: 1, at: now });
      if (this.lines.length > LOG_LINES_MAX) this.lines.shift();
    }
    this.dispatchEvent(new CustomEvent('line'));
  }

  /** Forgets what has run its course. */
  sweep(now) {
    this.floaters = this.floaters.filter((f) => now - f.at < FLOATER_MS);
    this.bolts = this.bolts.filter((b) => now - b.at < b.length + 200);
    this.bursts = this.bursts.filter((b) => now - b.start < 600);
  }

  /** Name and description of whatever is at a cell, for the pointer. */
  describe(x, y) {
    const value = this.cell(x, y);
    if (value === null) return null;
    const { content } = this;
    const lines = [];
    const seen = this.sees(x, y);
    if (this.me.pos.x === x && this.me.pos.y === y) lines.push({ title: 'You', text: '' });
    const actor = this.actorAt(x, y);
    if (actor) {
      const { description } = content.kind(actor.kind);
      const condition = [stateWords(actor.state), healthWords(actor.health)];
      lines.push({
        title: this.actorName(actor),
        text: `${condition.filter(Boolean).join(', ')}. ${description ?? ''}`.trim(),
      });
    }
    if (itemOf(value)) {
      const look = content.look(itemOf(value));
      lines.push({ title: look.name, text: look.description ?? '' });
    }
    const terrain = content.terrain(terrainOf(value)).name;
    const fire = burns(value) ? ', burning' : '';
    lines.push({ title: '', text: `${seen ? '' : 'You remember '}${terrain}${fire}` });
    return lines;
  }
}

const STEP_MS = 100;

/** Where a sprite is between two cells now. */
export function spritePosition(sprite, now) {
  const t = Math.min((now - sprite.movedAt) / STEP_MS, 1);
  const ease = t * (2 - t);
  return {
    x: sprite.fromX + (sprite.x - sprite.fromX) * ease,
    y: sprite.fromY + (sprite.y - sprite.fromY) * ease,
  };
}

function boltTime({ from, to }) {
  return 60 + 18 * Math.hypot(to.x - from.x, to.y - from.y);
}

function noteTone(event, amount, mine) {
  if (amount && amount.target.type === 'you') return amount.amount < 0 ? 'hurt' : 'good';
  if (amount && event.who.type === 'you') return 'strike';
  return mine ? 'mine' : 'plain';
}

export function stateWords(state) {
  const words = [];
  if (state & STATE.FRIENDLY) words.push('friendly');
  if (state & STATE.ASLEEP) words.push('asleep');
  if (state & STATE.HUNTING) words.push('hunting');
  if (state & STATE.FLEEING) words.push('fleeing');
  if (state & STATE.BURNING) words.push('burning');
  if (state & STATE.CONFUSED) words.push('confused');
  if (state & STATE.HELD) words.push('held');
  if (state & STATE.GUARDED) words.push('away');
  return words.join(', ');
}

export function healthWords(health) {
  if (health >= 15) return 'unhurt';
  if (health >= 10) return 'lightly hurt';
  if (health >= 5) return 'wounded';
  return 'nearly dead';
}
