// What the page reads of a task's text: its steps and hops, wherever they lie.

/** The real-time text inside a solution's, or the text itself; null where it is none. */
export function jobOf(text) {
  let root;
  try {
    root = JSON.parse(text);
  } catch {
    return null;
  }
  const job = root?.realtimeSyncConfig?.content || root;
  return Array.isArray(job?.steps) ? job : null;
}

const WIDTH = 190;
const HEIGHT = 64;
const GAP = 110;

/**
 * Boxes and lines to draw. `gui` places a step where the user put it; a text without places, or one whose places
 * overlap, is laid out from left to right in the order of its hops: only they say where the data goes.
 */
export function layout(job) {
  const hops = (job.order?.hops || []).filter((hop) => hop.from && hop.to);
  const names = job.steps.map((step) => step.name);
  const depth = new Map(names.map((name) => [name, 0]));
  for (const _ of names) for (const hop of hops) depth.set(hop.to, Math.max(depth.get(hop.to) ?? 0, Math.min(names.length, (depth.get(hop.from) ?? 0) + 1)));
  const taken = new Map();
  const placed = job.steps.every((step) => Number.isFinite(step.gui?.x) && Number.isFinite(step.gui?.y));
  const boxes = job.steps.map((step) => {
    const column = depth.get(step.name);
    const row = taken.get(column) || 0;
    taken.set(column, row + 1);
    const [x, y] = placed ? [step.gui.x, step.gui.y] : [column * (WIDTH + GAP), row * (HEIGHT + 40)];
    return { step, x, y, width: WIDTH, height: HEIGHT };
  });
  const left = Math.min(...boxes.map((box) => box.x));
  const top = Math.min(...boxes.map((box) => box.y));
  for (const box of boxes) Object.assign(box, { x: box.x - left + 20, y: box.y - top + 20 });
  const at = new Map(boxes.map((box) => [box.step.name, box]));
  const lines = hops.filter((hop) => at.has(hop.from) && at.has(hop.to)).map((hop) => ({ from: at.get(hop.from), to: at.get(hop.to) }));
  return {
    boxes, lines,
    width: Math.max(...boxes.map((box) => box.x + box.width)) + 20,
    height: Math.max(...boxes.map((box) => box.y + box.height)) + 20,
  };
}
