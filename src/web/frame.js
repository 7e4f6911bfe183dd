// The client's end of a frame: the twin of src/protocol/frame/decode.rs, field by field.

import { BitReader, DecodeError } from './bits.js';
import { DIRECTIONS, NAME_BYTES_MAX, CHAT_BYTES_MAX } from './protocol.js';

const FRAME_HISTORY = 32;
const ACTORS_IN_VIEW_MAX = 255;
const EVENTS_PER_FRAME_MAX = 31;
const INVENTORY_SLOTS = 26;
const ZONE_SIDE_MAX = 1024;
const NEAR_BITS = 6;
const NEAR_OFFSET = 31;
const SHIFT_BITS = 3;
const SHIFT_OFFSET = 3;
const UNKNOWN = 0xffffffff;

/** Mixes a cell's index and value; the sum of these over the known cells is `CellMap.sum`. */
export function mix32(index, value) {
  let h = Math.imul(index, 0x9e3779b1) ^ Math.imul(value, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return (h ^ (h >>> 15)) >>> 0;
}

/** What is known of a zone's cells: 20 bits each, see `Cell` in src/model/cells.rs. */
export class CellMap {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.values = new Uint32Array(width * height).fill(UNKNOWN);
    this.sum = 0;
  }

  known(index) {
    return this.values[index] !== UNKNOWN;
  }

  set(index, value) {
    const before = this.values[index];
    if (before === value) return;
    if (before !== UNKNOWN) this.sum = (this.sum - mix32(index, before)) >>> 0;
    this.sum = (this.sum + mix32(index, value)) >>> 0;
    this.values[index] = value;
  }
}

export const terrainOf = (value) => value & 63;
export const itemOf = (value) => (value >>> 6) & 255;
export const gasKindOf = (value) => (value >>> 14) & 3;
export const gasLevelOf = (value) => (value >>> 16) & 7;
export const burns = (value) => ((value >>> 19) & 1) === 1;

const EMPTY_ME = Object.freeze({
  pos: { x: 0, y: 0 },
  id: 0,
  hp: 0,
  hpMax: 0,
  level: 0,
  xp: 0,
  xpNext: 0,
  gold: 0,
  strength: 0,
  armor: 0,
  stealth: 0,
  flags: 0,
  effects: [],
});

/** The hash of everything in a view but its cells; the order is part of the protocol. */
export function viewHash(view) {
  let h = 0;
  const add = (value) => {
    h = Math.imul(h ^ value, 0x9e3779b1);
    h ^= h >>> 15;
  };
  const { me } = view;
  add(view.place.zone);
  add(view.tick >>> 0);
  add(view.lastCommand);
  add(me.pos.x | (me.pos.y << 16));
  add(me.id);
  add(me.hp | (me.hpMax << 16));
  add(me.level | (me.strength << 8) | (me.armor << 16));
  add(me.xp);
  add(me.xpNext);
  add(me.gold);
  add(me.stealth | (me.flags << 8));
  for (const effect of me.effects) {
    add(effect.kind);
    add(effect.until);
  }
  for (const a of view.actors) {
    add(a.id | (a.generation << 16) | (a.kind << 24));
    add(a.pos.x | (a.pos.y << 16));
    add(a.health | (a.state << 8));
  }
  for (const i of view.inventory) {
    add(i.slot | (i.look << 8) | (i.count << 16));
    add((i.enchant & 255) | (i.flags << 8));
  }
  return h >>> 0;
}

/** Applies frames in whatever order they come, if at all. */
export class FrameReader {
  constructor() {
    this.history = [];
    this.cells = null;
    this.nextEvent = 0;
    /** Some cell is known not to be as the server has it. */
    this.amiss = false;
  }

  get view() {
    return this.history.at(-1)?.view ?? null;
  }

  get newest() {
    return this.history.at(-1)?.number ?? 0;
  }

  /** Forgets all frames, as after a reconnect; what is shown stays until the next keyframe. */
  reset() {
    this.history = [];
    this.nextEvent = 0;
  }

  /**
   * Applies one frame, given without its tag byte. Returns what it brought, or null if it is too
   * old to matter; throws a `DecodeError`, of kind 'baseline' or 'hash' when a keyframe is needed.
   */
  apply(bytes) {
    if (bytes.length < 3) throw new DecodeError('truncated');
    const low = bytes[0] | (bytes[1] << 8);
    const distance = bytes[2];
    const r = new BitReader(bytes.subarray(3));
    if (distance === 0) return this.#keyframe(r);
    const { newest } = this;
    const number = (newest + (((low - newest) << 16) >> 16)) >>> 0;
    if (this.history.some((h) => h.number === number)) return null;
    const baseline = (number - distance) >>> 0;
    const before = this.history.find((h) => h.number === baseline)?.view;
    if (!before) {
      if (this.history.length > 0 && number < this.history[0].number) return null;
      throw new DecodeError('baseline', String(baseline));
    }
    const tick = before.tick + 1 + r.gamma();
    const lastCommand = (before.lastCommand + r.gamma()) >>> 0;
    return this.#body(r, number, before, { place: before.place, tick, lastCommand }, false);
  }

  #keyframe(r) {
    const number = r.bits(32);
    const tick = r.bits(32) + r.bits(32) * 2 ** 32;
    const lastCommand = r.bits(32);
    const zone = r.bits(32);
    const shown = this.view;
    // Late or twice. Frame numbers say nothing here: they begin anew when a zone moves.
    if (shown && shown.place.zone === zone && tick <= shown.tick) return null;
    // Each zone numbers its events.
    if (shown && shown.place.zone !== zone) this.nextEvent = 0;
    const place = { zone, depth: r.bits(8), width: r.bits(11), height: r.bits(11) };
    const side = (n) => n >= 1 && n <= ZONE_SIDE_MAX;
    if (!side(place.width) || !side(place.height)) throw new DecodeError('range', 'zone side');
    place.name = r.text(NAME_BYTES_MAX);
    const before = { me: EMPTY_ME, actors: [], inventory: [] };
    return this.#body(r, number, before, { place, tick, lastCommand }, true);
  }

  #body(r, number, before, head, keyframe) {
    const me = readMe(r, before.me, head.tick);
    const actors = readActors(r, before.actors, me.pos);
    const inventory = readInventory(r, before.inventory);
    const view = { ...head, me, actors, inventory };
    const { first, events } = readEvents(r);
    const hash = r.flag() ? { coversCells: r.flag(), value: r.bits(32) } : null;
    const cells = readCells(r, head.place);

    const newest = keyframe || number > this.newest;
    if (keyframe) {
      const shown = this.view?.place;
      const same = ['zone', 'depth', 'width', 'height', 'name'].every(
        (part) => shown?.[part] === head.place[part],
      );
      this.history = [];
      if (!same || this.amiss) {
        this.cells = new CellMap(head.place.width, head.place.height);
        this.amiss = false;
      }
    }
    if (newest) for (const [index, value] of cells) this.cells.set(index, value);
    if (newest && hash) {
      const sum = hash.coversCells ? this.cells.sum : 0;
      if ((viewHash(view) + sum) >>> 0 !== hash.value) {
        this.amiss = true;
        throw new DecodeError('hash');
      }
    }
    const fresh = this.#freshEvents(first, events, keyframe);
    let at = this.history.length;
    while (at > 0 && this.history[at - 1].number > number) at -= 1;
    this.history.splice(at, 0, { number, view });
    if (this.history.length > FRAME_HISTORY) this.history.shift();
    return { number, newest, keyframe, events: fresh, cells: cells.map(([index]) => index) };
  }

  #freshEvents(first, events, keyframe) {
    const near = (a, b) => ((a - b) << 16) >> 16;
    if (keyframe && this.nextEvent === 0) this.nextEvent = first;
    const skip = Math.min(Math.max(near(this.nextEvent, first), 0), events.length);
    if (events.length > 0) {
      const ahead = near(first + events.length, this.nextEvent);
      this.nextEvent = (this.nextEvent + Math.max(ahead, 0)) >>> 0;
    }
    return events.slice(skip);
  }
}

const readPos = (r) => ({ x: r.bits(10), y: r.bits(10) });

function stepped(pos, direction) {
  const { dx, dy } = DIRECTIONS[direction];
  const to = { x: pos.x + dx, y: pos.y + dy };
  if (to.x < 0 || to.y < 0) throw new DecodeError('range', 'step');
  return to;
}

function readMe(r, before, tick) {
  if (!r.flag()) return before;
  const me = { ...before };
  if (r.flag()) me.pos = r.flag() ? stepped(me.pos, r.bits(3)) : readPos(r);
  if (!r.flag()) return me;
  if (r.flag()) me.id = r.bits(16);
  for (const [field, mask] of NUMBERS) {
    if (r.flag()) me[field] = ((me[field] + r.signed()) & mask) >>> 0;
  }
  if (r.flag()) {
    me.strength = r.bits(8);
    me.armor = r.bits(8);
  }
  if (r.flag()) {
    me.stealth = r.bits(8);
    me.flags = r.bits(8);
  }
  if (r.flag()) {
    const count = r.bits(4);
    me.effects = [];
    for (let i = 0; i < count; i += 1) {
      const kind = r.bits(5);
      me.effects.push({ kind, until: (tick + r.signed()) >>> 0 });
    }
  }
  return me;
}

/** The numbers of `me` sent as differences, in order, with the bits they keep. */
const NUMBERS = [
  ['hp', 0xffff],
  ['hpMax', 0xffff],
  ['level', 0xff],
  ['xp', -1],
  ['xpNext', -1],
  ['gold', -1],
];

function readActors(r, before, me) {
  if (!r.flag()) return before;
  const actors = [];
  const mostMove = r.flag();
  for (const old of before) {
    const actor = { ...old };
    const longer = r.flag();
    if (!longer || !r.flag()) {
      if (longer !== mostMove) actor.pos = stepped(actor.pos, r.bits(3));
    } else if (!r.flag()) {
      actor.pos = readOffsets(r, actor.pos, SHIFT_BITS, SHIFT_OFFSET);
    } else if (!r.flag()) {
      continue;
    } else {
      if (r.flag()) actor.pos = readNear(r, me);
      if (r.flag()) actor.health = r.bits(4);
      if (r.flag()) actor.state = r.bits(8);
    }
    actors.push(actor);
  }
  const fresh = r.gamma();
  if (actors.length + fresh > ACTORS_IN_VIEW_MAX) throw new DecodeError('range', 'actors');
  for (let i = 0; i < fresh; i += 1) {
    const last = actors.at(-1) ?? { generation: 0, kind: 0, health: 0, state: 0 };
    const actor = { id: r.bits(16) };
    actor.generation = r.flag() ? last.generation : r.bits(8);
    actor.kind = r.flag() ? last.kind : r.bits(8);
    actor.pos = readNear(r, me);
    const alike = r.flag();
    actor.health = alike ? last.health : r.bits(4);
    actor.state = alike ? last.state : r.bits(8);
    actor.name = actor.kind === 0 ? r.text(NAME_BYTES_MAX) : '';
    actors.push(actor);
  }
  return actors.sort((a, b) => a.id - b.id);
}

function readNear(r, me) {
  if (!r.flag()) return readPos(r);
  return readOffsets(r, me, NEAR_BITS, NEAR_OFFSET);
}

function readOffsets(r, base, bits, offset) {
  const pos = { x: base.x + r.bits(bits) - offset, y: 0 };
  pos.y = base.y + r.bits(bits) - offset;
  if (pos.x < 0 || pos.y < 0) throw new DecodeError('range', 'position');
  return pos;
}

function readInventory(r, before) {
  if (!r.flag()) return before;
  let items = before;
  const count = r.gamma();
  if (count > INVENTORY_SLOTS) throw new DecodeError('range', 'slots');
  for (let n = 0; n < count; n += 1) {
    const slot = r.bits(5);
    if (slot >= INVENTORY_SLOTS) throw new DecodeError('range', 'slot');
    items = items.filter((item) => item.slot !== slot);
    if (r.flag()) {
      const item = { slot, look: r.bits(8), count: r.bits(8) };
      item.enchant = (r.bits(8) << 24) >> 24;
      item.flags = r.bits(8);
      items.push(item);
    }
  }
  return [...items].sort((a, b) => a.slot - b.slot);
}

function readEvents(r) {
  if (!r.flag()) return { first: 0, events: [] };
  const first = r.bits(16);
  const count = r.gamma() + 1;
  if (count > EVENTS_PER_FRAME_MAX) throw new DecodeError('range', 'events');
  const events = [];
  for (let i = 0; i < count; i += 1) events.push(readEvent(r));
  return { first, events };
}

function readEvent(r) {
  switch (r.bits(2)) {
    case 0: {
      const event = { type: 'note', code: r.bits(8), who: readWho(r), other: readWho(r) };
      event.look = r.flag() ? r.bits(8) : 0;
      event.number = r.signed();
      return event;
    }
    case 1:
      return { type: 'bolt', look: r.bits(8), from: readPos(r), to: readPos(r) };
    case 2:
      return { type: 'burst', look: r.bits(8), at: readPos(r), radius: r.bits(4) };
    default:
      return { type: 'chat', from: r.text(NAME_BYTES_MAX), text: r.text(CHAT_BYTES_MAX) };
  }
}

function readWho(r) {
  const tag = r.bits(2);
  if (tag === 2) return { type: 'actor', id: r.bits(16), kind: r.bits(8) };
  return { type: ['nobody', 'you', '', 'something'][tag] };
}

function readCells(r, { width, height }) {
  const cells = [];
  let next = 0;
  let [row, start] = [0, 0];
  let recent = [0, 0];
  while (r.flag()) {
    let index = next;
    if (!r.flag()) {
      if (r.flag()) {
        const y = row + 1 + r.gamma();
        const x = start + r.signed();
        if (x < 0 || x >= width) throw new DecodeError('range', 'cell');
        index = y * width + x;
      } else {
        index = next + 1 + r.gamma();
      }
    }
    if (index >= width * height) throw new DecodeError('range', 'cell');
    next = index + 1;
    if (Math.floor(index / width) !== row) {
      row = Math.floor(index / width);
      start = index % width;
    }
    if (!r.flag()) {
      if (r.flag()) recent = [recent[1], recent[0]];
      else recent = [readCell(r), recent[0]];
    }
    cells.push([index, recent[0]]);
  }
  return cells;
}

function readCell(r) {
  const terrain = r.bits(6);
  const item = r.flag() ? r.bits(8) : 0;
  let [kind, level] = [0, 0];
  if (r.flag()) {
    kind = r.bits(2);
    level = r.bits(3);
  }
  if (level === 0) kind = 0;
  return terrain | (item << 6) | (kind << 14) | (level << 16) | (r.flag() ? 1 << 19 : 0);
}
