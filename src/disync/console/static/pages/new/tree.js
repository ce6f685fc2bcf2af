// Databases and their tables, read from the source page by page: there may be thousands.
import { html, useEffect, useState } from '../../vendor/preact.js';
import { call, every } from '../../core/api.js';
import { bytes, number, t } from '../../core/i18n.js';
import { usePoll, useWorkspace } from '../../core/hooks.js';
import { Button, Search } from '../../parts/controls.js';
import { complain } from '../../parts/dialog.js';
import { FaultNote } from '../../parts/show.js';

const SIZE = 100;

export default function Tree({ draft, change }) {
  const workspace = useWorkspace();
  const [keyword, setKeyword] = useState('');
  const asked = { ProjectId: workspace, DatasourceName: draft.source.name, Keyword: keyword || null };
  const { data, error, again } = usePoll(() => call('ListDataSourceTables', { ...asked, PageSize: 1 }).then((answer) => answer.Data), 0, [JSON.stringify(asked)]);
  const choose = (database, tables) => {
    const { [database]: _, ...others } = draft.chosen;
    change({ chosen: tables === true || tables.length ? { ...others, [database]: tables } : others });
  };
  // What is searched for counts; without a search, the database of the data source comes first.
  const databases = (data?.Databases || []).filter((one) => !keyword || one.Tables || draft.chosen[one.Database])
    .sort((one, other) => (other.Database === draft.source.database) - (one.Database === draft.source.database));
  return html`<div class="tools"><${Search} value=${keyword} onInput=${setKeyword} label=${t('tables.search')} />
      ${data && html`<span class="hint">${t('wizard.found', { tables: number(data.TotalCount), databases: number(data.Databases.length) })}</span>`}
      <span class="grow"></span>
      <${Button} kind="small" disabled=${!Object.keys(draft.chosen).length} onClick=${() => change({ chosen: {} })}>${t('wizard.none')}<//></div>
    <${FaultNote} error=${error} again=${again} />
    ${data && html`<div class="tree">${databases.map((one) => html`<${Branch} key=${one.Database} asked=${{ ...asked, Database: one.Database }} count=${one.Tables}
        chosen=${draft.chosen[one.Database] || []} choose=${(tables) => choose(one.Database, tables)} open=${databases.length === 1 || one.Database === draft.source.database || Boolean(keyword)} />`)}
      ${!databases.length && html`<p class="hint">${t('wizard.notables')}</p>`}</div>`}`;
}

function Branch({ asked, count, chosen, choose, open: first }) {
  const { Database: database, Keyword: keyword } = asked;
  const [open, setOpen] = useState(first);
  const whole = chosen === true;
  const all = async () => {
    try {
      const found = await every('ListDataSourceTables', asked, 'Tables');
      choose([...new Set([...(whole ? [] : chosen), ...found.map((one) => one.Table)])]);
    } catch (fault) {
      complain(fault);
    }
  };
  return html`<details open=${open} onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary><strong>${database}</strong> <span class="hint">${whole ? t('wizard.whole.short') : t('wizard.ofcount', { chosen: number(chosen.length), count: number(count) })}</span></summary>
    <div class="tools">
      <label class="whole"><input type="checkbox" checked=${whole} onChange=${() => choose(whole ? [] : true)} /> ${t('wizard.whole')}</label>
      ${!whole && count > 0 && html`<${Button} kind="small" aria-label=${t('wizard.all.of', { count: number(count), database })} onClick=${all}>${t(keyword ? 'wizard.allfound' : 'wizard.all', { count: number(count) })}<//>`}
    </div>
    ${open && !whole && count > 0 && html`<${Leaves} asked=${asked} chosen=${chosen} choose=${choose} />`}
  </details>`;
}

function Leaves({ asked, chosen, choose }) {
  const [pages, setPages] = useState(1);
  const [found, setFound] = useState([]);
  const key = JSON.stringify(asked);
  useEffect(() => {
    setPages(1);
    setFound([]);
  }, [key]);
  const { data, error, again } = usePoll(() => call('ListDataSourceTables', { ...asked, PageNumber: pages, PageSize: SIZE }).then((answer) => ({ ...answer.Data, key })), 0, [key, pages]);
  useEffect(() => {
    if (data?.key === key) setFound((before) => [...before.slice(0, (data.PageNumber - 1) * SIZE), ...data.Tables]);
  }, [data]);
  const toggle = (table) => choose(chosen.includes(table) ? chosen.filter((one) => one !== table) : [...chosen, table]);
  return html`<${FaultNote} error=${error} again=${again} />
    <ul class="leaves">${found.map((one) => html`<li key=${one.Table}><label class="leaf">
      <input type="checkbox" checked=${chosen.includes(one.Table)} onChange=${() => toggle(one.Table)} /> <span class="name">${one.Table}</span>
      <span class="hint">${one.Rows !== null && html`<span>${t('wizard.rows', { rows: number(one.Rows) })}</span>`}${one.Bytes !== null && html`<span>${bytes(one.Bytes)}</span>`}<span class=${one.Keys.length ? '' : 'warned'}>${one.Keys.length ? t('wizard.keys', { names: one.Keys.join(', ') }) : t('wizard.keyless')}</span></span>
    </label></li>`)}</ul>
    ${data && found.length < data.TotalCount && html`<${Button} kind="small" onClick=${() => setPages(pages + 1)}>${t('wizard.moretables', { count: number(data.TotalCount - found.length) })}<//>`}`;
}
