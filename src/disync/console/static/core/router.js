// Pages have addresses: /console/tasks/1000001/json is one, and the browser's back button works.
import { html, useEffect, useState } from '../vendor/preact.js';

const ROOT = '/console';
const CHANGED = 'disync:route';

function read() {
  const path = location.pathname.slice(ROOT.length).replace(/^\/|\/$/g, '');
  return { path, parts: path ? path.split('/').map(decodeURIComponent) : [], query: new URLSearchParams(location.search) };
}

export const address = (to) => `${ROOT}/${to}`.replace(/\/$/, '');

export function navigate(to, { replace = false } = {}) {
  history[replace ? 'replaceState' : 'pushState'](null, '', address(to));
  dispatchEvent(new Event(CHANGED));
}

/** {path, parts, query} of where the page is; it draws anew when that changes. */
export function useRoute() {
  const [route, setRoute] = useState(read);
  useEffect(() => {
    const moved = () => setRoute(read());
    addEventListener('popstate', moved);
    addEventListener(CHANGED, moved);
    return () => {
      removeEventListener('popstate', moved);
      removeEventListener(CHANGED, moved);
    };
  }, []);
  return route;
}

/** A link of the browser's own (open in a new tab works) that does not load the page anew. */
export function Link({ to, children, ...rest }) {
  const go = (event) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    navigate(to);
  };
  return html`<a href=${address(to)} onClick=${go} ...${rest}>${children}</a>`;
}
