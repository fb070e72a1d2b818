// Which engine answers: what people choose, else what they chose before, else the fastest here.

import { TITLES, type EngineName, type FerEdge, type Picture } from '../fer-edge';
import { keepChoice, keptChoice } from './choice';
import { candidates, pickFastest, type Measured } from './measure';
import { tellFallback } from './troubles';
import * as view from './view';

export class Engines {
  private isMeasuring = false;
  private choices = 0;

  /**
   * @param readAgain - Reads what is shown once more, with the engine that answers now.
   * @param showFacts - Says in the panel what runs now.
   */
  constructor(
    private readonly fer: FerEdge,
    private readonly readAgain: () => Promise<void>,
    private readonly showFacts: () => void,
  ) {}

  /** Goes over to what somebody chose, and keeps it for the next visit if it runs. */
  async choose(engine: EngineName): Promise<void> {
    this.choices++;
    await this.use(engine);
    if (this.fer.engine === engine) keepChoice(engine);
  }

  private async use(engine: EngineName): Promise<void> {
    view.showStatus(`Starting ${TITLES[engine]}…`);
    await this.fer.use(engine);
    view.showStatus('');
    this.show();
    await this.readAgain();
    if (view.hasStatus() || this.fer.engine !== engine) return; // what was said meanwhile stays
    view.showStatus(`${TITLES[engine]} answers now.`);
  }

  /** Stays on what was chosen before; else measures what is fastest here, once. */
  async settle(picture: () => Picture): Promise<void> {
    const choices = this.choices;
    const isWanted = () => choices === this.choices; // until somebody chooses
    const kept = keptChoice();
    if (kept) return kept === this.fer.engine ? undefined : this.use(kept);
    const others = await candidates();
    if (others.length === 0 || !isWanted()) return;
    view.showStatus('Measuring which engine is fastest here…');
    const measured = await this.measure(['tfjs-wasm', ...others], picture(), isWanted);
    if (!isWanted()) return;
    if (measured.length > others.length) keepChoice(this.fer.engine); // all of them ran
    this.show();
    await this.readAgain();
    if (!isWanted()) return;
    const list = measured.map(({ engine, ms }) => `${TITLES[engine]} ${ms.toFixed(1)} ms`);
    view.showStatus(`Measured here: ${list.join(', ')}.`);
  }

  private async measure(
    engines: EngineName[],
    picture: Picture,
    isWanted: () => boolean,
  ): Promise<Measured[]> {
    this.isMeasuring = true;
    try {
      return await pickFastest(this.fer, engines, picture, isWanted);
    } finally {
      this.isMeasuring = false;
    }
  }

  /** An engine gave up: while engines are measured that is no trouble, unless it is the first. */
  fellBack(from: EngineName, to: EngineName, why: string): void {
    if (!this.isMeasuring || from === 'tfjs-wasm') tellFallback(from, to, why);
    this.show();
  }

  /** Shows which engine answers. */
  show(): void {
    view.element<HTMLSelectElement>('engine').value = this.fer.engine;
    this.showFacts();
  }
}
