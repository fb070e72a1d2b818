// The camera: on only while it is wanted, and every way in which a browser refuses it, in words.

export type Facing = 'user' | 'environment';

/** There is no picture from a camera; the message says what to do. */
export class CameraError extends Error {}

const REASONS: Record<string, string> = {
  NotAllowedError:
    'The camera was not allowed. Allow it beside the address, then start again; or open an image.',
  NotFoundError: 'No camera was found. Plug one in and start again, or open an image.',
  NotReadableError: 'The camera is busy: another program uses it. Close that, then start again.',
  OverconstrainedError: 'This camera cannot be switched to. Open an image, or use the other one.',
};

/** Turns the camera on and shows it in a video element. */
export async function startCamera(video: HTMLVideoElement, facing: Facing): Promise<void> {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new CameraError('Browsers give the camera only to pages from HTTPS or from localhost.');
  }
  try {
    const size = { width: { ideal: 640 }, height: { ideal: 480 } };
    const wanted = { video: { facingMode: { ideal: facing }, ...size }, audio: false };
    video.srcObject = await navigator.mediaDevices.getUserMedia(wanted);
    await video.play();
  } catch (error) {
    stopCamera(video);
    const name = error instanceof DOMException ? error.name : '';
    throw new CameraError(REASONS[name] ?? `The camera does not start: ${String(error)}`);
  }
}

/** Turns the camera off: its light goes out. */
export function stopCamera(video: HTMLVideoElement): void {
  const stream = video.srcObject;
  if (stream instanceof MediaStream) stream.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
}

/** Calls back when the camera goes away while it is on. */
export function onCameraLost(video: HTMLVideoElement, lost: () => void): void {
  const stream = video.srcObject;
  if (!(stream instanceof MediaStream)) return;
  for (const track of stream.getVideoTracks()) track.addEventListener('ended', lost, { once: true });
}

/** Whether there is another camera to switch to; browsers say so once one was allowed. */
export async function hasSeveralCameras(): Promise<boolean> {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  return devices.filter((device) => device.kind === 'videoinput').length > 1;
}
