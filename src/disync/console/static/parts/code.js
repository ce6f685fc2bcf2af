// A text to read and to copy.
import { html } from '../vendor/preact.js';
import { t } from '../core/i18n.js';
import { Button } from './controls.js';
import { toast } from './dialog.js';

export function Code({ text, label }) {
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    toast(t('copied'));
  };
  return html`<div class="code"><${Button} kind="small copy" onClick=${copy}>${t('copy')}<//>
    <pre tabindex="0" aria-label=${label}>${text}</pre></div>`;
}
