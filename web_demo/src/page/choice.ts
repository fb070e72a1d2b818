// What engine this device uses: what people chose, else what measured fastest here.

import { ENGINES, type EngineName } from '../engines/engine';

const KEY = 'fer-edge.engine';

/** Returns what was kept, unless nothing was or the browser changed since. */
export function keptChoice(): EngineName | null {
  try {
    const [engine, agent] = JSON.parse(localStorage.getItem(KEY) ?? '[]') as unknown[];
    const known = ENGINES.find((name) => name === engine);
    return known && agent === navigator.userAgent ? known : null;
  } catch {
    return null; // storage is off, or holds something else
  }
}

/** Keeps an engine for the next visit. */
export function keepChoice(engine: EngineName): void {
  try {
    localStorage.setItem(KEY, JSON.stringify([engine, navigator.userAgent]));
  } catch {
    // Storage is off: it is measured again next time.
  }
}
