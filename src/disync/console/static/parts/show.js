// What only shows: states, progress, emptiness, faults.
import { html } from '../vendor/preact.js';
import { t } from '../core/i18n.js';

const KINDS = {
  RUN: 'good', success: 'good', 0: 'good', FOLLOW: 'good', DONE: 'good', EQUAL: 'good', REPAIRED: 'good',
  WAIT: 'busy', KILLING: 'busy', LOAD: 'busy', 2: 'busy', 4: 'busy', 6: 'busy', 8: 'busy', run: 'busy', wait: 'busy', confirm: 'warn',
  3: 'bad', 5: 'warn', STOPPED: 'warn', FAIL: 'bad', fail: 'bad', DIFFERENT: 'bad',
};

/** A state by colour and by word. */
export function Badge({ state, stopped }) {
  const kind = stopped ? 'bad' : KINDS[state] || 'rest';
  return html`<span class=${`badge ${kind}`}>${t(`state.${state}`)}</span>`;
}

export function Progress({ value, label }) {
  return html`<progress max="100" value=${value} aria-label=${label}>${Math.round(value)} %</progress>`;
}

export function Empty({ children }) {
  return html`<div class="empty">${children}</div>`;
}

/** An error, with what to do where that is known. */
export function FaultNote({ error, again }) {
  if (!error) return null;
  const text = error.message || t(error.code === 'Unreachable' ? 'fault.unreachable' : 'fault.unknown');
  return html`<div class="fault" role="alert">
    <strong>${error.code || t('fault')}</strong> ${text}
    ${error.requestId && html`<small> RequestId ${error.requestId}</small>`}
    ${again && html` <button type="button" class="button small" onClick=${again}>${t('again')}</button>`}
  </div>`;
}

export function Facts({ facts }) {
  return html`<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}
