// What becomes of each table, as the engine tells it of the very text that will be sent.
import { html, useEffect, useState } from '../../vendor/preact.js';
import { call } from '../../core/api.js';
import { DONE, textOf, writesTopic } from '../../core/draft.js';
import { number, t } from '../../core/i18n.js';
import { useSettled, usePoll, useWorkspace } from '../../core/hooks.js';
import { Search, Text } from '../../parts/controls.js';
import { FaultNote } from '../../parts/show.js';
import { Pager } from '../../parts/table.js';
import Target from './target.js';
import Topic from './topic.js';

const SIZE = 20;

export default function Mapping({ draft, change }) {
  const workspace = useWorkspace();
  const [keyword, setKeyword] = useState('');
  const [page, setPage] = useState(1);
  // Whoever goes through the topics with the arrow keys chooses each on the way: the list stays open.
  const [choosing] = useState(!draft.into);
  const text = useSettled(DONE.mapping(draft) ? textOf(draft) : '');
  const asked = { ProjectId: workspace, TaskType: draft.kind, TaskContent: text, Keyword: useSettled(keyword) || null, PageNumber: page, PageSize: SIZE };
  useEffect(() => setPage(1), [keyword, text]);
  const { data, error, again } = usePoll(() => (text ? call('PreviewDISyncTask', asked).then((answer) => answer.Data) : Promise.resolve(null)), 0, [JSON.stringify(asked)]);
  return html`${writesTopic(draft)
    ? html`<details open=${choosing}><summary>${t('wizard.into')}: <strong>${draft.into || '–'}</strong></summary>
        <${Topic} source=${draft.target.name} value=${draft.into} onInput=${(into) => change({ into })} label=${t('wizard.into')} /></details>
        <div class="pair"><${Text} label=${t('wizard.into')} value=${draft.into} onInput=${(into) => change({ into })} hint=${t('wizard.into.hint')} /></div>`
    : html`<div class="pair">
        <${Text} label=${t('wizard.schema')} value=${draft.schema} onInput=${(schema) => change({ schema })} hint=${t('wizard.schema.hint')} autocomplete="off" />
        <${Text} label=${t('wizard.naming')} value=${draft.naming} onInput=${(naming) => change({ naming })} hint=${t('wizard.naming.hint')} autocomplete="off" spellcheck=${false} />
      </div>`}
    <${FaultNote} error=${error} again=${again} />
    ${!data && !error && text && html`<p class="hint" role="status">${t('loading')}</p>`}
    ${data && text && !error && html`<div class="tools"><${Search} value=${keyword} onInput=${setKeyword} label=${t('tables.search')} />
        <span class="hint" role="status">${t('wizard.mapped', { count: number(data.TotalCount) })}</span></div>
      <ul class="mapped">${data.Tables.map((one) => html`<${Target} key=${one.SourceTable} one=${one} target=${draft.target.name} again=${again} />`)}</ul>
      <${Pager} page=${page} size=${SIZE} total=${data.TotalCount} onPage=${setPage} />`}`;
}
