// The demo: load the model, read the drawn sample, then whatever people point it at.

import { Recent, answerOf } from '../answers';
import { ENGINES, TITLES, load, messageOf, type EngineName, type FerEdge, type Source } from '../fer-edge';
import { Tracks, type Track } from '../tracks';
import {
  hasSeveralCameras,
  onCameraLost,
  startCamera,
  stopCamera,
  type Facing,
} from './camera';
import { compareEngines } from './compare';
import { keepChoice, keptChoice } from './choice';
import { factsOf, resultsOf, type Timing } from './facts';
import { candidates, pickFastest } from './measure';
import { offerOffline } from './offline';
import { decode } from './stills';
import * as view from './view';

const SPEAK_MS = 2_000; // screen readers are told no more often
const STILL_ROUNDS = 10; // a picture is read so often, for the times in the panel
const KEPT = 200; // times that the panel's percentiles are of

class Demo {
  private readonly tracks = new Tracks();
  private readonly timing: Timing = {
    detect: new Recent(KEPT),
    classify: new Recent(KEPT),
    frames: new Recent(KEPT),
  };
  private shown: view.Shown[] = [];
  private source: 'still' | 'video' = 'still';
  private facing: Facing = 'user';
  private mirror = true;
  private wantsCamera = false;
  private spokenMs = -Infinity;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly fer: FerEdge) {}

  /** Runs one thing at a time: a reading, or a change of engine. */
  private alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }

  /** Shows a picture and reads it. */
  async openStill(picture: ImageBitmap | HTMLImageElement): Promise<void> {
    this.stopCamera();
    this.source = 'still';
    view.drawStill(picture);
    view.showSource('still', false);
    view.showTimeline(false);
    this.forget();
    for (let round = 0; round < STILL_ROUNDS && this.source === 'still'; round++) await this.read();
  }

  /** Reads the frame that is shown. */
  private async read(): Promise<void> {
    const { faces, times } = await this.alone(() => this.fer.readFaces(this.picture));
    const now = performance.now();
    this.timing.detect.add(times.detectMs);
    if (faces.length > 0) this.timing.classify.add(times.classifyMs);
    this.timing.frames.add(now);
    const seen = faces.map((face) => ({ box: face.box, probabilities: face.answer.probabilities }));
    this.show(this.tracks.update(seen, now), now);
  }

  private get picture(): Source {
    return this.source === 'video' ? view.video : view.still;
  }

  private get size(): [number, number] {
    const { video, still } = view;
    return this.source === 'video' ? [video.videoWidth, video.videoHeight] : [still.width, still.height];
  }

  private show(tracks: Track[], now: number): void {
    const { emotions, threshold } = this.fer.manifest;
    this.shown = tracks.map(({ id, box, probabilities }) => ({
      id,
      box,
      answer: answerOf(probabilities, emotions, threshold),
    }));
    const chosen = largest(this.shown);
    view.showFaces(this.shown, ...this.size, chosen?.id ?? -1);
    view.showReading(chosen?.answer ?? null, this.shown.length);
    if (chosen) view.timeline.add(chosen.answer.probabilities, now);
    view.timeline.draw(now);
    this.showFacts();
    if (now - this.spokenMs < SPEAK_MS) return;
    this.spokenMs = now;
    view.speak(chosen ? view.labelOf(chosen.answer) : 'No face');
  }

  showFacts(): void {
    view.showFacts(factsOf(this.fer, this.timing, this.source === 'video'));
  }

  /** Turns the camera on and reads until it goes off. */
  async startCamera(): Promise<void> {
    this.wantsCamera = true;
    view.showTrouble('');
    view.showHint('Waiting for the camera…');
    try {
      await startCamera(view.video, this.facing);
    } catch (error) {
      this.stopCamera();
      view.showTrouble(messageOf(error));
      return;
    }
    if (!this.wantsCamera) return stopCamera(view.video); // stopped while the browser asked
    onCameraLost(view.video, () => this.loseCamera());
    view.showHint('');
    this.source = 'video';
    view.shapeFrame(view.video.videoWidth, view.video.videoHeight);
    view.showSource('video', this.mirror);
    view.showTimeline(true);
    this.forget();
    await this.controls();
    await this.live();
  }

  /** Reads frames, the next one after the last result. */
  private async live(): Promise<void> {
    while (this.wantsCamera && view.video.srcObject) {
      await nextFrame();
      if (!this.wantsCamera || view.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) continue;
      await this.read().catch((error: unknown) => view.showTrouble(messageOf(error)));
    }
  }

  /** Turns the camera off; the last frame's reading stays. */
  stopCamera(): void {
    this.wantsCamera = false;
    stopCamera(view.video);
    view.showHint('');
    void this.controls();
  }

  private loseCamera(): void {
    this.stopCamera();
    view.showTrouble('The camera went away. Plug it in and start again, or open an image.');
  }

  /** Turns the camera off while nobody looks, and on again after. */
  followVisibility(): void {
    let wasOn = false;
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) {
        wasOn = this.wantsCamera;
        if (wasOn) this.stopCamera();
      } else if (wasOn) {
        void this.startCamera();
      }
    });
  }

  async switchCamera(): Promise<void> {
    this.facing = this.facing === 'user' ? 'environment' : 'user';
    this.mirror = this.facing === 'user';
    this.stopCamera();
    await this.startCamera();
  }

  toggleMirror(): void {
    this.mirror = !this.mirror;
    view.element('mirror').setAttribute('aria-pressed', String(this.mirror));
    view.showSource(this.source, this.mirror);
  }

  private async controls(): Promise<void> {
    const on = this.wantsCamera;
    view.element('camera').hidden = on;
    view.element('pause').hidden = !on;
    view.element('mirror').hidden = !on;
    view.element('mirror').setAttribute('aria-pressed', String(this.mirror));
    view.element('switch').hidden = !(on && (await hasSeveralCameras()));
  }

  private forget(): void {
    this.tracks.clear();
    view.timeline.clear();
    for (const recent of Object.values(this.timing)) recent.clear();
  }

  /** Goes over to another engine and reads the still picture again. */
  async use(engine: EngineName): Promise<void> {
    view.showStatus(`Starting ${TITLES[engine]}…`);
    await this.alone(() => this.fer.use(engine));
    this.forget();
    this.showEngine();
    view.showStatus(this.fer.engine === engine ? `${TITLES[engine]} answers now.` : '');
    if (!this.wantsCamera) await this.read();
  }

  /** Stays on what was chosen before; else measures what is fastest here, once. */
  async settle(): Promise<void> {
    const chosen = keptChoice();
    if (chosen) return this.use(chosen);
    const others = await candidates();
    if (others.length === 0) return;
    view.showStatus('Measuring which engine is fastest here…');
    const engines: EngineName[] = ['tfjs-wasm', ...others];
    const measured = await this.alone(() => pickFastest(this.fer, engines, this.picture));
    keepChoice(this.fer.engine);
    this.forget();
    this.showEngine();
    const list = measured.map(({ engine, ms }) => `${TITLES[engine]} ${ms.toFixed(1)} ms`);
    view.showStatus(`Measured here: ${list.join(', ')}.`);
  }

  showEngine(): void {
    view.element<HTMLSelectElement>('engine').value = this.fer.engine;
    this.showFacts();
  }

  /** The same face in TF.js and in LiteRT.js, side by side. */
  async compare(): Promise<void> {
    const face = largest(this.shown);
    if (!face) return view.showStatus('There is no face to compare on: open an image with one.');
    view.showStatus('Loading LiteRT.js (about 3 MB), then comparing…');
    const rows = await this.alone(() => compareEngines(this.fer, this.picture, face.box));
    this.showEngine();
    view.showTable('compared', 'The same face, one after the other, on this device', rows);
    view.showStatus('Compared.');
  }

  async copy(): Promise<void> {
    const results = resultsOf(this.fer, this.timing, this.shown, this.size);
    await navigator.clipboard.writeText(JSON.stringify(results, null, 2));
    view.showStatus('The results are in the clipboard.');
  }
}

function largest(shown: readonly view.Shown[]): view.Shown | undefined {
  return [...shown].sort((a, b) => b.box.width - a.box.width)[0];
}

function nextFrame(): Promise<void> {
  return new Promise((resolve) => requestAnimationFrame(() => resolve()));
}

/** Runs what a button asks for; what goes wrong is said on the page, which stays usable. */
function attempt(work: () => Promise<void> | void): void {
  view.showTrouble('');
  Promise.resolve()
    .then(work)
    .catch((error: unknown) => {
      view.showStatus('');
      view.showTrouble(messageOf(error));
    });
}

function on(id: string, event: string, work: () => Promise<void> | void): void {
  view.element(id).addEventListener(event, () => attempt(work));
}

/** Connects buttons, files and the clipboard to the demo. */
function connect(demo: Demo): void {
  const file = view.element<HTMLInputElement>('file');
  const engine = view.element<HTMLSelectElement>('engine');
  on('camera', 'click', () => demo.startCamera());
  on('pause', 'click', () => demo.stopCamera());
  on('switch', 'click', () => demo.switchCamera());
  on('mirror', 'click', () => demo.toggleMirror());
  on('open', 'click', () => file.click());
  on('sample', 'click', async () => demo.openStill(await sample()));
  on('compare', 'click', () => demo.compare());
  on('copy', 'click', () => demo.copy());
  on('engine', 'change', () => {
    keepChoice(engine.value as EngineName);
    return demo.use(engine.value as EngineName);
  });
  on('file', 'change', async () => {
    const [chosen] = file.files ?? [];
    file.value = '';
    if (chosen) await demo.openStill(await decode(chosen));
  });
  acceptDropped((blob) => attempt(async () => demo.openStill(await decode(blob))));
  demo.followVisibility();
}

function acceptDropped(take: (blob: Blob) => void): void {
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer?.files ?? [];
    if (file) take(file);
  });
  document.addEventListener('paste', (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (file) take(file);
  });
}

let sampleFile: Blob | undefined;

/** Returns the drawn sample, which came with the page. */
async function sample(): Promise<ImageBitmap> {
  sampleFile ??= await (await fetch('./sample.jpg')).blob();
  return decode(sampleFile);
}

function listEngines(): void {
  const select = view.element<HTMLSelectElement>('engine');
  for (const name of ENGINES) select.add(new Option(TITLES[name], name));
}

async function main(): Promise<void> {
  listEngines();
  const fer = await load('./model/', {
    onFallback: (from, to, why) =>
      view.showTrouble(`${TITLES[from]} does not run here: ${why} Going on with ${TITLES[to]}.`),
  });
  const demo = new Demo(fer);
  view.buildBars(fer.manifest.emotions);
  view.element('score').textContent = scoreOf(fer);
  connect(demo);
  view.showHint('');
  await demo.openStill(await sample());
  view.enable('camera', 'open', 'sample', 'engine', 'compare', 'copy');
  await demo.settle();
  demo.showEngine();
  document.documentElement.dataset['ready'] = 'true';
  await offerOffline();
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
  document.documentElement.dataset['ready'] = 'failed';
});

