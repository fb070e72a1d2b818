// The page: load the model, read the drawn sample, then whatever people point it at.

import { ENGINES, TITLES, load, messageOf, type EngineName } from '../fer-edge';
import { Demo } from './demo';
import { acceptFiles } from './files';
import { offerOffline } from './offline';
import { decode } from './stills';
import { attempt, tell, tellFallback, type About } from './troubles';
import * as view from './view';
import { scoreOf } from './words';

const STATE = document.documentElement.dataset;
let demo: Demo | undefined;

/** Loads the model and starts; where that fails it is said, and can be tried again. */
async function start(): Promise<void> {
  view.showStart('loading');
  delete STATE['ready'];
  try {
    demo = await makeDemo();
  } catch (error) {
    view.showStart('failed');
    tell('source', messageOf(error));
    STATE['ready'] = 'failed';
    return;
  }
  view.showStart('ready');
  connect(demo);
  await demo.open(sample).catch((error: unknown) => tell('source', messageOf(error)));
  await demo.settle().catch((error: unknown) => tell('engine', messageOf(error)));
  STATE['ready'] = 'true';
  await offerOffline();
}

async function makeDemo(): Promise<Demo> {
  const onFallback: typeof tellFallback = (...what) =>
    demo ? demo.engines.fellBack(...what) : tellFallback(...what);
  const fer = await load('./model/', { onFallback });
  view.buildBars(fer.manifest.emotions);
  view.element('score').textContent = scoreOf(fer.manifest);
  return new Demo(fer);
}

/** Connects buttons, the clipboard and the tab to the demo. */
function connect(demo: Demo): void {
  const engine = view.element<HTMLSelectElement>('engine');
  on('camera', 'click', 'source', () => demo.startCamera());
  on('pause', 'click', 'page', () => demo.stopCamera());
  on('switch', 'click', 'source', () => demo.switchCamera());
  on('mirror', 'click', 'page', () => demo.toggleMirror());
  on('sample', 'click', 'source', () => demo.open(sample));
  on('compare', 'click', 'compare', () => demo.compare());
  on('copy', 'click', 'copy', () => demo.copy());
  on('engine', 'change', 'engine', () => demo.engines.choose(engine.value as EngineName));
  view.video.addEventListener('resize', () => demo.reshape());
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) demo.hide();
    else if (demo.comesBack) attempt('source', () => demo.startCamera());
  });
}

function on(id: string, event: string, about: About, work: () => Promise<void> | void): void {
  view.element(id).addEventListener(event, () => attempt(about, work));
}

function take(file: File): void {
  if (demo) attempt('source', () => demo?.open(() => decode(file)));
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

for (const name of ENGINES) view.element<HTMLSelectElement>('engine').add(new Option(TITLES[name], name));
view.element('open').addEventListener('click', () => view.element('file').click());
acceptFiles(take, () => tell('source', 'That was no file. Save the picture first, then drop or open it.'));
on('again', 'click', 'source', () => {
  if (STATE['ready'] === 'failed') return start();
});
attempt('source', start);
STATE['alive'] = 'true'; // for public/watch.js: what fails from here on is said above
