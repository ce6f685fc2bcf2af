// One task or solution: its state, what can be done with it, and tabs with what is known of it.
import { html, useContext, useEffect, useState } from '../vendor/preact.js';
import { call } from '../core/api.js';
import { duration, number, t, time } from '../core/i18n.js';
import { Here, usePoll, useWorkspace } from '../core/hooks.js';
import { Link, navigate } from '../core/router.js';
import { Button } from '../parts/controls.js';
import { complain, Confirm, toast } from '../parts/dialog.js';
import { Badge, Facts, FaultNote } from '../parts/show.js';
import { Tabs } from '../parts/tabs.js';
import { StartDialog } from '../parts/start.js';
import { stateOf } from './tasks.js';

/** Tab → what it loads, the operation it needs, and the kind of task it is for (none: both). */
const TABS = {
  graph: { load: () => import('./task/graph.js') },
  text: { load: () => import('./task/text.js') },
  charts: { load: () => import('./task/charts.js'), needs: 'GetDISyncInstanceMetrics' },
  tables: { load: () => import('./task/tables.js'), needs: 'ListDISyncInstanceTables' },
  steps: { load: () => import('./task/steps.js'), only: 'DI_SOLUTION' },
  dirty: { load: () => import('./task/dirty.js'), needs: 'ListDISyncDirtyRows' },
  checkpoints: { load: () => import('./task/checkpoints.js'), needs: 'ListDISyncCheckpoints' },
  verify: { load: () => import('./task/verify.js'), needs: 'GetDISyncVerification' },
  events: { load: () => import('./task/events.js'), needs: 'ListDISyncInstanceEvents' },
};

/** Null where there is no such file, or no longer. */
const find = (workspace, id) => call('ListDISyncInstances', { ProjectId: workspace, FileId: id }).then(({ Data }) => Data.Instances[0] || null);

/** Another task is another page: nothing of the one before is kept. */
export default ({ route }) => html`<${Task} key=${route.parts[1]} route=${route} />`;

function Task({ route }) {
  const workspace = useWorkspace();
  const { served } = useContext(Here);
  const id = Number(route.parts[1]);
  const { data: one, error, looked, again } = usePoll(() => find(workspace, id), 2000, [workspace, id]);
  const [dialog, setDialog] = useState(null);
  const [Tab, setTab] = useState(null);
  const tabs = Object.entries(TABS).filter(([, tab]) => (!tab.needs || served(tab.needs)) && (!tab.only || tab.only === one?.TaskType));
  const active = tabs.some(([key]) => key === route.parts[2]) ? route.parts[2] : tabs[0][0];
  useEffect(() => { if (one) document.title = `${one.Name} · DISync`; }, [one?.Name]);
  useEffect(() => {
    let still = true;
    setTab(null);
    TABS[active].load().then((module) => still && setTab(() => module.default), complain);
    return () => { still = false; };
  }, [active]);
  if (!one) return html`<${FaultNote} error=${error} again=${again} /><p class="hint">${t(looked && !error ? 'task.none' : 'loading')}</p>`;
  const place = { ProjectId: workspace, FileId: id, TaskType: one.TaskType };
  const act = (action, more = {}) => call(action, { ...place, ...more }).then((answer) => {
    for (const warning of answer.Data?.Warnings || []) toast(warning, 'warn');
    again();
  });
  const press = (action) => () => act(action).then(() => toast(t(`did.${action}`)), complain);
  const runs = ['RUN', 'WAIT', 'KILLING'].includes(one.Status);
  const confirm = (action, danger = false) => setDialog({ action, danger });
  return html`<p class="crumbs"><${Link} to="">${t('nav.tasks')}<//> /</p>
    <div class="title"><h1>${one.Name}</h1><${Badge} state=${stateOf(one)} stopped=${one.Status === 'PAUSE' && one.Message} />
      <span class="grow"></span>
      <${Button} onClick=${press('DeployDISyncTask')}>${t('deploy')}<//>
      ${runs ? html`<${Button} onClick=${press('StopDISyncInstance')}>${t('stop')}<//>` : html`<${Button} kind="primary" onClick=${() => setDialog({ start: true })}>${t('start')}<//>`}
      <${Button} onClick=${() => confirm('TerminateDISyncInstance')} disabled=${!one.Deployed}>${t('terminate')}<//>
      <${Button} kind="danger" onClick=${() => confirm('DeleteDISyncTask', true)}>${t('delete')}<//>
    </div>
    <${FaultNote} error=${error} again=${again} />
    ${one.Message && html`<div class="fault" role="status"><strong>${t('task.why')}</strong> ${one.Message}${one.Status === 'WAIT' && one.Failovers > 0 && html`<br /><small>${t('task.tried')}</small>`}</div>`}
    <${Facts} facts=${[
      [t('tasks.type'), t(`type.${one.TaskType}`)], [t('tasks.way'), `${one.SourceTypes.join(', ')} → ${one.TargetTypes.join(', ')}`],
      [t('tasks.delay'), duration(one.DelayMs)], [t('tasks.rate'), number(one.RowsPerSecond)], [t('tasks.rows'), number(one.RowsWritten)],
      [t('tasks.dirty'), number(one.DirtyRows)], [t('tasks.failovers'), number(one.Failovers)],
      [t('task.started'), time(one.StartTime)], [t('task.group'), one.ResourceGroup || '–'], ['FileId', String(id)],
    ]} />
    <${Tabs} label=${t('task.tabs')} tabs=${tabs.map(([key]) => [key, t(`tab.${key}`)])} active=${active} to=${(key) => `tasks/${id}/${key}`} />
    <section class="tab">${Tab ? html`<${Tab} place=${place} instance=${one} again=${again} />` : html`<p class="hint">${t('loading')}</p>`}</section>
    ${dialog?.start && html`<${StartDialog} instance=${one} act=${act} onClose=${() => setDialog(null)} />`}
    ${dialog?.action && html`<${Confirm} title=${t(`ask.${dialog.action}`)} text=${t(`ask.${dialog.action}.text`, { name: one.Name })} danger=${dialog.danger}
      word=${t(dialog.danger ? 'delete' : 'terminate')} onClose=${() => setDialog(null)}
      act=${() => act(dialog.action).then(() => dialog.danger && navigate(''))} />`}`;
}
