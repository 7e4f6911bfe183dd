// Carriers of messages: WebTransport where the browser has it and it comes up at once, else
// WebSocket. A link is { name, send(bytes), close(code) }; it reports whole messages to
// `onMessage(Uint8Array)` and its end to `onClose({ code })`, once.

const WEBTRANSPORT_PATIENCE_MS = 2000;
const CLOSE_CODE_BASE = 4000;
const SEND_BYTES_MAX = 256 * 1024;

/** After WebTransport failed once, the page stays with WebSocket for a while. */
let webTransportBlockedUntil = 0;

/** Counts the links: each is tried over another gateway than the one before. */
let turn = 0;

/** Where to connect: an address a carrier, on the page's own host where none is named. */
function gatewayOf(info) {
  const { gateways } = info;
  const own = { websocket: location.host, quic: `:${info.quic_port}` };
  const gateway = gateways?.length ? gateways[turn++ % gateways.length] : { ...own, ...info };
  const full = (address, host) => (address.startsWith(':') ? host + address : address);
  // Browsers try only the first address of a name for WebTransport, and that may be ::1.
  const quicHost = location.hostname === 'localhost' ? '127.0.0.1' : location.hostname;
  return {
    websocket: full(gateway.websocket, location.hostname),
    quic: full(gateway.quic, quicHost),
    hashes: gateway.certificate_hashes ?? [],
  };
}

/** Opens a link; `forced` is 'websocket', 'webtransport' or null for the best one. */
export async function openLink(info, forced, handlers) {
  const gateway = gatewayOf(info);
  const able = typeof WebTransport === 'function' && info.quic_port > 0;
  const wanted = forced === 'webtransport' || performance.now() >= webTransportBlockedUntil;
  if (forced !== 'websocket' && able && wanted) {
    try {
      return await openWebTransport(gateway, handlers);
    } catch (error) {
      if (forced === 'webtransport') throw error;
      webTransportBlockedUntil = performance.now() + 60_000;
    }
  }
  if (forced === 'webtransport') throw new Error('this browser has no WebTransport here');
  return openWebSocket(gateway, handlers);
}

function once(handler) {
  let done = false;
  return (detail) => {
    if (done) return;
    done = true;
    handler(detail);
  };
}

function openWebSocket(gateway, { onMessage, onClose }) {
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  const url = `${scheme}://${gateway.websocket}/ws`;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    const closed = once(onClose);
    let open = false;
    socket.onopen = () => {
      open = true;
      resolve({
        name: 'websocket',
        send: (bytes) => {
          if (socket.readyState !== WebSocket.OPEN) return;
          if (socket.bufferedAmount > SEND_BYTES_MAX) socket.close();
          else socket.send(bytes);
        },
        close: (code = 0) => socket.close(CLOSE_CODE_BASE + code),
      });
    };
    socket.onmessage = ({ data }) => onMessage(new Uint8Array(data));
    socket.onclose = ({ code }) => {
      if (!open) reject(new Error('the server cannot be reached'));
      else closed({ code: code >= CLOSE_CODE_BASE ? code - CLOSE_CODE_BASE : null });
    };
  });
}

async function openWebTransport({ quic, hashes }, handlers) {
  const url = `https://${quic}/wt`;
  const options = hashes.length
    ? {
        serverCertificateHashes: hashes.map((hash) => ({
          algorithm: 'sha-256',
          value: Uint8Array.from(atob(hash), (c) => c.charCodeAt(0)),
        })),
      }
    : {};
  const transport = new WebTransport(url, options);
  transport.closed.catch(() => {});
  try {
    return await within(WEBTRANSPORT_PATIENCE_MS, settle(transport, handlers));
  } catch (error) {
    try {
      transport.close();
    } catch {
      // A session that never opened has nothing to close.
    }
    throw error;
  }
}

async function settle(transport, { onMessage, onClose }) {
  await transport.ready;
  const stream = await transport.createBidirectionalStream();
  const writer = stream.writable.getWriter();
  const closed = once(onClose);
  transport.closed.then(
    ({ closeCode }) => closed({ code: closeCode ?? null }),
    () => closed({ code: null }),
  );
  readStream(stream.readable, onMessage).catch(() => closed({ code: null }));
  readDatagrams(transport.datagrams.readable, onMessage).catch(() => {});
  return {
    name: 'webtransport',
    datagrams: true,
    send: (bytes) => {
      const framed = new Uint8Array(bytes.length + 2);
      framed[0] = bytes.length & 255;
      framed[1] = bytes.length >>> 8;
      framed.set(bytes, 2);
      writer.write(framed).catch(() => closed({ code: null }));
    },
    close: (code = 0) => {
      try {
        transport.close({ closeCode: code });
      } catch {
        // Already closed by the other side.
      }
    },
  };
}

/** Cuts a stream into messages, each preceded by its length as 16 bits, little-endian. */
async function readStream(readable, onMessage) {
  const reader = readable.getReader();
  let held = new Uint8Array(0);
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error('the stream ended');
    const joined = new Uint8Array(held.length + value.length);
    joined.set(held);
    joined.set(value, held.length);
    held = joined;
    while (held.length >= 2) {
      const length = held[0] | (held[1] << 8);
      if (held.length < 2 + length) break;
      onMessage(held.subarray(2, 2 + length));
      held = held.subarray(2 + length);
    }
  }
}

async function readDatagrams(readable, onMessage) {
  const reader = readable.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    onMessage(value);
  }
}

function within(milliseconds, promise) {
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error('too slow')), milliseconds);
  });
  return Promise.race([promise, late]);
}
