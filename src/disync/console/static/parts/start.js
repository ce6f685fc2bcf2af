// StartParam as a form.
import { html, useState } from '../vendor/preact.js';
import { t } from '../core/i18n.js';
import { Button, Select, Text } from './controls.js';
import { Dialog, toast } from './dialog.js';
import { FaultNote } from './show.js';

export function StartDialog({ instance, act, onClose }) {
  const [from, setFrom] = useState('');
  const [when, setWhen] = useState('');
  const [dirty, setDirty] = useState('');
  const [error, setError] = useState(null);
  const solution = instance.TaskType === 'DI_SOLUTION';
  const start = async () => {
    const param = {};
    if (from === 'time') param.startTime = new Date(when).getTime();
    else if (from) param.startTime = from;
    if (dirty !== '') param.errorLimit = { record: Number(dirty) };
    try {
      await act('StartDISyncInstance', Object.keys(param).length ? { StartParam: JSON.stringify(param) } : {});
      toast(t('did.StartDISyncInstance'));
      onClose();
    } catch (fault) {
      setError(fault);
    }
  };
  const actions = html`<${Button} onClick=${onClose}>${t('cancel')}<//>
    <${Button} kind="primary" onClick=${start} disabled=${from === 'time' && !when}>${t('start')}<//>`;
  return html`<${Dialog} title=${t('start.title', { name: instance.Name })} onClose=${onClose} actions=${actions}>
    ${solution ? html`<p>${t('start.solution')}</p>` : html`
      <${Select} label=${t('start.from')} value=${from} onInput=${setFrom} hint=${from ? t('start.forgets') : ''} options=${[
        ['', t('start.resume')], ['earliest', t('start.earliest')], ['latest', t('start.latest')], ['time', t('start.time')]]} />
      ${from === 'time' && html`<${Text} label=${t('start.time')} type="datetime-local" value=${when} onInput=${setWhen} />`}
      <${Text} label=${t('start.dirty')} type="number" min="0" value=${dirty} onInput=${setDirty} hint=${t('start.dirty.hint')} />`}
    <${FaultNote} error=${error} />
  <//>`;
}
