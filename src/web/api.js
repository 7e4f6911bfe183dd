// The HTTP API of the services, and what the page keeps between visits.

async function call(method, path, body, headers = {}) {
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const token = vault.token();
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    const text = body === undefined ? undefined : JSON.stringify(body);
    response = await fetch(path, { method, headers, body: text });
  } catch {
    throw new Error('The server cannot be reached.');
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok) {
    const error = new Error(answer?.error ?? `The server answered ${response.status}.`);
    error.status = response.status;
    error.code = answer?.code;
    throw error;
  }
  return answer;
}

async function login(path, body) {
  const account = await call('POST', path, body);
  vault.keepAccount(account);
  return account;
}

export const api = {
  info: () => call('GET', '/api/info'),
  content: () => call('GET', '/content.json'),
  guest: () => login('/api/guest', {}),
  register: (name, password) => login('/api/register', { name, password }),
  login: (name, password) => login('/api/login', { name, password }),
  characters: () => call('GET', '/api/characters'),
  create: (name) => call('POST', '/api/characters', { name }),
  hallOfFame: () => call('GET', '/api/hall-of-fame'),
  /** `key` names the wish: asked for again, it is the same ticket. */
  requestTicket: (character, mode, key) => {
    return call('POST', '/api/matchmaking/tickets', { character: String(character), mode }, { 'Idempotency-Key': key });
  },
  ticket: (ticket) => call('GET', `/api/matchmaking/tickets/${ticket}`),
  takeUp: (ticket) => call('POST', `/api/matchmaking/tickets/${ticket}/take-up`),
  cancelTicket: (ticket) => call('DELETE', `/api/matchmaking/tickets/${ticket}`),
};

function read(storage, key) {
  try {
    return storage.getItem(`undercroft.${key}`) ?? '';
  } catch {
    return '';
  }
}

function write(storage, key, value) {
  try {
    if (value) storage.setItem(`undercroft.${key}`, value);
    else storage.removeItem(`undercroft.${key}`);
  } catch {
    // Storage is refused in some private windows; the game goes on without it.
  }
}

/**
 * Tokens and settings. The resume token is kept for the tab, so that a reload goes on and two tabs
 * do not take one character from each other, and for the browser, to offer it on the next visit.
 */
export const vault = {
  token: () => read(localStorage, 'token'),
  account: () => read(localStorage, 'account'),
  keepAccount({ token, name }) {
    write(localStorage, 'token', token);
    write(localStorage, 'account', name);
  },
  forgetAccount() {
    write(localStorage, 'token', '');
    write(localStorage, 'account', '');
    vault.forgetResume();
  },
  tabResume: () => read(sessionStorage, 'resume'),
  lastResume: () => read(localStorage, 'resume'),
  lastName: () => read(localStorage, 'name'),
  character: () => read(localStorage, 'character') || '0',
  keepResume(resume, { name, character }) {
    write(sessionStorage, 'resume', resume);
    write(localStorage, 'resume', resume);
    write(localStorage, 'name', name);
    write(localStorage, 'character', character);
  },
  forgetResume() {
    write(sessionStorage, 'resume', '');
    write(localStorage, 'resume', '');
  },
  setting: (key, fallback) => read(localStorage, `setting.${key}`) || fallback,
  keepSetting: (key, value) => write(localStorage, `setting.${key}`, String(value)),
};
