// A new task by its text; what the wizard has made of it so far, where it has begun.
import { html, useState } from '../../vendor/preact.js';
import { call } from '../../core/api.js';
import { EMPTY, forget, kept, reached, textOf } from '../../core/draft.js';
import { t } from '../../core/i18n.js';
import { useWorkspace } from '../../core/hooks.js';
import { navigate } from '../../core/router.js';
import { Button, Select, Text } from '../../parts/controls.js';
import { toast } from '../../parts/dialog.js';
import Editor from '../../parts/editor.js';
import { FaultNote } from '../../parts/show.js';

const START = JSON.stringify({
  steps: [
    { stepType: '', name: 'reader', category: 'reader', parameter: { datasource: '' }, gui: { x: 40, y: 40 } },
    { stepType: '', name: 'writer', category: 'writer', parameter: { datasource: '' }, gui: { x: 340, y: 40 } },
  ],
  order: { hops: [{ from: 'reader', to: 'writer' }] },
}, null, 2);

function begun(workspace) {
  const draft = kept(workspace);
  return reached(draft) < 3 ? { ...EMPTY, kind: 'DI_REALTIME', text: START } : { ...draft, text: textOf(draft) };
}

export default function ByText() {
  const workspace = useWorkspace();
  const [first] = useState(() => begun(workspace));
  const [name, setName] = useState(first.name);
  const [type, setType] = useState(first.kind);
  const [text, setText] = useState(first.text);
  const [error, setError] = useState(null);
  const create = async () => {
    setError(null);
    try {
      const { Data } = await call('CreateDISyncTask', { ProjectId: workspace, TaskType: type, TaskName: name, TaskContent: text });
      for (const warning of Data.Warnings || []) toast(warning, 'warn');
      forget(workspace);
      navigate(`tasks/${Data.FileId}`);
    } catch (fault) {
      setError(fault);
    }
  };
  return html`<div class="pair">
      <${Text} label=${t('tasks.name')} value=${name} onInput=${setName} />
      <${Select} label=${t('tasks.type')} value=${type} onInput=${setType} options=${['DI_REALTIME', 'DI_SOLUTION'].map((one) => [one, t(`type.${one}`)])} />
    </div>
    <${FaultNote} error=${error} />
    <${Editor} value=${text} onInput=${setText} refusal=${error?.message} label=${t('tab.text')} />
    <div class="tools"><${Button} kind="primary" disabled=${!name} onClick=${create}>${t('new.create')}<//></div>`;
}
