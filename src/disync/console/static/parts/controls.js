// Buttons and fields.
import { html, useRef, useState } from '../vendor/preact.js';
import { t } from '../core/i18n.js';

/** `onClick` may be asynchronous: the button waits for it, and cannot be pressed twice. `type`: submit, in a form. */
export function Button({ kind = '', type = 'button', onClick, children, disabled, ...rest }) {
  const [busy, setBusy] = useState(false);
  const press = async (event) => {
    const done = onClick?.(event);
    if (!(done instanceof Promise)) return;
    setBusy(true);
    try {
      await done;
    } finally {
      setBusy(false);
    }
  };
  return html`<button type=${type} class=${`button ${kind}`} aria-busy=${busy} disabled=${disabled || busy}
    onClick=${press} ...${rest}>${children}</button>`;
}

let fields = 0;
const useId = () => {
  const id = useRef(null);
  if (id.current === null) {
    fields += 1;
    id.current = `field-${fields}`;
  }
  return id.current;
};

/** A label with what it labels: `children` is a function of the id. */
export function Field({ label, hint, error, children }) {
  const id = useId();
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${children(id)}
    ${hint && html`<p class="hint">${hint}</p>`}
    ${error && html`<p class="wrong" role="alert">${error}</p>`}
  </div>`;
}

export function Text({ label, value, onInput, hint, error, type = 'text', ...rest }) {
  return html`<${Field} label=${label} hint=${hint} error=${error}>${(id) => html`<input id=${id} type=${type}
    value=${value} onInput=${(event) => onInput(event.target.value)} ...${rest} />`}<//>`;
}

export function Area({ label, value, onInput, hint, error, rows = 6, ...rest }) {
  return html`<${Field} label=${label} hint=${hint} error=${error}>${(id) => html`<textarea id=${id} rows=${rows}
    spellcheck=${false} value=${value} onInput=${(event) => onInput(event.target.value)} ...${rest}></textarea>`}<//>`;
}

/** `options`: [value, label] of each. */
export function Select({ label, value, onInput, options, hint, ...rest }) {
  return html`<${Field} label=${label} hint=${hint}>${(id) => html`<select id=${id} value=${value}
    onChange=${(event) => onInput(event.target.value)} ...${rest}>
    ${options.map(([key, text]) => html`<option value=${key} selected=${key === value}>${text}</option>`)}
  </select>`}<//>`;
}

/** One of a few, all of them seen. `options`: [value, label, hint] of each. */
export function Choice({ label, value, onInput, options }) {
  const name = useId();
  return html`<fieldset class="choice"><legend>${label}</legend>${options.map(([key, text, hint]) => html`<label key=${key} class=${key === value ? 'chosen' : ''}>
    <input type="radio" name=${name} value=${key} checked=${key === value} onChange=${() => onInput(key)} />
    <span><strong>${text}</strong>${hint && html`<small>${hint}</small>`}</span>
  </label>`)}</fieldset>`;
}

export function Search({ value, onInput, label = t('search') }) {
  return html`<input class="search" type="search" aria-label=${label} placeholder=${label} value=${value}
    onInput=${(event) => onInput(event.target.value)} />`;
}
