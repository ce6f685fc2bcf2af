import { html, useEffect, useState } from '../vendor/preact.js';
import { signIn } from '../core/api.js';
import { language, setLanguage, t } from '../core/i18n.js';
import { Text } from '../parts/controls.js';
import { FaultNote } from '../parts/show.js';

export function SignIn({ onIn }) {
  const [id, setId] = useState('');
  const [secret, setSecret] = useState('');
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => { document.title = `${t('signin')} · DISync`; }, []);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      onIn(await signIn(id.trim(), secret.trim()));
    } catch (fault) {
      setError(fault);
      setBusy(false);
    }
  };
  return html`<main class="signin">
    <form onSubmit=${submit}>
      <h1><img src="/console/static/icon.svg" alt="" width="36" height="36" /> DISync</h1>
      <p class="hint">${t('signin.what')}</p>
      <${Text} label="AccessKey ID" value=${id} onInput=${setId} autocomplete="username" autofocus required />
      <${Text} label="AccessKey Secret" value=${secret} onInput=${setSecret} type="password" autocomplete="current-password" required />
      <${FaultNote} error=${error} />
      <button class="button primary wide" type="submit" disabled=${busy || !id || !secret}>${t('signin')}</button>
      <button type="button" class="button plain" onClick=${() => setLanguage(language() === 'zh' ? 'en' : 'zh')}>${language() === 'zh' ? 'English' : '中文'}</button>
    </form>
  </main>`;
}
