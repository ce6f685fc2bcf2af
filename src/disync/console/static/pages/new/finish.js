// The text as it will be sent; then the task is made, deployed and started, and each answer is shown.
import { html, useState } from '../../vendor/preact.js';
import { call } from '../../core/api.js';
import { textOf } from '../../core/draft.js';
import { t } from '../../core/i18n.js';
import { useWorkspace } from '../../core/hooks.js';
import { Link } from '../../core/router.js';
import { Button } from '../../parts/controls.js';
import { Code } from '../../parts/code.js';
import { Facts, FaultNote } from '../../parts/show.js';

const ACTS = ['CreateDISyncTask', 'DeployDISyncTask', 'StartDISyncInstance'];

export default function Finish({ draft, change, leave }) {
  const workspace = useWorkspace();
  const [done, setDone] = useState([]);
  const [error, setError] = useState(null);
  const text = textOf(draft);
  const over = done.length === ACTS.length;
  const go = async () => {
    setError(null);
    setDone([]);
    let fileId = draft.fileId;
    try {
      for (const action of ACTS) {
        const { Data } = await call(...parameters(action, workspace, draft, text, fileId));
        // Made once: a second try changes what is there.
        if (!fileId) change({ fileId: (fileId = Data.FileId) });
        setDone((before) => [...before, { action, warnings: Data.Warnings || [] }]);
      }
    } catch (fault) {
      setError(fault);
    }
  };
  return html`<${Facts} facts=${[
      [t('tasks.name'), draft.name], [t('tasks.type'), t(`type.${draft.kind}`)], [t('task.group'), draft.group],
      [t('wizard.source'), `${draft.source.name} · ${draft.source.type}`], [t('wizard.target'), `${draft.target.name} · ${draft.target.type}`],
    ]} />
    <ol class="outcome" aria-live="polite">${done.map(({ action, warnings }) => html`<li key=${action}><span class="badge good">${t(`wizard.did.${action}`)}</span>
      ${warnings.map((warning) => html`<p class="warning">${warning}</p>`)}</li>`)}</ol>
    <${FaultNote} error=${error} />
    <div class="tools">${over
      ? html`<${Button} kind="primary" onClick=${() => leave(`tasks/${draft.fileId}`)}>${t('wizard.open')}<//>`
      : html`<${Button} kind="primary" onClick=${go}>${t(draft.fileId ? 'wizard.goon' : 'wizard.go')}<//>`}
      ${draft.fileId && !over && html`<${Link} class="button" to=${`tasks/${draft.fileId}`}>${t('wizard.open')}<//>`}</div>
    <details open><summary>${t('wizard.sent')}</summary>
      <${Code} text=${text} label=${t('tab.text')} />
      ${!draft.fileId && html`<p class="hint"><${Link} to="new/json">${t('wizard.byhand')}<//></p>`}</details>`;
}

function parameters(action, ProjectId, draft, text, FileId) {
  const place = { ProjectId, TaskType: draft.kind };
  if (action !== 'CreateDISyncTask') return [action, { ...place, FileId }];
  const content = { TaskContent: text, TaskParam: JSON.stringify({ ResourceGroup: draft.group }) };
  return FileId ? ['UpdateDISyncTask', { ...place, FileId, ...content }] : [action, { ...place, TaskName: draft.name, ...content }];
}
