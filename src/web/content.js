// The content tables of the server (/content.json) and the words made from them.

const NO_TERRAIN = {
  name: 'the unknown',
  glyph: ' ',
  fg: '#000000',
  bg: '#000000',
  opaque: true,
  solid: true,
};
const NO_KIND = { name: 'something', glyph: '?', color: '#c0c0c0', description: '' };
const NO_LOOK = { name: 'something', glyph: '?', color: '#c0c0c0', category: '', description: '' };
const NO_FLASH = { name: '', color: '#ffffff', glyph: '*' };
const NO_EFFECT = { name: '?', color: '#ffffff', good: true };

export class Content {
  constructor(tables) {
    this.tables = tables;
    this.terrains = tables.terrain.map((row, number) => ({ ...row, number, ...traits(row) }));
  }

  terrain(number) {
    return this.terrains[number] ?? NO_TERRAIN;
  }

  kind(number) {
    return this.tables.kinds[number] ?? NO_KIND;
  }

  look(number) {
    return this.tables.looks[number] ?? NO_LOOK;
  }

  flash(number) {
    return this.tables.flashes[number] ?? NO_FLASH;
  }

  effect(number) {
    return this.tables.effects[number] ?? NO_EFFECT;
  }

  gas(number) {
    return this.tables.gases[number] ?? { name: 'gas', color: '#80d040' };
  }

  template(code) {
    return this.tables.notes[code] ?? '';
  }

  /** "a rusty sword", "3 darts": a look with its article or number. */
  itemName(look, count = 1) {
    const { name } = this.look(look);
    if (count > 1) return `${count} ${plural(name)}`;
    return withArticle(name);
  }

  /** An actor as the log calls it; `nameOf(id)` knows the players seen. */
  whoName(who, nameOf) {
    if (who.type === 'you') return 'you';
    if (who.type === 'nobody') return 'nobody';
    if (who.type === 'something') return 'something';
    if (who.kind === 0) return nameOf(who.id) ?? 'somebody';
    return theName(this.kind(who.kind).name);
  }

  /**
   * Fills a note. A choice of words "hit|hits" agrees with the nearest `{who}` or `{other}` before
   * it: the first word for "you", the second for anybody else.
   */
  note(event, nameOf) {
    let second = false;
    const first = this.template(event.code).match(/^\{(who|other)\}/);
    const named = first && event[first[1]].type === 'actor' && event[first[1]].kind === 0;
    const filled = this.template(event.code).replace(
      /\{(who|other|item|n)\}|([\w']+)\|([\w']+)/g,
      (_, slot, you, others) => {
        if (you !== undefined) return second ? you : others;
        if (slot === 'n') return String(event.number);
        if (slot === 'item') return this.itemName(event.look);
        const who = event[slot];
        second = who.type === 'you';
        return this.whoName(who, nameOf);
      },
    );
    // Players are called what they call themselves.
    return named ? filled : filled.charAt(0).toUpperCase() + filled.slice(1);
  }

  /** What a note does to whom, as far as a number can float over a head. */
  noteAmount(event) {
    const template = this.template(event.code);
    const target = template.includes('{other}') ? event.other : event.who;
    if (/\bfor \{n\}/.test(template)) return { target, amount: -event.number };
    if (/\bof \{n\}/.test(template)) return { target, amount: event.number };
    return null;
  }
}

/** What the client makes of a terrain beyond the server's own flags. */
function traits({ name, glyph, solid, liquid, glows }) {
  const lava = /lava|molten/.test(name);
  const water = !lava && Boolean(liquid);
  const deep = /deep/.test(name);
  const trap = glyph === '^';
  const snare = /web|thorn/.test(name);
  let cost = 1;
  if (water) cost = 2;
  if (/bog/.test(name)) cost = 2;
  if (snare) cost = 12;
  const avoid = Boolean(solid) || lava || deep || trap;
  const wall = Boolean(solid) && glyph === '#';
  return { lava, water, deep, trap, snare, cost, avoid, wall, torch: wall && Boolean(glows) };
}

export function withArticle(name) {
  if (/^(a|an|the|some|your|\d+) /i.test(name)) return name;
  if (/^(gold|food|leather|scale|plate|chain|banded|splint)\b/i.test(name)) return name;
  return `${/^[aeiou]/i.test(name) ? 'an' : 'a'} ${name}`;
}

export function theName(name) {
  if (/^(the|a|an) /i.test(name)) return name.replace(/^(a|an) /i, 'the ');
  return /^[A-Z]/.test(name) ? name : `the ${name}`;
}

export function plural(name) {
  const bare = name.replace(/^(a|an) /i, '');
  const of = bare.search(/ (of|titled|named|called|labelled|with) /);
  const noun = of < 0 ? bare : bare.slice(0, of);
  const rest = of < 0 ? '' : bare.slice(of);
  return `${/s$/.test(noun) ? noun : `${noun}s`}${rest}`;
}
