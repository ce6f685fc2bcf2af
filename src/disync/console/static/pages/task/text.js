// The task's text as it was sent. Saving sends exactly what stands here.
import { html, useState } from '../../vendor/preact.js';
import { call } from '../../core/api.js';
import { t } from '../../core/i18n.js';
import { usePoll } from '../../core/hooks.js';
import { Button } from '../../parts/controls.js';
import { toast } from '../../parts/dialog.js';
import Editor from '../../parts/editor.js';
import { FaultNote } from '../../parts/show.js';
import { textOf } from './graph.js';

export default function TextTab({ place, again }) {
  const { data: saved, error, again: look } = usePoll(() => textOf(place), 0, [place.FileId]);
  const [text, setText] = useState(null);
  const [refusal, setRefusal] = useState(null);
  if (saved === null) return html`<${FaultNote} error=${error} again=${look} />`;
  const now = text ?? saved;
  const pretty = () => {
    try {
      setText(JSON.stringify(JSON.parse(now), null, 2));
    } catch (fault) {
      toast(fault.message, 'bad');
    }
  };
  const save = async () => {
    try {
      const { Data } = await call('UpdateDISyncTask', { ...place, TaskContent: now });
      for (const warning of Data.Warnings || []) toast(warning, 'warn');
      setRefusal(null);
      toast(t('text.saved'));
      await look();
      setText(null);
    } catch (fault) {
      setRefusal(fault.message);
    }
  };
  const deploy = () => call('DeployDISyncTask', place).then(() => {
    toast(t('did.DeployDISyncTask'));
    again();
  }, (fault) => setRefusal(fault.message));
  return html`<div class="tools">
      <${Button} kind="primary" disabled=${now === saved} onClick=${save}>${t('save')}<//>
      <${Button} onClick=${deploy} disabled=${now !== saved}>${t('deploy')}<//>
      <${Button} onClick=${pretty}>${t('text.format')}<//>
      <${Button} disabled=${now === saved} onClick=${() => setText(saved)}>${t('text.undo')}<//>
    </div>
    ${refusal && html`<div class="fault" role="alert">${refusal}</div>`}
    <${Editor} value=${now} onInput=${setText} refusal=${refusal} label=${t('tab.text')} />`;
}
