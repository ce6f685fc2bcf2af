// One topic of a DataHub project.
import { html, useEffect, useState } from '../../vendor/preact.js';
import { call } from '../../core/api.js';
import { number, t } from '../../core/i18n.js';
import { usePoll, useWorkspace } from '../../core/hooks.js';
import { Search } from '../../parts/controls.js';
import { FaultNote } from '../../parts/show.js';
import { Pager } from '../../parts/table.js';

const SIZE = 50;

export default function Topic({ source, value, onInput, label = t('wizard.topic') }) {
  const workspace = useWorkspace();
  const [keyword, setKeyword] = useState('');
  const [page, setPage] = useState(1);
  useEffect(() => setPage(1), [keyword, source]);
  const asked = { ProjectId: workspace, DatasourceName: source, Keyword: keyword || null, PageNumber: page, PageSize: SIZE };
  const { data, error, again } = usePoll(() => call('ListDataSourceTables', asked).then((answer) => answer.Data), 0, [JSON.stringify(asked)]);
  return html`<div class="tools"><${Search} value=${keyword} onInput=${setKeyword} label=${t('wizard.searchtopics')} />
      ${data && html`<span class="hint">${t('wizard.topics', { count: number(data.TotalCount) })}</span>`}</div>
    <${FaultNote} error=${error} again=${again} />
    ${data && html`<fieldset class="tree"><legend class="unseen">${label}</legend>
      ${data.Tables.map((one) => html`<label key=${one.Table} class="leaf"><input type="radio" name=${label} value=${one.Table} checked=${value === one.Table} onChange=${() => onInput(one.Table)} /> ${one.Table}</label>`)}
      ${!data.Tables.length && html`<p class="hint">${t('wizard.notables')}</p>`}
    </fieldset>
    <${Pager} page=${page} size=${SIZE} total=${data.TotalCount} onPage=${setPage} />`}`;
}
