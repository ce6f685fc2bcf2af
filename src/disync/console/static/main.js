// The shell: who is signed in, where one is, and the page of that place. Each page is loaded when it is first shown.
import { Component, html, render, useEffect, useState } from './vendor/preact.js';
import { call, catalogue, onEnd, session, signOut } from './core/api.js';
import { language, setLanguage, t } from './core/i18n.js';
import { Here, useCurrentInSight } from './core/hooks.js';
import { Link, navigate, useRoute } from './core/router.js';
import { complain, Toasts } from './parts/dialog.js';
import { FaultNote } from './parts/show.js';
import { SignIn } from './pages/signin.js';

/** First part of the path → the page, and the operation that it cannot do without. */
const PAGES = {
  '': { load: () => import('./pages/tasks.js'), needs: 'ListDISyncInstances', title: 'nav.tasks' },
  tasks: { load: () => import('./pages/task.js'), needs: 'GetDISyncTask' },
  new: { load: () => import('./pages/new.js'), needs: 'CreateDISyncTask' },
  sources: { load: () => import('./pages/sources.js'), needs: 'ListDataSources', title: 'nav.sources' },
  groups: { load: () => import('./pages/groups.js'), needs: 'ListResourceGroups', title: 'nav.groups' },
  people: { load: () => import('./pages/people.js'), needs: 'ListAccessKeys', title: 'nav.people' },
  audit: { load: () => import('./pages/audit.js'), needs: 'ListAuditEvents', title: 'nav.audit' },
  explorer: { load: () => import('./pages/explorer.js'), needs: 'GetCallerIdentity', title: 'nav.explorer' },
};
const WORKSPACE = 'disync-workspace';

class Boundary extends Component {
  componentDidCatch(error) {
    console.error(error);
    this.setState({ error });
  }

  componentDidUpdate(before) {
    if (before.place !== this.props.place && this.state.error) this.setState({ error: null });
  }

  render({ children }, { error }) {
    return error ? html`<${FaultNote} error=${{ code: t('fault.page'), message: String(error.message || error) }} />` : children;
  }
}

function Page({ route }) {
  const [found, setFound] = useState({});
  const name = route.parts[0] || '';
  useEffect(() => {
    let still = true;
    const show = (page) => still && setFound({ name, page });
    PAGES[name]?.load().then((module) => show(module.default), (error) => show(() => { throw error; }));
    return () => {
      still = false;
    };
  }, [name]);
  if (!PAGES[name]) return html`<h1>${t('nowhere')}</h1><p><${Link} to="">${t('nav.tasks')}<//></p>`;
  // While the next page is loaded the last one is still here, and would take the new address for its own.
  const ready = found.name === name;
  return html`<${Boundary} place=${route.path}>${ready ? html`<${found.page} route=${route} />` : html`<p class="hint">${t('loading')}</p>`}<//>`;
}

function Navigation({ here, route, onOut }) {
  const name = route.parts[0] === 'tasks' || route.parts[0] === 'new' ? '' : route.parts[0] || '';
  const pages = Object.entries(PAGES).filter(([, page]) => page.title && here.served(page.needs));
  const strip = useCurrentInSight(name);
  return html`<header class="bar">
    <a class="skip" href="#page">${t('skip')}</a>
    <span class="brand"><img src="/console/static/icon.svg" alt="" width="22" height="22" />DISync</span>
    <nav ref=${strip} aria-label=${t('nav')}>${pages.map(([key, page]) => html`<${Link} to=${key}
      aria-current=${key === name ? 'page' : undefined}>${t(page.title)}<//>`)}</nav>
    <span class="where">
      <select aria-label=${t('workspace')} value=${String(here.workspace)} onChange=${(event) => here.setWorkspace(Number(event.target.value))}>
        ${here.workspaces.map((one) => html`<option value=${one.ProjectId} selected=${one.ProjectId === here.workspace}>${one.ProjectName || one.ProjectIdentifier}</option>`)}
      </select>
      <button type="button" class="button small" lang=${language() === 'zh' ? 'en' : 'zh-CN'}
        onClick=${() => setLanguage(language() === 'zh' ? 'en' : 'zh')}>${language() === 'zh' ? 'English' : '中文'}</button>
      <button type="button" class="button small" onClick=${onOut} title=${here.session.Name}>${t('signout')}</button>
    </span>
  </header>`;
}

function Inside({ user, onOut }) {
  const route = useRoute();
  const [known, setKnown] = useState(null);
  const [error, setError] = useState(null);
  const [workspace, keep] = useState(0);
  const look = async () => {
    try {
      const [listed, projects] = await Promise.all([catalogue(), call('ListProjects', { PageNumber: 1, PageSize: 100 })]);
      const workspaces = projects.PageResult.ProjectList;
      const last = Number(localStorage.getItem(WORKSPACE));
      keep((workspaces.find((one) => one.ProjectId === last) || workspaces[0])?.ProjectId || 0);
      setKnown({ names: new Set(listed.Operations.map((one) => one.Name)), listed, workspaces });
    } catch (fault) {
      setError(fault);
    }
  };
  useEffect(() => { look(); }, []);
  if (!known) return error ? html`<${FaultNote} error=${error} again=${look} />` : html`<p class="hint">${t('loading')}</p>`;
  const setWorkspace = (id) => {
    localStorage.setItem(WORKSPACE, String(id));
    keep(id);
    if (route.parts[0] === 'tasks') navigate(''); // a task is of one workspace
  };
  const here = { session: user, workspace, setWorkspace, workspaces: known.workspaces, operations: known.listed.Operations, groups: known.listed.Groups, served: (name) => known.names.has(name) };
  return html`<${Here.Provider} value=${here}>
    <${Navigation} here=${here} route=${route} onOut=${onOut} />
    <main id="page" tabindex="-1">${workspace ? html`<${Page} key=${workspace} route=${route} />` : html`<p>${t('noworkspace')}</p>`}</main>
  <//>`;
}

function App() {
  const [user, setUser] = useState(undefined);
  const [error, setError] = useState(null);
  const look = () => session().then(setUser, setError);
  useEffect(() => {
    onEnd(() => setUser(null));
    look();
  }, []);
  const out = () => signOut().then(() => setUser(null), complain);
  if (user === undefined) return error ? html`<${FaultNote} error=${error} again=${look} />` : null;
  return html`${user ? html`<${Inside} user=${user} onOut=${out} />` : html`<${SignIn} onIn=${setUser} />`}<${Toasts} />`;
}

render(html`<${App} />`, document.getElementById('app'));
