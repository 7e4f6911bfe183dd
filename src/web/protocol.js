// Messages between client and server, see docs/PROTOCOL.md.

import { ByteReader, ByteWriter, DecodeError } from './bits.js';

export const VERSION = 2;
export const CHAT_BYTES_MAX = 200;
export const NAME_BYTES_MAX = 16;
export const COMMANDS_PER_MESSAGE_MAX = 32;

/** The eight neighbours, clockwise from north; odd numbers are diagonal. */
export const DIRECTIONS = [
  { name: 'north', dx: 0, dy: -1 },
  { name: 'northeast', dx: 1, dy: -1 },
  { name: 'east', dx: 1, dy: 0 },
  { name: 'southeast', dx: 1, dy: 1 },
  { name: 'south', dx: 0, dy: 1 },
  { name: 'southwest', dx: -1, dy: 1 },
  { name: 'west', dx: -1, dy: 0 },
  { name: 'northwest', dx: -1, dy: -1 },
];

/** The number of the direction of a step, or -1. */
export function directionOf(dx, dy) {
  return DIRECTIONS.findIndex((d) => d.dx === dx && d.dy === dy);
}

/** Why a server ends a connection. `again`: the same session may go on after a while. */
export const CLOSE_REASONS = [
  { name: 'goodbye', text: 'Goodbye.' },
  { name: 'malformed', text: 'The client sent something that is not a message.' },
  { name: 'too_large', text: 'The client sent a message that is too large.' },
  { name: 'version', text: 'This client speaks another version: reload the page.' },
  { name: 'unauthenticated', text: 'Your login has expired: log in again.' },
  { name: 'no_character', text: 'The account has no such character.' },
  { name: 'superseded', text: 'Your character was taken over by another connection.' },
  { name: 'flooding', text: 'The client sent more than the server takes.' },
  { name: 'too_slow', text: 'The connection was too slow to keep up.', again: true },
  { name: 'idle', text: 'Nothing was heard from this client for too long.', again: true },
  { name: 'full', text: 'The server is full: trying again.', again: true },
  { name: 'draining', text: 'The server is restarting.', again: true },
  { name: 'internal', text: 'The server met a problem of its own.', again: true },
  { name: 'out_of_order', text: 'The client sent a message that does not belong there.' },
  { name: 'banned', text: 'You are banned' },
  { name: 'kicked', text: 'An admin has closed the connection.' },
  { name: 'later', text: 'Nobody is let in here at this moment.', again: true },
];

export const ME = { SNEAKING: 1, DEAD: 2, GUARDED: 4, ON_STAIRS: 8 };

export const STATE = {
  ASLEEP: 1,
  HUNTING: 2,
  FLEEING: 4,
  FRIENDLY: 8,
  BURNING: 16,
  GUARDED: 32,
  CONFUSED: 64,
  HELD: 128,
};

export const ITEM = {
  EQUIPPED: 1,
  IDENTIFIED: 2,
  MALEVOLENT: 4,
  TARGETED: 8,
  WEARABLE: 16,
  USABLE: 32,
};

export function encodeHello({ token, character, resume, datagrams }) {
  const w = new ByteWriter();
  w.u8(1);
  w.u16(VERSION);
  w.text(token ?? '');
  w.u64(character ?? 0);
  w.text(resume ?? '');
  w.u8(datagrams ? 1 : 0);
  return w.finish();
}

export function encodeInput({ lastFrame, keyframe, first, commands }) {
  const w = new ByteWriter();
  w.u8(2);
  w.u32(lastFrame);
  w.u8(keyframe ? 1 : 0);
  w.u32(first);
  w.varint(commands.length);
  for (const command of commands) writeCommand(w, command);
  return w.finish();
}

export function encodePing(nonce) {
  const w = new ByteWriter();
  w.u8(3);
  w.u32(nonce);
  return w.finish();
}

export function encodeBye() {
  return Uint8Array.of(4);
}

/** Numbers of the commands that are a tag alone, or a tag and a slot. */
const TAGS = {
  rest: 0,
  search: 1,
  stairs: 2,
  pickup: 3,
  drop: 4,
  equip: 5,
  use: 6,
  useAt: 7,
  throw: 8,
  sneak: 9,
  chat: 10,
  move: 0x10,
};

function writeCommand(w, command) {
  const tag = TAGS[command.kind];
  if (command.kind === 'move') {
    w.u8(tag | command.direction);
    return;
  }
  w.u8(tag);
  if (command.slot !== undefined) w.u8(command.slot);
  if (command.target) {
    w.u16(command.target.x);
    w.u16(command.target.y);
  }
  if (command.kind === 'sneak') w.u8(command.on ? 1 : 0);
  if (command.kind === 'chat') w.text(command.text);
}

/** Decodes a message from the server; a frame's bytes are left to `FrameReader`. */
export function decodeServer(bytes) {
  const r = new ByteReader(bytes);
  const tag = r.u8();
  switch (tag) {
    case 1:
      return {
        type: 'welcome',
        version: r.u16(),
        session: r.u64(),
        character: r.u64(),
        lastCommand: r.u32(),
        ticksPerSecond: r.u8(),
        name: r.text(),
        resume: r.text(),
      };
    case 2:
      return { type: 'frame', bytes: r.rest() };
    case 3:
      return { type: 'pong', nonce: r.u32() };
    case 4: {
      const reason = r.u8();
      return { type: 'close', reason, retryAfter: r.u32(), detail: r.text() };
    }
    case 5:
      return { type: 'notice', text: r.text() };
    default:
      throw new DecodeError('unknown', `message ${tag}`);
  }
}

/** Cuts a text to at most `bytesMax` bytes of UTF-8, never inside a character. */
export function clip(value, bytesMax) {
  const encoder = new TextEncoder();
  let out = '';
  let used = 0;
  for (const character of value) {
    used += encoder.encode(character).length;
    if (used > bytesMax) break;
    out += character;
  }
  return out;
}
