// Every operation that is served: its parameters as a form, its answer, the request behind it, and code that makes it.
import { html, useContext, useEffect, useRef, useState } from '../vendor/preact.js';
import { raw, sign } from '../core/api.js';
import { duration, language, t } from '../core/i18n.js';
import { Here, useWorkspace } from '../core/hooks.js';
import { Link, navigate } from '../core/router.js';
import { Area, Button, Search, Select, Text } from '../parts/controls.js';
import { Code } from '../parts/code.js';
import { FaultNote } from '../parts/show.js';

const LANGUAGES = {
  python: 'Python', java: 'Java', go: 'Go', node: 'Node', php: 'PHP', csharp: 'C#', cli: 'aliyun CLI', curl: 'curl', disync: 'disync call',
};
/** Parameters that hold a text of many lines. */
const LONG = new Set(['TaskContent', 'TaskParam', 'Content', 'StartParam', 'ProjectConfig']);

export default function Explorer({ route }) {
  const { operations, groups } = useContext(Here);
  const [keyword, setKeyword] = useState('');
  const [only, setOnly] = useState('');
  const name = route.parts[1];
  const operation = operations.find((one) => one.Name === name);
  useEffect(() => { document.title = `${name || t('nav.explorer')} · DISync`; }, [name]);
  const title = (group) => (language() === 'zh' ? group.Zh : group.En);
  const has = (text) => text.toLowerCase().includes(keyword.toLowerCase());
  const shown = groups.filter((group) => !only || group.Key === only).map((group) => {
    const inside = operations.filter((one) => one.Group === group.Key);
    return { ...group, found: has(title(group)) ? inside : inside.filter((one) => has(one.Name)) };
  }).filter((group) => group.found.length);
  return html`<div class="explorer">
    <nav class="list" aria-label=${t('nav.explorer')}>
      <${Search} value=${keyword} onInput=${setKeyword} label=${t('explorer.search')} />
      <${Select} label=${t('explorer.group')} value=${only} onInput=${setOnly} options=${[['', t('explorer.allgroups')], ...groups.map((group) => [group.Key, title(group)])]} />
      <div class="groups">${shown.map((group) => html`<section key=${group.Key} aria-label=${title(group)}>
        <h2>${title(group)} <small>${group.found.length}</small></h2>
        <ul>${group.found.map((one) => html`<li key=${one.Name}><${Link} to=${`explorer/${one.Name}`} aria-current=${one.Name === name ? 'page' : undefined}>
          ${one.Name}${one.Own && html` <small class="own">${t('explorer.own')}</small>`}<//></li>`)}</ul></section>`)}
        ${!shown.length && html`<p class="hint">${t('explorer.nonesuch')}</p>`}</div>
    </nav>
    <section>${operation ? html`<${Operation} key=${name} operation=${operation} query=${route.query} />` : html`<div class="empty">${t('explorer.pick')}</div>`}</section>
  </div>`;
}

function Operation({ operation, query }) {
  const workspace = useWorkspace();
  const [values, setValues] = useState(() => {
    const given = Object.fromEntries(operation.Parameters.map((one) => [one.Name, query.get(one.Name) ?? '']));
    if ('ProjectId' in given && !given.ProjectId) given.ProjectId = String(workspace);
    return given;
  });
  const [answer, setAnswer] = useState(null);
  const [signed, setSigned] = useState(null);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const turn = useRef(0); // of the values: an answer that comes when they are others tells of nothing that stands here
  const missing = operation.Parameters.some((one) => one.Required && values[one.Name] === '');
  // What is empty is not sent.
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''));
  const set = (name) => (value) => {
    const next = { ...values, [name]: value };
    turn.current += 1;
    setBusy(false);
    setValues(next);
    // They tell of other values than those that stand here now.
    setAnswer(null);
    setSigned(null);
    const kept = new URLSearchParams(Object.entries(next).filter(([key, text]) => text && !LONG.has(key)));
    navigate(`explorer/${operation.Name}?${kept}`, { replace: true });
  };
  const run = async () => {
    setError(null);
    setAnswer(null);
    setBusy(true);
    const began = performance.now();
    const mine = turn.current;
    const tell = (status, body) => mine === turn.current && setAnswer({ status, took: performance.now() - began, text: JSON.stringify(body, null, 2) });
    try {
      tell(200, await raw(operation.Name, given));
    } catch (fault) {
      if (mine === turn.current) setError(fault);
      if (fault.answer) tell(fault.status, fault.answer);
    } finally {
      if (mine === turn.current) setBusy(false);
    }
  };
  const show = async () => {
    setError(null);
    const mine = turn.current;
    try {
      const found = await sign(operation.Name, given);
      if (mine === turn.current) setSigned(found);
    } catch (fault) {
      if (mine === turn.current) setError(fault);
    }
  };
  const submit = (event) => {
    event.preventDefault();
    if (!missing && !busy) run();
  };
  return html`<h1>${operation.Name}</h1>
    <p class="doc">${operation.Doc}</p>
    <form onSubmit=${submit}>
      <div class="fields">${operation.Parameters.map((one) => html`<${Parameter} key=${one.Name} parameter=${one} value=${values[one.Name]} onInput=${set(one.Name)} />`)}</div>
      ${!operation.Parameters.length && html`<p class="hint">${t('explorer.noparameters')}</p>`}
      <div class="tools"><${Button} type="submit" kind="primary" disabled=${missing || busy}>${t('explorer.run')}<//>
        <${Button} disabled=${missing} onClick=${show}>${t('explorer.sign')}<//></div>
    </form>
    <${FaultNote} error=${error} />
    <div aria-live="polite">${answer && html`<h2>${t('explorer.answer')} <small>${t('explorer.took', { status: answer.status, time: duration(answer.took) })}</small></h2>
      <${Code} text=${answer.text} label=${t('explorer.answer')} />`}</div>
    ${signed && html`<${Signed} signed=${signed} />`}`;
}

function Parameter({ parameter, value, onInput }) {
  const { Name, Type, Required, Values, Json, Minimum, Maximum } = parameter;
  const label = html`<code>${Name}</code> <small>${typeof Type === 'string' ? Type : 'JSON'}${Required ? ` · ${t('explorer.required')}` : ''}</small>`;
  if (Values) return html`<${Select} label=${label} value=${value} onInput=${onInput} options=${[['', '–'], ...Values.map((one) => [one, one])]} />`;
  if (Type === 'boolean') return html`<${Select} label=${label} value=${value} onInput=${onInput} options=${[['', '–'], ['true', 'true'], ['false', 'false']]} />`;
  if (Json || typeof Type !== 'string' || LONG.has(Name)) return html`<${Area} label=${label} value=${value} onInput=${onInput} rows=${4} error=${wrong(value)} />`;
  const bounds = [Minimum !== null && `≥ ${Minimum}`, Maximum !== null && `≤ ${Maximum}`].filter(Boolean).join(', ');
  return html`<${Text} label=${label} value=${value} onInput=${onInput} hint=${bounds} inputmode=${Type === 'integer' ? 'numeric' : undefined} />`;
}

function wrong(text) {
  if (!text) return null;
  try {
    JSON.parse(text);
    return null;
  } catch (fault) {
    return t('explorer.badjson', { why: fault.message });
  }
}

function Signed({ signed }) {
  const [language, setLanguage] = useState('python');
  const headers = Object.entries(signed.Headers).map(([name, value]) => `${name}: ${value}`).join('\n');
  return html`<h2>${t('explorer.code')}</h2>
    <div class="tools" role="group" aria-label=${t('explorer.code')}>${Object.entries(LANGUAGES).map(([key, name]) => html`<button type="button"
      class=${`button small ${key === language ? 'primary' : ''}`} aria-pressed=${key === language} onClick=${() => setLanguage(key)}>${name}</button>`)}</div>
    <${Code} text=${signed.Samples[language]} label=${LANGUAGES[language]} />
    <h2>${t('explorer.request')}</h2>
    <${Code} text=${`${signed.Method} ${signed.Url}\n${headers}${signed.Body ? `\n\n${signed.Body}` : ''}`} label=${t('explorer.request')} />
    <details><summary>${t('explorer.canonical')}</summary><${Code} text=${signed.CanonicalRequest} label=${t('explorer.canonical')} /></details>
    <details><summary>${t('explorer.tosign')}</summary><${Code} text=${signed.StringToSign} label=${t('explorer.tosign')} /></details>`;
}
