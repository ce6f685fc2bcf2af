// Dialogs (the browser's own, which keep the focus inside) and short messages.
import { html, useEffect, useRef, useState } from '../vendor/preact.js';
import { t } from '../core/i18n.js';
import { Button } from './controls.js';
import { FaultNote } from './show.js';

export function Dialog({ title, onClose, children, actions }) {
  const box = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    return () => before?.focus?.();
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${box} aria-label=${title} onCancel=${cancel}>
    <h2>${title}</h2>
    <div class="inside">${children}</div>
    <div class="actions">${actions}</div>
  </dialog>`;
}

/** A dialog that asks before `act` is done, and shows why it could not be. */
export function Confirm({ title, text, word, danger, act, onClose }) {
  const [error, setError] = useState(null);
  const go = async () => {
    try {
      await act();
      onClose();
    } catch (fault) {
      setError(fault);
    }
  };
  const actions = html`<${Button} onClick=${onClose}>${t('cancel')}<//>
    <${Button} kind=${danger ? 'danger' : 'primary'} onClick=${go}>${word}<//>`;
  return html`<${Dialog} title=${title} onClose=${onClose} actions=${actions}><p>${text}</p><${FaultNote} error=${error} /><//>`;
}

const SECONDS = 6;
let messages = [];
let redraw = () => {};
let count = 0;

/** A message for a while. `kind`: good or bad. */
export function toast(text, kind = 'good') {
  count += 1;
  const id = count;
  messages = [...messages, { id, text, kind }];
  redraw();
  setTimeout(() => {
    messages = messages.filter((message) => message.id !== id);
    redraw();
  }, SECONDS * 1000);
}

export const complain = (fault) => toast(fault.message || t('fault.unreachable'), 'bad');

export function Toasts() {
  const [, setTurn] = useState(0);
  redraw = () => setTurn((turn) => turn + 1);
  return html`<div class="toasts" aria-live="polite">${messages.map(
    (message) => html`<div key=${message.id} class=${`toast ${message.kind}`}>${message.text}</div>`,
  )}</div>`;
}
