// Where the data comes from and where it goes: a data source that is there, or one that is made here.
import { html, useEffect, useState } from '../../vendor/preact.js';
import { every } from '../../core/api.js';
import { types } from '../../core/draft.js';
import { t } from '../../core/i18n.js';
import { usePoll, useWorkspace } from '../../core/hooks.js';
import { Button, Select } from '../../parts/controls.js';
import { FaultNote } from '../../parts/show.js';
import { reach, Reached, SourceDialog } from '../../parts/source.js';

/** The database that a content's URL names; the project of a DataHub. */
function databaseOf(one) {
  const content = JSON.parse(one.Content);
  return content.project || decodeURIComponent(/\/\/[^/]+\/([^?]*)/.exec(content.jdbcUrl || '')?.[1] || '');
}

const end = (one) => ({ name: one.Name, type: one.DataSourceType.toLowerCase(), env: one.EnvType, database: databaseOf(one) });

export default function Ends({ draft, change }) {
  const workspace = useWorkspace();
  const { data, error, again } = usePoll(() => every('ListDataSources', { ProjectId: workspace }, 'DataSources'), 0, [workspace]);
  const [made, setMade] = useState(null);
  useEffect(() => {
    const found = made && data?.find((one) => one.Name === made.name);
    if (!found) return;
    pick(made.which, found);
    setMade(null);
  }, [made, data]);
  // Other tables are in another source: what was chosen there means nothing here.
  const pick = (which, one) => change(which === 'source'
    ? { source: one && end(one), chosen: {}, database: '', topic: '' }
    : { target: one && end(one), into: '' });
  const saved = (which, name) => {
    setMade({ which, name });
    again();
  };
  return html`<${FaultNote} error=${error} again=${again} />
    ${data && html`<div class="ends">
      <${End} which="source" draft=${draft} sources=${data} pick=${pick} saved=${saved} />
      <span class="arrow" aria-hidden="true">→</span>
      <${End} which="target" draft=${draft} sources=${data} pick=${pick} saved=${saved} />
    </div>`}`;
}

function End({ which, draft, sources, pick, saved }) {
  const workspace = useWorkspace();
  const taken = types(draft.kind, which === 'source');
  // Of a name that stands for both environments, a task takes that of production.
  const offered = sources.filter((one) => taken.includes(one.DataSourceType.toLowerCase())
    && !sources.some((other) => other.Name === one.Name && other.EnvType > one.EnvType));
  const one = offered.find((found) => found.Name === draft[which]?.name);
  const [dialog, setDialog] = useState(false);
  const { data: result, error } = usePoll(() => (one ? reach(workspace, one) : Promise.resolve(null)), 0, [one?.Id]);
  const close = (name) => {
    setDialog(false);
    if (name) saved(which, name);
  };
  return html`<section class="card" aria-label=${t(`wizard.${which}`)}>
    <${Select} label=${t(`wizard.${which}`)} value=${one?.Name || ''} onInput=${(name) => pick(which, offered.find((found) => found.Name === name) || null)}
      hint=${t('wizard.types', { types: taken.join(', ') })}
      options=${[['', t('wizard.choose')], ...offered.map((found) => [found.Name, `${found.Name} · ${found.DataSourceType}`])]} />
    <p class="tools"><${Button} onClick=${() => setDialog(true)}>${t('sources.new')}<//> ${one && html`<span aria-live="polite"><${Reached} result=${result} /></span>`}</p>
    <${FaultNote} error=${error} />
    ${dialog && html`<${SourceDialog} workspace=${workspace} types=${taken} onClose=${close} />`}
  </section>`;
}
