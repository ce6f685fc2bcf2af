// One table of the mapping: where it goes, its columns on both sides, and the statement that makes its target.
import { html, useState } from '../../vendor/preact.js';
import { call } from '../../core/api.js';
import { t } from '../../core/i18n.js';
import { useWorkspace } from '../../core/hooks.js';
import { Area, Button } from '../../parts/controls.js';
import { toast } from '../../parts/dialog.js';
import { FaultNote } from '../../parts/show.js';
import { Table } from '../../parts/table.js';

const COLUMNS = [
  { key: 'Name', title: t('wizard.column'), render: (one) => html`<span>${one.Name}${one.Key && html` <span class="badge rest">${t('wizard.key')}</span>`}</span>` },
  { key: 'SourceType', title: t('tables.source'), render: (one) => html`<code>${one.SourceType || t('wizard.added')}</code>` },
  { key: 'TargetType', title: t('tables.target'), render: (one) => html`<code>${one.TargetType || t('wizard.leftout')}</code>` },
  { key: 'Nullable', title: t('wizard.nullable'), render: (one) => t(one.Nullable ? 'yes' : 'no') },
];

export default function Target({ one, target, again }) {
  const [open, setOpen] = useState(false);
  const state = one.Exists === null ? ['bad', 'wizard.unknown'] : one.Warnings.length ? ['warn', one.Exists ? 'wizard.differs' : 'wizard.look'] : one.Exists ? ['good', 'wizard.exists'] : ['busy', 'wizard.ismade'];
  return html`<li><details open=${open} onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary><span class="name">${one.SourceTable}</span> <span aria-label=${t('wizard.becomes')}>→</span> <span class="name">${one.TargetTable}</span> <span class=${`badge ${state[0]}`}>${t(state[1])}</span></summary>
    ${open && html`<div class="inside">
      ${one.Warnings.map((text) => html`<p class="warning" role="note">${text}</p>`)}
      ${one.Columns.length > 0 && html`<${Table} label=${t('wizard.columns', { table: one.SourceTable })} columns=${COLUMNS} rows=${one.Columns} rowKey=${(column) => column.Name} />`}
      ${one.Ddl && html`<${Statement} one=${one} target=${target} again=${again} />`}
    </div>`}
  </details></li>`;
}

/** It may be changed, and run now; otherwise the task's run makes the table as it was told. */
function Statement({ one, target, again }) {
  const workspace = useWorkspace();
  const [ddl, setDdl] = useState(one.Ddl);
  const [error, setError] = useState(null);
  const make = async () => {
    setError(null);
    try {
      const { Data } = await call('CreateDISyncTargetTable', { ProjectId: workspace, DatasourceName: target, Ddl: ddl });
      toast(t('wizard.made', { table: Data.Table }));
      await again();
    } catch (fault) {
      setError(fault);
    }
  };
  return html`<${Area} label=${t('wizard.ddl')} value=${ddl} onInput=${setDdl} rows=${Math.min(14, ddl.split('\n').length + 1)} hint=${t('wizard.ddl.hint')} />
    <${FaultNote} error=${error} />
    <div class="tools"><${Button} onClick=${make}>${t('wizard.make')}<//> ${ddl !== one.Ddl && html`<${Button} kind="plain" onClick=${() => setDdl(one.Ddl)}>${t('text.undo')}<//>`}</div>`;
}
