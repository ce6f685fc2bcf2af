// Resource groups, and what runs on each.
import { html, useEffect } from '../vendor/preact.js';
import { call, every } from '../core/api.js';
import { t } from '../core/i18n.js';
import { usePoll, useWorkspace } from '../core/hooks.js';
import { Link } from '../core/router.js';
import { Badge, FaultNote } from '../parts/show.js';
import { Table } from '../parts/table.js';
import { stateOf } from './tasks.js';

export default function Groups() {
  const workspace = useWorkspace();
  useEffect(() => { document.title = `${t('nav.groups')} · DISync`; }, []);
  const { data, error, again } = usePoll(async () => {
    const [groups, instances] = await Promise.all([
      call('ListResourceGroups', {}), every('ListDISyncInstances', { ProjectId: workspace }, 'Instances'),
    ]);
    return { groups: groups.Data, instances };
  }, 5000, [workspace]);
  const known = new Set(data?.groups.map((group) => group.Identifier));
  // A group that we do not know runs in the default one: task texts from the cloud run unchanged.
  const of = (group) => data.instances.filter((one) => (known.has(one.ResourceGroup) ? one.ResourceGroup : 'group_default') === group.Identifier);
  const columns = [
    { key: 'Name', title: t('groups.name'), render: (group) => html`<strong>${group.Name}</strong><small>${group.Identifier}</small>` },
    { key: 'tasks', title: t('nav.tasks'), render: (group) => html`<ul class="plain">${of(group).map((one) => html`<li><${Link} to=${`tasks/${one.FileId}`}>${one.Name}<//> <${Badge} state=${stateOf(one)} /></li>`)}</ul>` },
  ];
  return html`<h1>${t('nav.groups')}</h1><${FaultNote} error=${error} again=${again} />
    ${data && html`<${Table} label=${t('nav.groups')} columns=${columns} rows=${data.groups} rowKey=${(group) => group.Identifier} />`}`;
}
