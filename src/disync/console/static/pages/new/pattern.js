// Tables by a regular expression, and what it selects now: asked of the engine, which reads expressions its own way.
import { html, useState } from '../../vendor/preact.js';
import { call } from '../../core/api.js';
import { textOf } from '../../core/draft.js';
import { number, t } from '../../core/i18n.js';
import { useSettled, usePoll, useWorkspace } from '../../core/hooks.js';
import { Text } from '../../parts/controls.js';
import { FaultNote } from '../../parts/show.js';
import { Pager } from '../../parts/table.js';

const SIZE = 50;

export default function Pattern({ draft, change }) {
  const workspace = useWorkspace();
  const [page, setPage] = useState(1);
  const text = useSettled(draft.pattern && textOf({ ...draft, into: draft.into || 'topic' }));
  const ask = () => (text ? call('PreviewDISyncTask', { ProjectId: workspace, TaskType: draft.kind, TaskContent: text, PageNumber: page, PageSize: SIZE }).then((answer) => answer.Data) : Promise.resolve(null));
  const { data, error, again } = usePoll(ask, 0, [text, page]);
  const field = (key) => (value) => {
    setPage(1);
    change({ [key]: value });
  };
  return html`<div class="pair">
      <${Text} label=${t('wizard.expression')} value=${draft.pattern} onInput=${field('pattern')} hint=${t('wizard.expression.hint')} autocomplete="off" spellcheck=${false} />
      <${Text} label=${t('wizard.except')} value=${draft.except} onInput=${field('except')} hint=${t('wizard.except.hint')} autocomplete="off" spellcheck=${false} />
      <${Text} label=${t('field.database')} value=${draft.database || draft.source.database} onInput=${field('database')} autocomplete="off" />
    </div>
    <${FaultNote} error=${error} again=${again} />
    ${data && draft.pattern && html`<p role="status">${t('wizard.selects', { count: number(data.TotalCount) })}</p>
      <ul class="selected">${data.Tables.map((one) => html`<li key=${one.SourceTable}>${one.SourceTable}</li>`)}</ul>
      <${Pager} page=${page} size=${SIZE} total=${data.TotalCount} onPage=${setPage} />`}`;
}
