// The door of the console: a session, and operations called in it. Nothing else of the page talks to the server.

/** What went wrong, in the API's own form: `code`, `message`, HTTP `status` (200 where the operation itself said no), and the whole `answer` of a failed request. */
export class Fault extends Error {
  constructor({ code, message, status, requestId, answer = null }) {
    super(message);
    Object.assign(this, { code, status, requestId, answer });
  }
}

let csrf = '';
let ended = () => {};

/** Told when the session is no longer there. */
export function onEnd(callback) {
  ended = callback;
}

async function ask(method, path, body) {
  const headers = { Accept: 'application/json' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (csrf) headers['X-CSRF-Token'] = csrf;
  let response;
  try {
    response = await fetch(`/console/${path}`, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: 'same-origin',
    });
  } catch {
    throw new Fault({ code: 'Unreachable', message: '', status: 0 });
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401) ended();
  throw new Fault({
    code: answer.Code || `HTTP ${response.status}`,
    message: answer.Message || response.statusText,
    status: response.status,
    requestId: answer.RequestId,
    answer,
  });
}

/** The user who is signed in: {UserId, Name, Root}; null for nobody. */
export async function session() {
  const found = await ask('GET', 'session');
  csrf = found.Csrf || '';
  return csrf ? found : null;
}

export async function signIn(id, secret) {
  const found = await ask('POST', 'session', { AccessKeyId: id, AccessKeySecret: secret });
  csrf = found.Csrf;
  return found;
}

export async function signOut() {
  await ask('DELETE', 'session');
  csrf = '';
}

/** The operation's answer. A Fault too where the answer says that what was asked could not be done. */
export async function call(action, parameters = {}) {
  const answer = await raw(action, parameters);
  const refused = refusal(answer);
  if (refused !== null) throw new Fault({ code: action, message: refused, status: 200, requestId: answer.RequestId });
  return answer;
}

/** The operation's answer as it is. */
export function raw(action, parameters = {}) {
  return ask('POST', 'call', { Action: action, Parameters: parameters });
}

function refusal(answer) {
  if (answer.Success === false) return answer.ErrorMessage || '';
  const data = answer.Data;
  if (data && typeof data === 'object' && data.Status === 'fail') return data.Message || '';
  return null;
}

const PAGE = 100;

/** All entries of an operation that answers in pages; `list`: the member of `Data` that holds them. */
export async function every(action, parameters, list) {
  const found = [];
  for (let page = 1; ; page += 1) {
    const { Data } = await call(action, { ...parameters, PageNumber: page, PageSize: PAGE });
    found.push(...Data[list]);
    if (Data[list].length < PAGE) return found;
  }
}

/** {Operations, Groups}: all that is served, and by what it is grouped. */
export const catalogue = () => ask('GET', 'operations');
export const sign = (action, parameters) => ask('POST', 'sign', { Action: action, Parameters: parameters });
