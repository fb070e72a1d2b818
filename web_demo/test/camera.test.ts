// Cameras as browsers list them: which comes next, which looks where, and what becomes of one.

import { afterEach, expect, test, vi } from 'vitest';

import { looksAway, nextCamera, onCameraLost, openCamera } from '../src/page/camera';

afterEach(() => vi.unstubAllGlobals());

function stream(settings: MediaTrackSettings, track = new EventTarget()): MediaStream {
  const tracks = [Object.assign(track, { getSettings: () => settings })];
  return { getVideoTracks: () => tracks } as unknown as MediaStream;
}

function devices(...ids: string[]): void {
  const list = ids.map((deviceId) => ({ kind: 'videoinput', deviceId }));
  const enumerateDevices = async () => [{ kind: 'audioinput', deviceId: 'ear' }, ...list];
  vi.stubGlobal('navigator', { mediaDevices: { enumerateDevices } });
}

test.each([
  ['a', 'b'],
  ['b', 'c'],
  ['c', 'a'],
])('after camera %s comes %s', async (now, next) => {
  devices('a', 'b', 'c');
  expect(await nextCamera(stream({ deviceId: now }))).toBe(next);
});

test('alone there is no other camera', async () => {
  devices('a');
  expect(await nextCamera(stream({ deviceId: 'a' }))).toBeNull();
});

test.each([
  ['environment', true],
  ['user', false],
  [undefined, false],
])('a camera that faces %s looks away: %s', (facingMode, away) => {
  expect(looksAway(stream({ ...(facingMode && { facingMode }) }))).toBe(away);
});

test('a camera that goes away is told of', () => {
  const track = new EventTarget();
  const lost = vi.fn();
  onCameraLost(stream({}, track), lost);
  expect(lost).not.toHaveBeenCalled();
  track.dispatchEvent(new Event('ended'));
  expect(lost).toHaveBeenCalledOnce();
});

test.each([
  [null, { facingMode: { ideal: 'user' } }],
  ['b', { deviceId: { exact: 'b' } }],
])('asked for camera %s, a browser gets %j', async (id, wanted) => {
  const getUserMedia = vi.fn(async () => 'stream');
  vi.stubGlobal('navigator', { mediaDevices: { getUserMedia } });
  expect(await openCamera(id)).toBe('stream');
  expect(getUserMedia).toHaveBeenCalledWith({ audio: false, video: expect.objectContaining(wanted) });
});
