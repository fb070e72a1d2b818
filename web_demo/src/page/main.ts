// The page: load the model, read the drawn sample, then whatever people point it at.

import { ENGINES, TITLES, load, messageOf, type EngineName, type FerEdge } from '../fer-edge';
import { keepChoice } from './choice';
import { Demo, attempt, showFallback } from './demo';
import { offerOffline } from './offline';
import { decode } from './stills';
import * as view from './view';

const READY = document.documentElement.dataset;

async function main(): Promise<void> {
  for (const name of ENGINES) engine.add(new Option(TITLES[name], name));
  const fer = await load('./model/', { onFallback: (...what) => tellFallback(...what) });
  const demo = new Demo(fer);
  view.buildBars(fer.manifest.emotions);
  view.element('score').textContent = scoreOf(fer);
  connect(demo);
  view.showHint('');
  await demo.open(sample).catch((error: unknown) => view.showTrouble(messageOf(error)));
  await demo.settle();
  demo.showEngine();
  tellFallback = demo.tellFallback.bind(demo);
  READY['ready'] = 'true';
  await offerOffline();
}

const engine = view.element<HTMLSelectElement>('engine');
const file = view.element<HTMLInputElement>('file');

// While engines are measured, one that does not run is no trouble; at the start it is.
let tellFallback = (from: EngineName, to: EngineName, why: string): void => {
  if (from === 'tfjs-wasm') showFallback(from, to, why);
};

/** Connects buttons, files, the clipboard and the tab to the demo. */
function connect(demo: Demo): void {
  on('camera', 'click', () => demo.startCamera());
  on('pause', 'click', () => demo.stopCamera());
  on('switch', 'click', () => demo.switchCamera());
  on('mirror', 'click', () => demo.toggleMirror());
  on('open', 'click', () => file.click());
  on('sample', 'click', () => demo.open(sample));
  on('compare', 'click', () => demo.compare());
  on('copy', 'click', () => demo.copy());
  on('engine', 'change', () => {
    const chosen = engine.value as EngineName;
    keepChoice(chosen);
    return demo.use(chosen);
  });
  on('video', 'resize', () => demo.reshape());
  acceptFiles((chosen) => attempt(() => demo.open(() => decode(chosen))));
  followVisibility(demo);
  view.enable('camera', 'open', 'sample', 'engine', 'compare', 'copy');
}

function on(id: string, event: string, work: () => Promise<void> | void): void {
  view.element(id).addEventListener(event, () => attempt(work));
}

/** Takes files that are chosen, dropped or pasted. */
function acceptFiles(take: (file: File) => void): void {
  const takeFirst = (files?: FileList | null): void => {
    const [first] = files ?? [];
    if (first) take(first);
  };
  file.addEventListener('change', () => {
    takeFirst(file.files);
    file.value = '';
  });
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    takeFirst(event.dataTransfer?.files);
  });
  document.addEventListener('paste', (event) => takeFirst(event.clipboardData?.files));
}

/** Turns the camera off while the tab is hidden, and on again after. */
function followVisibility(demo: Demo): void {
  let wasOn = false;
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) wasOn = demo.hide();
    else if (wasOn) attempt(() => demo.startCamera());
  });
}

let sampleFile: Blob | undefined;

/** Returns the drawn sample, which came with the page. */
async function sample(): Promise<ImageBitmap> {
  if (!sampleFile) {
    const response = await fetch('./sample.jpg');
    if (!response.ok) throw new Error(`The sample is missing: the server said ${response.status}.`);
    sampleFile = await response.blob();
  }
  return decode(sampleFile);
}

/** Says what the model is worth, and on what that was measured. */
function scoreOf(fer: FerEdge): string {
  const { name, top1 } = fer.manifest;
  if (!top1) return `The model ${name} comes without a measured accuracy.`;
  const [value, low, high] = [top1.value, top1.low, top1.high].map((share) => view.percent(share, 1));
  return (
    `${name}, int8: top-1 ${value} (95% interval ${low}–${high}) on the ${top1.split} split ` +
    `it was measured on, n = ${top1.n}.`
  );
}

main().catch((error: unknown) => {
  view.showHint('');
  view.showTrouble(messageOf(error));
  READY['ready'] = 'failed';
});
