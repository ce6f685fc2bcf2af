// A data source: whether it can be reached, and a form for it.
import { html, useState } from '../vendor/preact.js';
import { call } from '../core/api.js';
import { TYPES } from '../core/content.js';
import { t } from '../core/i18n.js';
import { Button, Select, Text } from './controls.js';
import { Dialog, toast } from './dialog.js';
import { FaultNote } from './show.js';

export const PRODUCTION = 1;

export const reach = (workspace, one) => call('TestNetworkConnection', { ProjectId: workspace, DatasourceName: one.Name, EnvType: String(one.EnvType), ResourceGroup: 'group_default' })
  .then(({ TaskList }) => TaskList);

export function Reached({ result }) {
  if (!result) return null;
  return html`<span class=${`badge ${result.ConnectStatus ? 'good' : 'bad'}`}>${t(result.ConnectStatus ? 'sources.yes' : 'sources.no')}</span>
    ${!result.ConnectStatus && html`<small class="why">${result.ConnectMessage}</small>`}`;
}

/**
 * A new one, or new contents for one: what it holds now is secret and never comes here. It is tried before it is saved;
 * one that cannot be reached is only saved by a button of its own. `types`: those that a new one may have.
 */
export function SourceDialog({ workspace, source, types = Object.keys(TYPES), onClose }) {
  const [type, setType] = useState(source ? source.DataSourceType : types[0]);
  const [name, setName] = useState(source?.Name || '');
  const known = TYPES[type];
  const [values, setValues] = useState({});
  const [error, setError] = useState(null);
  const [unreached, setUnreached] = useState(false);
  const filled = Object.fromEntries(known?.fields.map(([key, first]) => [key, values[key] ?? first]) || []);
  const save = async (tried) => {
    setError(null);
    setUnreached(false);
    const content = JSON.stringify(known.content(filled));
    try {
      if (tried) await call('TestDataSource', { ProjectId: workspace, DataSourceType: type, Content: content });
    } catch (fault) {
      setError({ code: t('sources.no'), message: fault.message });
      setUnreached(fault.status === 200);
      return;
    }
    try {
      if (source) await call('UpdateDataSource', { DataSourceId: source.Id, EnvType: source.EnvType, Content: content });
      else await call('CreateDataSource', { ProjectId: workspace, Name: name, DataSourceType: type, EnvType: PRODUCTION, Content: content });
      toast(t(tried ? 'sources.saved' : 'sources.savedbut'), tried ? 'good' : 'warn');
      onClose(name);
    } catch (fault) {
      setError(fault);
    }
  };
  const ready = known && name && known.fields.every(([key]) => filled[key] || key === known.secret);
  const actions = html`<${Button} onClick=${() => onClose()}>${t('cancel')}<//>
    ${unreached && html`<${Button} kind="danger" onClick=${() => save(false)}>${t('sources.anyway')}<//>`}
    <${Button} kind="primary" disabled=${!ready} onClick=${() => save(true)}>${t('sources.save')}<//>`;
  return html`<${Dialog} title=${source ? t('sources.edit', { name }) : t('sources.new')} onClose=${() => onClose()} actions=${actions}>
    ${!source && html`<${Select} label=${t('tasks.type')} value=${type} onInput=${setType} options=${types.map((one) => [one, one])} />
      <${Text} label=${t('tasks.name')} value=${name} onInput=${setName} />`}
    ${known ? known.fields.map(([key]) => html`<${Text} key=${type + key} label=${t(`field.${key}`)} value=${filled[key]} type=${key === known.secret ? 'password' : 'text'}
      autocomplete=${key === known.secret ? 'new-password' : 'off'} onInput=${(value) => setValues({ ...values, [key]: value })} />`) : html`<p>${t('sources.byapi', { type })}</p>`}
    <${FaultNote} error=${error} />
  <//>`;
}
