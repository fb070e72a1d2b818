// The demo's life: one source at a time, a picture or the camera, read until another takes over.

import { Recent, answerOf } from '../answers';
import { TITLES, messageOf, type EngineName, type FerEdge, type Source } from '../fer-edge';
import { Tracks, type Track } from '../tracks';
import { closeCamera, looksAway, nextCamera, nextFrame, onCameraLost, openCamera } from './camera';
import { keepChoice, keptChoice } from './choice';
import { compareEngines } from './compare';
import { factsOf, resultsOf, type Timing } from './facts';
import { candidates, pickFastest } from './measure';
import * as view from './view';

const SPEAK_MS = 2_000; // screen readers are told no more often
const STILL_ROUNDS = 10; // a picture is read so often, for the times in the panel
const KEPT = 200; // times that the panel's percentiles are of
const GIVE_UP = 10; // readings that fail one after the other

export class Demo {
  private readonly tracks = new Tracks();
  private readonly timing: Timing = {
    detect: new Recent(KEPT),
    classify: new Recent(KEPT),
    frames: new Recent(KEPT),
  };
  private shown: view.Shown[] = [];
  private stream: MediaStream | null = null;
  private cameraId: string | null = null;
  private isLive = false;
  private mirror = true;
  private spokenMs = -Infinity;
  /** Counts sources: what belongs to an earlier one has no business here any more. */
  private scene = 0;
  private asked = 0;

  constructor(private readonly fer: FerEdge) {}

  /** Shows a picture and reads it; of several that are asked for the last counts. */
  async open(decode: () => Promise<ImageBitmap>): Promise<void> {
    const asked = ++this.asked;
    view.showBusy(true);
    try {
      const picture = await decode();
      if (asked === this.asked) {
        this.stopCamera();
        view.drawStill(picture);
        view.showSource('still', false);
        this.forget();
      }
      picture.close();
      if (asked === this.asked) await this.readStill(this.scene);
    } finally {
      if (asked === this.asked) view.showBusy(false);
    }
  }

  /** Reads the picture that is shown, often enough to say how long that takes. */
  private async readStill(scene: number): Promise<void> {
    for (let i = 0; i < STILL_ROUNDS && scene === this.scene; i++) await this.read(scene, view.still);
  }

  private async read(scene: number, source: Source): Promise<void> {
    const { faces, times } = await this.fer.readFaces(source);
    if (scene !== this.scene) return;
    const now = performance.now();
    this.timing.detect.add(times.detectMs);
    if (faces.length > 0) this.timing.classify.add(times.classifyMs);
    this.timing.frames.add(now);
    const seen = faces.map(({ box, answer }) => ({ box, probabilities: answer.probabilities }));
    this.show(this.tracks.update(seen, now), now);
  }

  private show(tracks: Track[], now: number): void {
    const { emotions, threshold } = this.fer.manifest;
    this.shown = tracks.map(({ id, box, probabilities }) => ({
      id,
      box,
      answer: answerOf(probabilities, emotions, threshold),
    }));
    const chosen = largest(this.shown);
    view.showFaces(this.shown, this.isLive ? videoSize() : stillSize(), chosen?.id ?? -1);
    view.showReading(chosen?.answer ?? null, this.shown.length);
    if (chosen) view.timeline.add(chosen.answer.probabilities, now);
    if (this.isLive) view.timeline.draw(now);
    this.showFacts();
    if (now - this.spokenMs < SPEAK_MS) return;
    this.spokenMs = now;
    view.speak(chosen ? view.labelOf(chosen.answer) : 'No face');
  }

  private showFacts(): void {
    view.showFacts(factsOf(this.fer, this.timing, this.isLive));
  }

  /** Turns the camera on and reads until another source takes over. */
  async startCamera(): Promise<void> {
    this.asked++;
    view.showBusy(false);
    this.stopCamera();
    const scene = this.scene;
    this.isLive = true;
    view.showControls({ live: true, several: false, mirror: this.mirror });
    view.showHint('Waiting for the camera…');
    try {
      const stream = await openCamera(this.cameraId);
      if (scene !== this.scene) return closeCamera(stream); // something else came meanwhile
      await this.play(stream, scene);
    } catch (error) {
      if (scene === this.scene) this.stopCamera();
      throw error;
    }
    if (scene === this.scene) await this.live(scene);
  }

  private async play(stream: MediaStream, scene: number): Promise<void> {
    this.stream = stream;
    onCameraLost(stream, () => this.loseCamera(stream));
    view.video.srcObject = stream;
    await view.video.play().catch((error: unknown) => {
      if (scene === this.scene) throw error; // else it was interrupted, as it should be
    });
    if (scene !== this.scene) return;
    this.mirror = !looksAway(stream);
    this.forget();
    view.showHint('');
    view.shapeFrame(...videoSize());
    view.showSource('video', this.mirror);
    const several = (await nextCamera(stream)) !== null;
    if (scene === this.scene) view.showControls({ live: true, several, mirror: this.mirror });
  }

  /** Reads frames, the next one after the last result. */
  private async live(scene: number): Promise<void> {
    for (let failed = 0; scene === this.scene; ) {
      await nextFrame(view.video);
      if (scene !== this.scene) return;
      try {
        await this.read(scene, view.video);
        failed = 0;
      } catch (error) {
        if (++failed < GIVE_UP) continue;
        if (scene === this.scene) this.stopCamera();
        throw error;
      }
    }
  }

  /** Turns the camera off; its last frame stays, with what was read in it. */
  stopCamera(): void {
    this.scene++;
    if (this.isLive && this.stream && view.video.videoWidth > 0) {
      view.keepFrame();
      view.showSource('still', this.mirror);
    }
    closeCamera(this.stream);
    this.stream = view.video.srcObject = null;
    this.isLive = false;
    view.showHint('');
    view.showControls({ live: false, several: false, mirror: this.mirror });
  }

  private loseCamera(stream: MediaStream): void {
    if (stream !== this.stream) return;
    this.stopCamera();
    view.showTrouble('The camera went away. Plug it in and start again, or open an image.');
  }

  /** Turns the camera off while nobody looks; says whether it was on. */
  hide(): boolean {
    const wasOn = this.isLive;
    if (wasOn) this.stopCamera();
    return wasOn;
  }

  async switchCamera(): Promise<void> {
    if (this.stream) this.cameraId = await nextCamera(this.stream);
    await this.startCamera();
  }

  toggleMirror(): void {
    this.mirror = !this.mirror;
    view.showSource('video', this.mirror);
    view.showControls({ live: true, several: null, mirror: this.mirror });
  }

  /** The camera was turned: its picture has another shape now. */
  reshape(): void {
    if (this.isLive && view.video.videoWidth > 0) view.shapeFrame(...videoSize());
  }

  private forget(): void {
    this.tracks.clear();
    view.timeline.clear();
    this.shown = [];
    this.spokenMs = -Infinity;
    view.showFaces([], [1, 1], -1);
    for (const recent of Object.values(this.timing)) recent.clear();
  }

  /** Goes over to another engine; a picture is read again. */
  async use(engine: EngineName): Promise<void> {
    view.showStatus(`Starting ${TITLES[engine]}…`);
    await this.fer.use(engine);
    await this.readAgain();
    view.showStatus(this.fer.engine === engine ? `${TITLES[engine]} answers now.` : '');
  }

  private async readAgain(): Promise<void> {
    for (const recent of Object.values(this.timing)) recent.clear();
    this.showEngine();
    if (this.isLive) return;
    this.tracks.clear(); // the other engine's answer is no part of this one's mean
    await this.readStill(this.scene);
  }

  /** Stays on what was chosen before; else measures what is fastest here, once. */
  async settle(): Promise<void> {
    const kept = keptChoice();
    if (kept) return kept === this.fer.engine ? undefined : this.use(kept);
    const others = await candidates();
    if (others.length === 0) return;
    view.showStatus('Measuring which engine is fastest here…');
    const measured = await pickFastest(this.fer, ['tfjs-wasm', ...others], view.still);
    if (measured.length === others.length + 1) keepChoice(this.fer.engine);
    await this.readAgain();
    const list = measured.map(({ engine, ms }) => `${TITLES[engine]} ${ms.toFixed(1)} ms`);
    view.showStatus(`Measured here: ${list.join(', ')}.`);
  }

  /** Shows which engine answers. */
  showEngine(): void {
    view.element<HTMLSelectElement>('engine').value = this.fer.engine;
    this.showFacts();
  }

  /** The same face in TF.js and in LiteRT.js, side by side. */
  async compare(): Promise<void> {
    const face = largest(this.shown);
    if (!face) return view.showStatus('There is no face to compare on: open an image with one.');
    view.showStatus('Loading LiteRT.js (about 3 MB), then comparing…');
    const source = this.isLive ? view.video : view.still;
    try {
      const rows = await compareEngines(this.fer, source, face.box);
      view.showTable('compared', 'The same face, one after the other, on this device', rows);
      view.showStatus('Compared.');
    } finally {
      this.showEngine();
    }
  }

  async copy(): Promise<void> {
    view.showStatus('');
    if (!navigator.clipboard) {
      throw new Error('Browsers give the clipboard only to pages from HTTPS or from localhost.');
    }
    const size = this.isLive ? videoSize() : stillSize();
    const results = resultsOf(this.fer, this.timing, this.shown, size, this.isLive);
    await navigator.clipboard.writeText(JSON.stringify(results, null, 2));
    view.showStatus('The results are in the clipboard.');
  }

  /** Says of trouble that it came, where the page goes on by itself. */
  tellFallback(from: EngineName, to: EngineName, why: string): void {
    showFallback(from, to, why);
    this.showEngine();
  }
}

function largest(shown: readonly view.Shown[]): view.Shown | undefined {
  return [...shown].sort((a, b) => b.box.width - a.box.width)[0];
}

function videoSize(): [number, number] {
  return [view.video.videoWidth, view.video.videoHeight];
}

function stillSize(): [number, number] {
  return [view.still.width, view.still.height];
}

/** Says that an engine gave up and another took over. */
export function showFallback(from: EngineName, to: EngineName, why: string): void {
  view.showTrouble(`${TITLES[from]} does not run here: ${why} Going on with ${TITLES[to]}.`);
}

/** Runs what somebody asks for; what goes wrong is said on the page, which stays usable. */
export function attempt(work: () => Promise<void> | void): void {
  view.showTrouble('');
  Promise.resolve()
    .then(work)
    .catch((error: unknown) => {
      view.showStatus('');
      view.showTrouble(messageOf(error));
    });
}
