// Faces from frame to frame: who is who, and a mean over time so that boxes and bars do not jump.

import { overlap, type Face } from './blazeface';

const SAME = 0.3; // overlap of one face in two frames
const PATIENCE_MS = 400; // how long a face that is not seen is waited for; a slow device: a frame
const HALF_LIFE_MS = 180; // of what a frame adds to the mean of the probabilities
const BOX_HALF_LIFE_MS = 40;

export interface Track {
  id: number;
  box: Face;
  /** Smoothed, in the manifest's order. */
  probabilities: number[];
  seenMs: number;
}

export interface Seen {
  box: Face;
  probabilities: ArrayLike<number>;
}

/** Follows faces over the frames of one source. */
export class Tracks {
  private tracks: Track[] = [];
  private next = 1;
  private lastMs = -Infinity;

  /** Takes a frame's faces at a time in milliseconds; returns who is in it, from left to right. */
  update(seen: readonly Seen[], nowMs: number): Track[] {
    const since = Math.min(nowMs - PATIENCE_MS, this.lastMs);
    const free = this.tracks.filter((track) => track.seenMs >= since);
    this.lastMs = nowMs;
    const now = pair(seen, free).map(([face, track]) =>
      track ? blend(track, face, nowMs) : this.start(face, nowMs),
    );
    const here = new Set(now.map((track) => track.id));
    this.tracks = [...now, ...free.filter((track) => !here.has(track.id))];
    return now.sort((a, b) => a.box.x - b.box.x);
  }

  /** Forgets everybody: another source, or time that stood still. */
  clear(): void {
    this.tracks = [];
  }

  private start(face: Seen, nowMs: number): Track {
    const probabilities = Array.from(face.probabilities);
    return { id: this.next++, box: face.box, probabilities, seenMs: nowMs };
  }
}

/** Gives each face the track that it overlaps most, the best pairs first. */
function pair(seen: readonly Seen[], tracks: readonly Track[]): [Seen, Track | undefined][] {
  const pairs = seen
    .flatMap((face) => tracks.map((track) => ({ face, track, shared: overlap(face.box, track.box) })))
    .filter(({ shared }) => shared > SAME)
    .sort((a, b) => b.shared - a.shared);
  const given = new Map<Seen, Track>();
  const taken = new Set<Track>();
  for (const { face, track } of pairs) {
    if (given.has(face) || taken.has(track)) continue;
    given.set(face, track);
    taken.add(track);
  }
  return seen.map((face) => [face, given.get(face)]);
}

function blend(track: Track, face: Seen, nowMs: number): Track {
  const passed = Math.max(0, nowMs - track.seenMs);
  return {
    id: track.id,
    box: mixBox(track.box, face.box, share(passed, BOX_HALF_LIFE_MS)),
    probabilities: mix(track.probabilities, face.probabilities, share(passed, HALF_LIFE_MS)),
    seenMs: nowMs,
  };
}

/** Returns how much of the mean a frame makes that comes after so long. */
export function share(passedMs: number, halfLifeMs: number): number {
  return 1 - 2 ** (-passedMs / halfLifeMs);
}

/** Returns old + (new - old) * share, number by number. */
export function mix(old: ArrayLike<number>, now: ArrayLike<number>, part: number): number[] {
  return Array.from(old, (value, i) => value + (now[i]! - value) * part);
}

function mixBox(old: Face, now: Face, part: number): Face {
  const [x, y, width, height] = mix(
    [old.x, old.y, old.width, old.height],
    [now.x, now.y, now.width, now.height],
    part,
  );
  return { x: x!, y: y!, width: width!, height: height!, score: now.score };
}
