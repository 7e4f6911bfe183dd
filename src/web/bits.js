// The two ways in which the wire packs numbers: bits, lowest first, inside frames; bytes,
// little-endian, in messages. A reader throws `DecodeError` instead of reading past its end.

export class DecodeError extends Error {
  constructor(kind, detail = '') {
    super(detail ? `${kind}: ${detail}` : kind);
    this.kind = kind;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function text(bytes) {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new DecodeError('text');
  }
}

export class BitReader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  /** The next `count` bits, at most 32, as an unsigned number. */
  bits(count) {
    if (this.at + count > this.bytes.length * 8) throw new DecodeError('truncated');
    let value = 0;
    let done = 0;
    while (done < count) {
      const within = this.at & 7;
      const take = Math.min(8 - within, count - done);
      const part = (this.bytes[this.at >>> 3] >>> within) & ((1 << take) - 1);
      value += part * 2 ** done;
      done += take;
      this.at += take;
    }
    return value;
  }

  flag() {
    return this.bits(1) === 1;
  }

  /** Elias gamma of value + 1. */
  gamma() {
    let n = 0;
    while (!this.flag()) {
      n += 1;
      if (n > 31) throw new DecodeError('range', 'gamma');
    }
    return 2 ** n + this.bits(n) - 1;
  }

  /** A gamma that stands for 0, -1, 1, -2, 2 ... */
  signed() {
    const value = this.gamma();
    return (value >>> 1) ^ -(value & 1);
  }

  /** Eight bits of length, then the bytes. */
  text(bytesMax) {
    const length = this.bits(8);
    if (length > bytesMax) throw new DecodeError('too long', 'text');
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i += 1) bytes[i] = this.bits(8);
    return text(bytes);
  }
}

export class ByteReader {
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
  }

  take(count) {
    if (this.at + count > this.bytes.length) throw new DecodeError('truncated');
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  u8() {
    return this.take(1)[0];
  }

  u16() {
    this.take(2);
    return this.view.getUint16(this.at - 2, true);
  }

  u32() {
    this.take(4);
    return this.view.getUint32(this.at - 4, true);
  }

  /** Ids are 64 bits and kept as decimal text. */
  u64() {
    this.take(8);
    return this.view.getBigUint64(this.at - 8, true).toString();
  }

  varint() {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.u8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new DecodeError('range', 'varint');
  }

  text() {
    return text(this.take(this.varint()));
  }

  rest() {
    return this.take(this.bytes.length - this.at);
  }
}

export class ByteWriter {
  constructor() {
    this.bytes = [];
  }

  u8(value) {
    this.bytes.push(value & 0xff);
  }

  u16(value) {
    this.bytes.push(value & 0xff, (value >>> 8) & 0xff);
  }

  u32(value) {
    this.u16(value & 0xffff);
    this.u16(value >>> 16);
  }

  u64(decimal) {
    const value = BigInt(decimal);
    this.u32(Number(value & 0xffffffffn));
    this.u32(Number((value >> 32n) & 0xffffffffn));
  }

  varint(value) {
    let rest = value;
    while (rest >= 0x80) {
      this.bytes.push((rest & 0x7f) | 0x80);
      rest = Math.floor(rest / 128);
    }
    this.bytes.push(rest);
  }

  text(value) {
    const bytes = new TextEncoder().encode(value);
    this.varint(bytes.length);
    for (const byte of bytes) this.bytes.push(byte);
  }

  finish() {
    return Uint8Array.from(this.bytes);
  }
}
