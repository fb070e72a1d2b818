// What goes wrong is said on the page, which stays usable; and it stays until it is out of date.

import { TITLES, type EngineName } from '../engines/engine';
import { messageOf } from '../fer-edge';
import * as view from './view';

/** What trouble is about. */
export type About = 'source' | 'engine' | 'compare' | 'copy' | 'page';

let told: About | null = null;

/** Says what went wrong. */
export function tell(about: About, text: string): void {
  told = about;
  view.showTrouble(text);
}

/** Says that an engine gave up and another took over. */
export function tellFallback(from: EngineName, to: EngineName, why: string): void {
  tell('engine', `${TITLES[from]} does not run here: ${why} Going on with ${TITLES[to]}.`);
}

/** Runs what somebody asks for. A new picture takes every earlier trouble away, the rest its own. */
export function attempt(about: About, work: () => Promise<void> | void): void {
  if (about === 'source' || about === told) view.showTrouble('');
  Promise.resolve()
    .then(work)
    .catch((error: unknown) => {
      view.showStatus('');
      tell(about, messageOf(error));
    });
}
