// What a page knows of where it is, and how it keeps what it shows fresh.
import { createContext, useCallback, useContext, useEffect, useRef, useState } from '../vendor/preact.js';

/** {session, workspace, setWorkspace, workspaces, served} */
export const Here = createContext(null);

export const useSession = () => useContext(Here).session;
export const useWorkspace = () => useContext(Here).workspace;
/** Whether the server serves an operation: what it does not, the page does not offer. */
export const useServed = () => useContext(Here).served;

const PATIENCE = 30_000; // after so long an answer is not waited for any more

/**
 * Calls `ask` now, whenever `deps` change, and every `ms` (0: not again) while the tab is seen. What was found stays
 * while the next answer is awaited, so that nothing flickers; an answer that comes too late is not shown. Where answers
 * take longer than `ms`, the next look waits for them: else each look would make the one before too late, for ever.
 */
export function usePoll(ask, ms, deps) {
  const [state, setState] = useState({ data: null, error: null, looked: false });
  const turn = useRef(0);
  const since = useRef(0); // when the look began that is under way; 0: none is
  const look = useCallback(async () => {
    turn.current += 1;
    const mine = turn.current;
    since.current = Date.now();
    try {
      const data = await ask();
      if (mine === turn.current) setState({ data, error: null, looked: true });
    } catch (error) {
      if (mine === turn.current) setState((before) => ({ ...before, error }));
    } finally {
      if (mine === turn.current) since.current = 0;
    }
  }, deps);
  useEffect(() => {
    setState((before) => ({ ...before, error: null }));
    look();
    const timer = ms ? setInterval(() => document.hidden || Date.now() - since.current < PATIENCE || look(), ms) : 0;
    return () => {
      turn.current += 1;
      clearInterval(timer);
    };
  }, [look, ms]);
  return { ...state, again: look };
}

/** For a strip of links that is narrower than they are: the link of the page that is shown is scrolled into sight. */
export function useCurrentInSight(current) {
  const strip = useRef(null);
  useEffect(() => {
    const link = strip.current?.querySelector('[aria-current]');
    if (!link) return;
    const [own, its] = [strip.current.getBoundingClientRect(), link.getBoundingClientRect()];
    if (its.left < own.left) strip.current.scrollLeft -= own.left - its.left;
    else if (its.right > own.right) strip.current.scrollLeft += its.right - own.right;
  }, [current]);
  return strip;
}

const SETTLED = 500;

/** A value that is being typed, once it has stood for half a second: what is asked of other systems waits for that. */
export function useSettled(value) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), SETTLED);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
