// Times our engines and a peer's, @vladmandic/face-api, on the same picture in the same page, and
// posts raw times to the page's server. scripts/web_bench.py runs it and makes the table.
//   index.html?page=URL&peer=URL&picture=URL&rounds=N&result=URL
// Each stands in a frame of its own: two copies of TensorFlow.js in one would share their engine.

import { asked } from './asked';

const BLOCK = 8; // calls between two looks at the clock, which is coarse
const WARM_UP = 3;

/** What is timed, once. */
export type Call = () => Promise<unknown>;

/** What a frame offers once it is ready. */
export interface Contender {
  calls: Record<string, Call>;
  /** From the frame's start to its first answer. */
  firstMs: number;
}

declare global {
  interface Window {
    contender?: Promise<Contender>;
  }
}

async function main(): Promise<object> {
  const contenders = [await open('ours.html'), await open('peer.html')];
  const calls = Object.entries(Object.assign({}, ...contenders.map(({ calls }) => calls)) as Contender['calls']);
  for (const [, call] of calls) for (let i = 0; i < WARM_UP; i++) await call();
  const times: Record<string, number[]> = {};
  for (let round = 0; round < Number(asked('rounds')); round++) {
    for (const [name, call] of calls) (times[name] ??= []).push(await timed(call));
  }
  const first = contenders[0]!.firstMs;
  return { user_agent: navigator.userAgent, block: BLOCK, milliseconds: times, first };
}

/** Opens a contender in a frame, with the address's own questions. */
async function open(page: string): Promise<Contender> {
  const frame = document.createElement('iframe');
  frame.src = page + location.search;
  const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
  document.body.append(frame);
  await loaded;
  const contender = frame.contentWindow?.contender;
  if (!contender) throw new Error(`${page} offers nothing`);
  return contender;
}

/** Returns the milliseconds of one of a block of calls. */
async function timed(call: Call): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < BLOCK; i++) await call();
  return (performance.now() - start) / BLOCK;
}

const outcome = await main().catch((error: unknown) => ({ error: String(error) }));
await fetch(asked('result'), { method: 'POST', body: JSON.stringify(outcome) });
document.getElementById('state')!.textContent = JSON.stringify(outcome);
