// The demo's life: one source at a time, a picture or the camera, read until another takes over.

import { Picture, type FerEdge, type Source } from '../fer-edge';
import * as camera from './camera';
import { compareEngines } from './compare';
import { Engines } from './engines';
import { Reading } from './reading';
import { inRounds } from './rounds';
import { tell } from './troubles';
import * as view from './view';

const STILL_ROUNDS = 10; // a picture is read so often, for the times in the panel,
const STILL_MS = 1_000; // or for so long
const GIVE_UP = 10; // readings that fail one after the other

export class Demo {
  readonly engines: Engines;
  private readonly reading: Reading;
  private stream: MediaStream | null = null;
  private cameraId: string | null = null;
  /** The camera that the timeline is of; none once a picture was opened. */
  private pastId: string | null = null;
  private mirror = true;
  /** What people chose, by camera. */
  private readonly mirrors = new Map<string, boolean>();
  /** The camera was on when the tab was hidden, and nothing else was asked for since. */
  comesBack = false;
  /** Counts sources: what belongs to an earlier one has no business here any more. */
  private scene = 0;
  private asked = 0;

  constructor(private readonly fer: FerEdge) {
    this.reading = new Reading(fer);
    this.engines = new Engines(
      fer,
      () => this.readAgain(),
      () => this.reading.showFacts(),
    );
  }

  /** Shows a picture and reads it; of several that are asked for the last counts. */
  async open(decode: () => Promise<ImageBitmap>): Promise<void> {
    const asked = ++this.asked;
    this.comesBack = false;
    view.showBusy(true);
    try {
      const picture = await decode();
      if (asked === this.asked) this.showStill(picture);
      picture.close();
      if (asked === this.asked) await this.readStill();
    } finally {
      if (asked === this.asked) view.showBusy(false);
    }
  }

  private showStill(picture: ImageBitmap): void {
    this.stopCamera();
    view.drawStill(picture);
    view.showSource('still', false);
    view.showPast(false);
    this.pastId = null;
    this.reading.forget();
  }

  /** Reads the picture that is shown, often enough to say how long that takes. */
  private async readStill(): Promise<void> {
    const scene = this.scene;
    const picture = this.drawn();
    await inRounds(STILL_ROUNDS, STILL_MS, async () => {
      if (scene === this.scene) await this.read(scene, picture);
      return scene === this.scene;
    });
  }

  /** The picture that is shown, drawn once for many readings. */
  private drawn(): Picture {
    const picture = new Picture();
    picture.draw(view.still);
    return picture;
  }

  private async read(scene: number, source: Source | Picture): Promise<void> {
    const read = await this.fer.readFaces(source);
    if (scene === this.scene) this.reading.take(read, performance.now());
  }

  private async readAgain(): Promise<void> {
    this.reading.startAnew();
    if (!this.reading.isLive) await this.readStill();
  }

  /** Starts on the engine that this device chose or measures to be the fastest. */
  async settle(): Promise<void> {
    this.engines.show();
    await this.engines.settle(() => this.drawn());
  }

  /** Turns the camera on and reads until another source takes over. */
  async startCamera(): Promise<void> {
    this.asked++;
    this.comesBack = false;
    view.showBusy(false);
    this.stopCamera();
    const scene = this.scene;
    this.reading.isLive = true;
    view.showControls({ live: true, several: false, mirror: this.mirror });
    view.showHint('Waiting for the camera…');
    try {
      const stream = await camera.openCamera(this.cameraId);
      if (scene !== this.scene) return camera.closeCamera(stream); // something else came meanwhile
      await this.play(stream, scene);
    } catch (error) {
      if (scene === this.scene) this.stopCamera();
      throw error;
    }
    if (scene === this.scene) await this.live(scene);
  }

  private async play(stream: MediaStream, scene: number): Promise<void> {
    this.stream = stream;
    camera.onCameraLost(stream, () => this.loseCamera(stream));
    view.video.srcObject = stream;
    await view.video.play().catch((error: unknown) => {
      if (scene === this.scene) throw error; // else it was interrupted, as it should be
    });
    if (scene !== this.scene) return;
    const id = camera.idOf(stream);
    this.mirror = this.mirrors.get(id) ?? !camera.looksAway(stream);
    if (id !== this.pastId) this.reading.forget(); // else it goes on after a pause
    this.pastId = id;
    view.showHint('');
    view.shapeFrame(...view.videoSize());
    view.showSource('video', this.mirror);
    view.showPast(true);
    const several = (await camera.nextCamera(stream)) !== null;
    if (scene === this.scene) view.showControls({ live: true, several, mirror: this.mirror });
  }

  /** Reads frames, the next one after the last result. */
  private async live(scene: number): Promise<void> {
    for (let failed = 0; scene === this.scene; ) {
      await camera.nextFrame(view.video);
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
    if (this.reading.isLive && this.stream && view.video.videoWidth > 0) {
      view.keepFrame();
      view.showSource('still', this.mirror);
    }
    camera.closeCamera(this.stream);
    this.stream = view.video.srcObject = null;
    this.reading.stop();
    view.showHint('');
    view.showControls({ live: false, several: false, mirror: this.mirror });
  }

  private loseCamera(stream: MediaStream): void {
    if (stream !== this.stream) return;
    this.stopCamera();
    tell('source', 'The camera went away. Plug it in and start again, or open an image.');
  }

  /** Turns the camera off while nobody looks. */
  hide(): void {
    if (!this.reading.isLive) return;
    this.stopCamera();
    this.comesBack = true;
  }

  async switchCamera(): Promise<void> {
    if (this.stream) this.cameraId = await camera.nextCamera(this.stream);
    await this.startCamera();
  }

  toggleMirror(): void {
    if (!this.stream) return; // it is still waited for, and its side is not known
    this.mirror = !this.mirror;
    this.mirrors.set(camera.idOf(this.stream), this.mirror);
    view.showSource('video', this.mirror);
    view.showControls({ live: true, several: null, mirror: this.mirror });
  }

  /** The camera was turned: its picture has another shape now. */
  reshape(): void {
    if (this.reading.isLive && view.video.videoWidth > 0) view.shapeFrame(...view.videoSize());
  }

  /** The same face in TF.js and in LiteRT.js, side by side. */
  async compare(): Promise<void> {
    const face = this.reading.chosen;
    if (!face) return view.showStatus('There is no face to compare on: open an image with one.');
    view.showStatus('Loading LiteRT.js (about 3 MB), then comparing…');
    const source = this.reading.isLive ? view.video : view.still;
    try {
      const rows = await compareEngines(this.fer, source, face.box);
      view.showTable('compared', 'The same face, one after the other, on this device', rows);
      view.showStatus('Compared.');
    } finally {
      this.engines.show();
    }
  }

  async copy(): Promise<void> {
    view.showStatus('');
    if (!navigator.clipboard) {
      throw new Error('Browsers give the clipboard only to pages from HTTPS or from localhost.');
    }
    await navigator.clipboard.writeText(JSON.stringify(this.reading.results(), null, 2));
    view.showStatus('The results are in the clipboard.');
  }
}
