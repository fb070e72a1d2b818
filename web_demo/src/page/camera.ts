// The camera: on only while it is wanted, and every way in which a browser refuses it, in words.

/** There is no picture from a camera; the message says what to do. */
export class CameraError extends Error {}

const SIZE = { width: { ideal: 640 }, height: { ideal: 480 } };
const REASONS: Record<string, string> = {
  NotAllowedError:
    'The camera was not allowed. Allow it beside the address, then start again; or open an image.',
  NotFoundError: 'No camera was found. Plug one in and start again, or open an image.',
  NotReadableError: 'The camera is busy: another program uses it. Close that, then start again.',
  OverconstrainedError: 'This camera cannot be switched to. Open an image, or use the other one.',
};

/** Turns a camera on: one of an id, or the one that looks at who holds the device. */
export async function openCamera(id: string | null): Promise<MediaStream> {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new CameraError('Browsers give the camera only to pages from HTTPS or from localhost.');
  }
  const which = id === null ? { facingMode: { ideal: 'user' } } : { deviceId: { exact: id } };
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { ...which, ...SIZE }, audio: false });
  } catch (error) {
    const name = error instanceof DOMException ? error.name : '';
    throw new CameraError(REASONS[name] ?? `The camera does not start: ${String(error)}`);
  }
}

/** Turns a camera off: its light goes out. */
export function closeCamera(stream: MediaStream | null): void {
  stream?.getTracks().forEach((track) => track.stop());
}

/** Calls back when a camera goes away while it is on. */
export function onCameraLost(stream: MediaStream, lost: () => void): void {
  for (const track of stream.getVideoTracks()) track.addEventListener('ended', lost, { once: true });
}

/** Returns what tells a camera from others. */
export function idOf(stream: MediaStream): string {
  return stream.getVideoTracks()[0]?.getSettings().deviceId ?? '';
}

/** Whether a camera looks away from who holds the device; then it is shown as it is. */
export function looksAway(stream: MediaStream): boolean {
  return stream.getVideoTracks()[0]?.getSettings().facingMode === 'environment';
}

/** Returns the camera after the one that is on, or null where there is no other. */
export async function nextCamera(stream: MediaStream): Promise<string | null> {
  const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
  const ids = devices.filter(({ kind }) => kind === 'videoinput').map(({ deviceId }) => deviceId);
  const at = ids.indexOf(idOf(stream));
  return ids.length > 1 ? ids[(at + 1) % ids.length]! : null;
}

/** Waits for the next frame of a video; where browsers do not tell, for the screen's. */
export function nextFrame(video: HTMLVideoElement): Promise<void> {
  return new Promise((resolve) => {
    if ('requestVideoFrameCallback' in video) video.requestVideoFrameCallback(() => resolve());
    else requestAnimationFrame(() => resolve());
  });
}
