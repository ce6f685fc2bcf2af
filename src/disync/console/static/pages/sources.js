// Data sources: which there are, what uses them, and whether they can be reached.
import { html, useEffect, useState } from '../vendor/preact.js';
import { call, every } from '../core/api.js';
import { t } from '../core/i18n.js';
import { usePoll, useWorkspace } from '../core/hooks.js';
import { Button, Search } from '../parts/controls.js';
import { complain, Dialog } from '../parts/dialog.js';
import { FaultNote } from '../parts/show.js';
import { PRODUCTION, reach, Reached, SourceDialog } from '../parts/source.js';
import { Table } from '../parts/table.js';

/** What reads from or writes to a data source: tasks and solutions. */
async function users(workspace, name) {
  const asked = ['from', 'to'].flatMap((way) => ['DI_REALTIME', 'DI_SOLUTION'].map((type) => ({ way, type })));
  const found = await Promise.all(asked.map(({ way, type }) => every('ListRefDISyncTasks', { ProjectId: workspace, DatasourceName: name, RefType: way, TaskType: type }, 'DISyncTasks')));
  return [...new Set(found.flat().map((task) => task.NodeName))];
}

export default function Sources() {
  const workspace = useWorkspace();
  const [keyword, setKeyword] = useState('');
  const [dialog, setDialog] = useState(null);
  const [tested, setTested] = useState({});
  useEffect(() => { document.title = `${t('nav.sources')} · DISync`; }, []);
  const { data, error, again } = usePoll(() => every('ListDataSources', { ProjectId: workspace }, 'DataSources'), 0, [workspace]);
  const rows = (data || []).filter((one) => one.Name.toLowerCase().includes(keyword.toLowerCase()));
  const test = async (one) => {
    const result = await reach(workspace, one).catch((fault) => ({ ConnectStatus: false, ConnectMessage: fault.message }));
    setTested((before) => ({ ...before, [one.Id]: result }));
  };
  const remove = async (one) => {
    try {
      setDialog({ remove: one, users: await users(workspace, one.Name) });
    } catch (fault) {
      complain(fault);
    }
  };
  const columns = [
    { key: 'Name', title: t('tasks.name'), render: (one) => html`<strong>${one.Name}</strong>${one.Description && html`<small>${one.Description}</small>`}` },
    { key: 'DataSourceType', title: t('tasks.type') },
    { key: 'EnvType', title: t('sources.env'), render: (one) => t(one.EnvType === PRODUCTION ? 'sources.production' : 'sources.development') },
    { key: 'test', title: t('sources.reached'), render: (one) => html`<${Reached} result=${tested[one.Id]} /> <${Button} kind="small" onClick=${() => test(one)}>${t('test')}<//>` },
    { key: 'act', title: '', acts: true, render: (one) => html`<${Button} kind="small" onClick=${() => setDialog({ edit: one })}>${t('edit')}<//> <${Button} kind="small danger" onClick=${() => remove(one)}>${t('delete')}<//>` },
  ];
  const close = () => {
    setDialog(null);
    again();
  };
  return html`<div class="title"><h1>${t('nav.sources')}</h1><span class="grow"></span><${Button} kind="primary" onClick=${() => setDialog({ edit: null })}>${t('sources.new')}<//></div>
    <div class="tools"><${Search} value=${keyword} onInput=${setKeyword} /></div>
    <${FaultNote} error=${error} again=${again} />
    ${data && html`<${Table} label=${t('nav.sources')} columns=${columns} rows=${rows} rowKey=${(one) => one.Id} empty=${t('sources.none')} />`}
    ${dialog && 'edit' in dialog && html`<${SourceDialog} workspace=${workspace} source=${dialog.edit} onClose=${close} />`}
    ${dialog?.remove && html`<${RemoveDialog} source=${dialog.remove} users=${dialog.users} onClose=${close} />`}`;
}

function RemoveDialog({ source, users: names, onClose }) {
  const [error, setError] = useState(null);
  const remove = () => call('DeleteDataSource', { DataSourceId: source.Id }).then(onClose, setError);
  const actions = html`<${Button} onClick=${onClose}>${t('cancel')}<//><${Button} kind="danger" onClick=${remove}>${t('delete')}<//>`;
  return html`<${Dialog} title=${t('sources.remove', { name: source.Name })} onClose=${onClose} actions=${actions}>
    <p>${names.length ? t('sources.used', { names: names.join(', ') }) : t('sources.unused')}</p>
    <${FaultNote} error=${error} />
  <//>`;
}
