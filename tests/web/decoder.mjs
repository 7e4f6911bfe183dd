// Puts the frames of tests/data/frames.json through the browser's reader and compares.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fieldOfView } from '../../src/web/fov.js';
import { FrameReader, viewHash } from '../../src/web/frame.js';
import { decodeServer, encodeHello, encodeInput } from '../../src/web/protocol.js';

const bytesOf = (hex) => Uint8Array.from(hex.match(/../g), (pair) => Number.parseInt(pair, 16));

function whoWords(who) {
  return who.type === 'actor' ? `${who.id}/${who.kind}` : who.type;
}

function words(event) {
  const at = ({ x, y }) => `${x},${y}`;
  switch (event.type) {
    case 'note':
      return `note ${event.code} ${whoWords(event.who)} ${whoWords(event.other)} ${event.look} ${event.number}`;
    case 'bolt':
      return `bolt ${event.look} ${at(event.from)} ${at(event.to)}`;
    case 'burst':
      return `burst ${event.look} ${at(event.at)} ${event.radius}`;
    default:
      return `chat ${event.from}: ${event.text}`;
  }
}

function frames() {
  const vectors = JSON.parse(readFileSync(new URL('../data/frames.json', import.meta.url)));
  const reader = new FrameReader();
  const outcomes = { applied: 0, ignored: 0, baseline: 0, late: 0, chat: 0 };
  for (const [n, vector] of vectors.entries()) {
    const message = decodeServer(bytesOf(vector.frame));
    assert.equal(message.type, 'frame');
    let outcome = 'applied';
    let applied = null;
    try {
      applied = reader.apply(message.bytes);
      if (!applied) outcome = 'ignored';
    } catch (error) {
      outcome = error.kind ?? error.stack;
    }
    assert.equal(outcome, vector.outcome ?? 'applied', `frame ${n}`);
    outcomes[outcome] += 1;
    if (!applied) continue;
    if (!applied.newest) outcomes.late += 1;
    outcomes.chat += applied.events.filter((e) => e.type === 'chat').length;
    const { view } = reader;
    assert.deepEqual(
      {
        number: applied.number,
        newest: applied.newest,
        keyframe: applied.keyframe,
        tick: view.tick,
        place: view.place.name,
        hash: viewHash(view),
        sum: reader.cells.sum,
        cells: applied.cells.length,
        events: applied.events.map(words),
      },
      Object.fromEntries(Object.entries(vector).filter(([key]) => key !== 'frame')),
      `frame ${n}`,
    );
  }
  for (const [outcome, count] of Object.entries(outcomes)) assert.ok(count > 0, `no frame was ${outcome}`);
  return outcomes;
}

/** The bytes of docs/PROTOCOL.md. */
function messages() {
  const input = encodeInput({
    lastFrame: 2,
    keyframe: false,
    first: 6,
    commands: [{ kind: 'move', direction: 2 }, { kind: 'throw', slot: 3, target: { x: 300, y: 12 } }],
  });
  assert.deepEqual([...input], [2, 2, 0, 0, 0, 0, 6, 0, 0, 0, 2, 0x12, 8, 3, 0x2c, 1, 12, 0]);
  const hello = encodeHello({ token: 'ab', character: '258', resume: '', datagrams: true });
  assert.deepEqual([...hello], [1, 2, 0, 2, 97, 98, 2, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
  const notice = decodeServer(Uint8Array.of(5, 4, 78, 111, 111, 110));
  assert.deepEqual(notice, { type: 'notice', text: 'Noon' });
}

/** Two floor cells see each other or neither does; every cell in an empty room is seen. */
function sight() {
  const side = 41;
  const walls = new Set();
  for (let i = 0; i < 260; i += 1) walls.add(Math.imul(i, 7919) % (side * side));
  const opaque = (x, y) => x < 0 || y < 0 || x >= side || y >= side || walls.has(y * side + x);
  const seenFrom = (x, y) => {
    const seen = new Set();
    fieldOfView(x, y, 12, opaque, (cx, cy) => seen.add(cy * 1000 + cx));
    return seen;
  };
  const all = new Map();
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) if (!opaque(x, y)) all.set(y * 1000 + x, seenFrom(x, y));
  }
  for (const [from, seen] of all) {
    for (const to of seen) if (all.has(to)) assert.ok(all.get(to).has(from), `${from} sees ${to}`);
  }
  let count = 0;
  const open = new Set();
  fieldOfView(0, 0, 20, () => false, (x, y) => open.add(`${x},${y}`));
  for (let y = -21; y <= 21; y += 1) for (let x = -21; x <= 21; x += 1) count += x * x + y * y <= 420;
  assert.equal(open.size, count);
}

messages();
sight();
console.log(JSON.stringify(frames()));
