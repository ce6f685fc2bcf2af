// Members of the workspace, users and their access keys.
import { html, useEffect, useState } from '../vendor/preact.js';
import { call, every } from '../core/api.js';
import { t, time } from '../core/i18n.js';
import { usePoll, useSession, useWorkspace } from '../core/hooks.js';
import { Button, Select, Text } from '../parts/controls.js';
import { Code } from '../parts/code.js';
import { complain, Confirm, Dialog } from '../parts/dialog.js';
import { FaultNote } from '../parts/show.js';
import { Table } from '../parts/table.js';

const ROLES = ['role_project_owner', 'role_project_dev', 'role_project_guest'];

export default function People() {
  const me = useSession();
  useEffect(() => { document.title = `${t('nav.people')} · DISync`; }, []);
  return html`<h1>${t('nav.people')}</h1><${Members} /><${Keys} />${me.Root && html`<${Users} />`}`;
}

function Members() {
  const workspace = useWorkspace();
  const [dialog, setDialog] = useState(null);
  const { data, error, again } = usePoll(() => every('ListProjectMembers', { ProjectId: workspace }, 'ProjectMemberList'), 0, [workspace]);
  const act = (action, more) => call(action, { ProjectId: workspace, ...more }).then(again);
  const columns = [
    { key: 'ProjectMemberName', title: t('audit.who'), render: (one) => html`<strong>${one.ProjectMemberName}</strong><small>${one.ProjectMemberId}</small>` },
    { key: 'role', title: t('people.role'), render: (one) => html`<select aria-label=${t('people.roleof', { name: one.ProjectMemberName })} value=${one.ProjectRoleList[0]?.ProjectRoleCode}
      onChange=${(event) => act('AddProjectMemberToRole', { UserId: one.ProjectMemberId, RoleCode: event.target.value }).catch((fault) => { complain(fault); again(); })}>
      ${ROLES.map((role) => html`<option value=${role} selected=${role === one.ProjectRoleList[0]?.ProjectRoleCode}>${t(`people.${role}`)}</option>`)}</select>` },
    { key: 'act', title: '', acts: true, render: (one) => html`<${Button} kind="small danger" onClick=${() => setDialog({ remove: one })}>${t('people.remove')}<//>` },
  ];
  return html`<div class="title"><h2>${t('people.members')}</h2><span class="grow"></span><${Button} onClick=${() => setDialog({ add: true })}>${t('add')}<//></div>
    <${FaultNote} error=${error} again=${again} />
    ${data && html`<${Table} label=${t('people.members')} columns=${columns} rows=${data} rowKey=${(one) => one.ProjectMemberId} />`}
    ${dialog?.add && html`<${AddMember} act=${act} onClose=${() => setDialog(null)} />`}
    ${dialog?.remove && html`<${Confirm} title=${t('people.remove')} text=${t('people.remove.text', { name: dialog.remove.ProjectMemberName })} word=${t('people.remove')} danger
      act=${() => act('DeleteProjectMember', { UserId: dialog.remove.ProjectMemberId })} onClose=${() => setDialog(null)} />`}`;
}

function AddMember({ act, onClose }) {
  const [id, setId] = useState('');
  const [role, setRole] = useState(ROLES[1]);
  const [error, setError] = useState(null);
  const add = () => act('CreateProjectMember', { UserId: id, RoleCode: role }).then(onClose, setError);
  const actions = html`<${Button} onClick=${onClose}>${t('cancel')}<//><${Button} kind="primary" disabled=${!id} onClick=${add}>${t('add')}<//>`;
  return html`<${Dialog} title=${t('people.members')} onClose=${onClose} actions=${actions}>
    <${Text} label=${t('people.userid')} value=${id} onInput=${setId} />
    <${Select} label=${t('people.role')} value=${role} onInput=${setRole} options=${ROLES.map((one) => [one, t(`people.${one}`)])} />
    <${FaultNote} error=${error} /><//>`;
}

function Keys() {
  const me = useSession();
  const [made, setMade] = useState(null);
  const { data, error, again } = usePoll(() => call('ListAccessKeys', {}).then((answer) => answer.Data.AccessKeys), 0, []);
  const turn = (one) => call('UpdateAccessKey', { KeyHash: one.KeyHash, Status: one.Status === 'Active' ? 'Inactive' : 'Active' }).then(again, complain);
  const make = () => call('CreateAccessKey', { UserId: me.UserId }).then(({ Data }) => {
    setMade(Data);
    again();
  }, complain);
  const columns = [
    { key: 'Hint', title: 'AccessKey ID', render: (one) => html`<code>${one.Hint}</code>` },
    { key: 'UserId', title: t('audit.who') },
    { key: 'CreateTime', title: t('people.made'), render: (one) => time(one.CreateTime) },
    { key: 'Status', title: t('tasks.state'), render: (one) => html`<span class=${`badge ${one.Status === 'Active' ? 'good' : 'rest'}`}>${t(`people.${one.Status}`)}</span>` },
    { key: 'act', title: '', acts: true, render: (one) => html`<${Button} kind="small" onClick=${() => turn(one)}>${t(one.Status === 'Active' ? 'people.off' : 'people.on')}<//>` },
  ];
  return html`<div class="title"><h2>${t('people.keys')}</h2><span class="grow"></span>${me.Root && html`<${Button} onClick=${make}>${t('people.newkey')}<//>`}</div>
    <${FaultNote} error=${error} again=${again} />
    ${data && html`<${Table} label=${t('people.keys')} columns=${columns} rows=${data} rowKey=${(one) => one.KeyHash} />`}
    ${made && html`<${NewKey} made=${made} onClose=${() => setMade(null)} />`}`;
}

function NewKey({ made, onClose }) {
  return html`<${Dialog} title=${t('people.newkey')} onClose=${onClose} actions=${html`<${Button} kind="primary" onClick=${onClose}>${t('close')}<//>`}>
    <p>${t('people.once')}</p>
    <${Code} text=${`AccessKeyId      ${made.AccessKeyId}\nAccessKeySecret  ${made.AccessKeySecret}`} label=${t('people.newkey')} /><//>`;
}

function Users() {
  const [id, setId] = useState('');
  const [made, setMade] = useState(null);
  const { data, error, again } = usePoll(() => call('ListUsers', {}).then((answer) => answer.Data.Users), 0, []);
  const add = async () => {
    try {
      await call('CreateUser', { UserId: id });
      setId('');
      again();
      await makeKey(id);
    } catch (fault) {
      complain(fault);
    }
  };
  const makeKey = (user) => call('CreateAccessKey', { UserId: user }).then(({ Data }) => setMade(Data), complain);
  const columns = [
    { key: 'UserId', title: t('people.userid'), render: (one) => html`<strong>${one.UserId}</strong>` },
    { key: 'Name', title: t('tasks.name') },
    { key: 'Root', title: t('people.role'), render: (one) => (one.Root ? 'root' : '') },
    { key: 'act', title: '', acts: true, render: (one) => html`<${Button} kind="small" onClick=${() => makeKey(one.UserId)}>${t('people.newkey')}<//>` },
  ];
  return html`<h2>${t('people.users')}</h2><${FaultNote} error=${error} again=${again} />
    ${data && html`<${Table} label=${t('people.users')} columns=${columns} rows=${data} rowKey=${(one) => one.UserId} />`}
    <div class="tools"><input aria-label=${t('people.userid')} placeholder=${t('people.userid')} value=${id} onInput=${(event) => setId(event.target.value)} />
      <${Button} disabled=${!id} onClick=${add}>${t('people.newuser')}<//></div>
    ${made && html`<${NewKey} made=${made} onClose=${() => setMade(null)} />`}`;
}
