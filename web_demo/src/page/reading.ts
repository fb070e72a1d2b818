// What was read of one source after the other, and how the page shows it.

import { Recent, answerOf } from '../answers';
import type { FaceAnswer, FerEdge, Times } from '../fer-edge';
import { Tracks, type Track } from '../tracks';
import { factsOf, resultsOf, type Timing } from './facts';
import * as view from './view';
import { pastOf, spokenOf } from './words';

const SPEAK_MS = 2_000; // screen readers are told no more often
const KEPT = 200; // times that the panel's percentiles are of

export class Reading {
  /** Whether it is the camera that is read. */
  isLive = false;
  private readonly tracks = new Tracks();
  private readonly timing: Timing = {
    detect: new Recent(KEPT),
    classify: new Recent(KEPT),
    frames: new Recent(KEPT),
  };
  private shown: view.Shown[] = [];
  private spokenMs = -Infinity;

  constructor(private readonly fer: FerEdge) {}

  /** The face that the bars are of: the largest. */
  get chosen(): view.Shown | undefined {
    return [...this.shown].sort((a, b) => b.box.width - a.box.width)[0];
  }

  /** Takes what was read in a frame and shows it. */
  take({ faces, times }: { faces: FaceAnswer[]; times: Times }, now: number): void {
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
    const { chosen } = this;
    view.showFaces(this.shown, this.size(), chosen?.id ?? -1);
    view.showReading(chosen?.answer ?? null, this.shown.length);
    if (this.isLive && chosen) view.timeline.add(chosen.answer.probabilities, now);
    if (this.isLive) view.timeline.draw(now);
    this.showFacts();
    if (now - this.spokenMs >= SPEAK_MS) this.speak(now);
  }

  private speak(now: number): void {
    this.spokenMs = now;
    const said = spokenOf(this.chosen?.answer ?? null, this.shown.length);
    view.speak(said);
    view.describe(said, pastOf(view.timeline.means(), this.fer.manifest.emotions));
  }

  showFacts(): void {
    view.showFacts(factsOf(this.fer, this.timing, this.isLive));
  }

  /** The camera stops: what it saw stays, what is only true of a running one goes. */
  stop(): void {
    this.isLive = false;
    this.timing.frames.clear();
    this.showFacts();
  }

  /** Another source: nothing of the last one stays. */
  forget(): void {
    this.tracks.clear();
    view.timeline.clear();
    this.shown = [];
    this.spokenMs = -Infinity;
    view.showFaces([], [1, 1], -1);
    this.forgetTimes();
  }

  /** Another engine: its answers are no part of the last one's mean. */
  startAnew(): void {
    if (!this.isLive) this.tracks.clear();
    this.forgetTimes();
    this.showFacts();
  }

  private forgetTimes(): void {
    for (const recent of Object.values(this.timing)) recent.clear();
  }

  results(): object {
    return resultsOf(this.fer, this.timing, this.shown, this.size(), this.isLive);
  }

  private size(): [number, number] {
    return this.isLive ? view.videoSize() : view.stillSize();
  }
}
