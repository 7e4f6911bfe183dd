// One session with the server: hello, commands and their numbers, acknowledgements, reconnects.
// It knows messages and frames; what they look like is the business of world.js.

import { api } from './api.js';
import { FrameReader } from './frame.js';
import {
  CLOSE_REASONS,
  COMMANDS_PER_MESSAGE_MAX,
  decodeServer,
  encodeBye,
  encodeHello,
  encodeInput,
  encodePing,
} from './protocol.js';
import { openLink } from './transport.js';

const PING_INTERVAL_MS = 2000;
const RESEND_AFTER_MS = 1500;
const UNACKNOWLEDGED_MAX = 6;
/** Frames between two acknowledgements, on an ordered carrier and where frames may get lost. */
const ACK_FRAMES = 5;
const ACK_FRAMES_DATAGRAMS = 3;
const BACKOFF_MS = [250, 500, 1000, 2000, 4000, 8000];

/** Why it is over, for the player, in the server's words too. */
function farewell(reason, closing) {
  let text = reason.text;
  if (reason.name === 'banned') {
    const until = new Date(Date.now() + (closing?.retryAfter ?? 0));
    text += closing?.retryAfter ? ` until ${until.toLocaleString()}.` : '.';
  }
  return closing?.detail ? `${text} (${closing.detail})` : text;
}

export class Session extends EventTarget {
  /** `info` is the answer of /api/info; `forced` a carrier or null. */
  constructor(info, forced) {
    super();
    this.info = info;
    this.forced = forced;
    this.reader = new FrameReader();
    this.status = 'idle';
    this.link = null;
    this.resume = '';
    this.lastCommand = 0;
    this.nextCommand = 1;
    this.unacknowledged = [];
    this.needsKeyframe = false;
    this.latency = null;
    this.attempt = 0;
    this.pings = new Map();
    this.epoch = 0;
    this.timer = setInterval(() => this.#everySoOften(), 500);
    this.lastPing = 0;
    this.progressAt = 0;
  }

  get transport() {
    return this.link?.name ?? null;
  }

  get view() {
    return this.reader.view;
  }

  /** Commands sent that the server has not answered for yet. */
  get waiting() {
    return this.unacknowledged.length;
  }

  /** Connects with a token and a character, or with a resume token alone. */
  start({ token = '', character = '0', resume = '' }) {
    this.credentials = { token, character };
    this.resume = resume;
    this.#connect();
  }

  /** Sends a command; false if it cannot be taken now. */
  command(command) {
    if (this.status !== 'playing' || this.waiting >= UNACKNOWLEDGED_MAX) return false;
    const number = this.nextCommand;
    this.nextCommand += 1;
    if (this.waiting === 0) this.progressAt = performance.now();
    this.unacknowledged.push({ number, command });
    this.#sendInput(number, [command]);
    return true;
  }

  /** Leaves for good: the character goes to rest. */
  leave() {
    this.link?.send(encodeBye());
    this.stop();
  }

  /** Closes the connection and forgets it; the session lives on at the server for a while. */
  stop() {
    this.epoch += 1;
    clearInterval(this.timer);
    clearTimeout(this.retry);
    this.link?.close(0);
    this.link = null;
    this.#become('ended');
  }

  async #connect() {
    this.epoch += 1;
    const { epoch } = this;
    const current = (handler) => (detail) => epoch === this.epoch && handler(detail);
    this.#become(this.attempt === 0 ? 'connecting' : 'reconnecting');
    this.closing = null;
    // Frame and event numbers begin anew; a frame may overtake the Welcome.
    this.reader.reset();
    this.needsKeyframe = false;
    this.toldFrame = 0;
    this.knownBefore = this.lastCommand;
    try {
      await this.#refreshGateways();
      const link = await openLink(this.info, this.forced, {
        onMessage: current((bytes) => this.#handle(bytes)),
        onClose: current(({ code }) => this.#lost(code)),
      });
      if (epoch !== this.epoch) {
        link.close(0);
        return;
      }
      this.link = link;
      this.pings.clear();
      link.send(
        encodeHello({ ...this.credentials, resume: this.resume, datagrams: link.datagrams }),
      );
    } catch (error) {
      if (epoch === this.epoch) this.#lost(null, error.message);
    }
  }

  /** Gateways come and go; where there is none to be asked of, those known are tried. */
  async #refreshGateways() {
    if (!this.info.gateways || this.attempt === 0) return;
    const info = await api.info().catch(() => null);
    if (info?.gateways?.length) this.info = info;
  }

  #handle(bytes) {
    let message;
    try {
      message = decodeServer(bytes);
    } catch {
      return;
    }
    if (message.type === 'welcome') this.#welcome(message);
    else if (message.type === 'frame') this.#frame(message.bytes);
    else if (message.type === 'pong') this.#pong(message.nonce);
    else if (message.type === 'notice') this.#notice(message.text);
    else this.closing = message;
    if (this.closing) this.#lost(this.closing.reason);
  }

  #welcome(message) {
    this.attempt = 0;
    this.id = message.session;
    this.character = message.character;
    this.name = message.name;
    this.ticksPerSecond = message.ticksPerSecond || 20;
    this.resume = message.resume;
    if (message.lastCommand < this.knownBefore) this.#rollBack(message.lastCommand);
    else this.#acknowledge(message.lastCommand);
    this.#become('playing');
    this.dispatchEvent(new CustomEvent('welcome', { detail: message }));
    this.#resend();
    this.#ping();
  }

  #frame(bytes) {
    let applied;
    try {
      applied = this.reader.apply(bytes);
    } catch (error) {
      if (error.kind !== 'baseline' && error.kind !== 'hash') return;
      if (this.needsKeyframe) return;
      this.needsKeyframe = true;
      if (this.status === 'playing') this.#sendInput(this.nextCommand, []);
      return;
    }
    if (!applied) return;
    if (applied.keyframe) this.needsKeyframe = false;
    if (applied.newest) this.#acknowledge(this.reader.view.lastCommand);
    this.dispatchEvent(new CustomEvent('frame', { detail: applied }));
    const interval = this.link?.datagrams ? ACK_FRAMES_DATAGRAMS : ACK_FRAMES;
    const due = applied.keyframe || applied.number - this.toldFrame >= interval;
    if (!applied.newest || !due || this.status !== 'playing') return;
    // Commands sent while a character changed zones have reached neither.
    if (applied.keyframe) this.#resend();
    else this.#sendInput(this.nextCommand, []);
  }

  /** The zone knows less than it had acknowledged: what waited no longer follows on. */
  #rollBack(last) {
    this.unacknowledged = [];
    this.lastCommand = last;
    this.nextCommand = last + 1;
  }

  #acknowledge(number) {
    this.lastCommand = Math.max(this.lastCommand, number);
    const before = this.waiting;
    this.unacknowledged = this.unacknowledged.filter((u) => u.number > number);
    if (this.waiting !== before) this.progressAt = performance.now();
    if (this.nextCommand <= number) this.nextCommand = number + 1;
  }

  #sendInput(first, commands) {
    this.toldFrame = this.reader.newest;
    const { needsKeyframe: keyframe, toldFrame: lastFrame } = this;
    this.link?.send(encodeInput({ lastFrame, keyframe, first, commands }));
  }

  #resend() {
    if (this.waiting === 0) {
      this.#sendInput(this.nextCommand, []);
      return;
    }
    const rest = this.unacknowledged.slice(0, COMMANDS_PER_MESSAGE_MAX);
    this.#sendInput(rest[0].number, rest.map((u) => u.command));
  }

  /** Every connection says it anew; the player hears it once. */
  #notice(text) {
    if (text !== this.notice && text) this.dispatchEvent(new CustomEvent('notice', { detail: text }));
    this.notice = text;
  }

  #pong(nonce) {
    const sent = this.pings.get(nonce);
    if (sent === undefined) return;
    this.pings.delete(nonce);
    const taken = performance.now() - sent;
    this.latency = this.latency === null ? taken : this.latency * 0.7 + taken * 0.3;
  }

  #ping() {
    this.lastPing = performance.now();
    this.nonce = ((this.nonce ?? 0) + 1) >>> 0;
    this.pings.set(this.nonce, this.lastPing);
    this.link?.send(encodePing(this.nonce));
  }

  #everySoOften() {
    if (this.status !== 'playing') return;
    const now = performance.now();
    if (this.pings.size > 5) {
      this.link?.close(0);
      this.#lost(null, 'the server does not answer');
      return;
    }
    if (now - this.lastPing >= PING_INTERVAL_MS) this.#ping();
    if (this.waiting > 0 && now - this.progressAt > RESEND_AFTER_MS) {
      this.progressAt = now;
      this.#resend();
    } else if (this.needsKeyframe) {
      this.#sendInput(this.nextCommand, []);
    }
  }

  /** `code`: a close reason, or null for a connection that broke. */
  #lost(code, detail) {
    this.epoch += 1;
    this.link?.close(0);
    this.link = null;
    const reason = code === null ? null : CLOSE_REASONS[code];
    const stale = reason?.name === 'unauthenticated' || reason?.name === 'no_character';
    if (stale && this.status !== 'playing' && this.resume && this.credentials.token) {
      // The session has ended; the account's token may begin another.
      this.resume = '';
      this.#connect();
      return;
    }
    if (reason && !reason.again) {
      clearInterval(this.timer);
      this.#become('ended', { name: reason.name, text: farewell(reason, this.closing) });
      return;
    }
    const asked = this.closing?.retryAfter ?? 0;
    const backoff = BACKOFF_MS[Math.min(this.attempt, BACKOFF_MS.length - 1)];
    // Those who were told the same do not come back at the same moment.
    const wait = Math.max(asked * (1 + Math.random() / 4), backoff * (0.75 + Math.random() / 2));
    this.attempt += 1;
    this.#become('waiting', { text: reason?.text ?? detail ?? 'The connection was lost.', wait });
    this.retry = setTimeout(() => this.#connect(), wait);
  }

  #become(status, detail = null) {
    this.status = status;
    this.dispatchEvent(new CustomEvent('status', { detail }));
  }
}
