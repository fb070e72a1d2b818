// The only module that touches the page. Text goes in as text, never as HTML.

import type { Answer } from '../answers';
import { colour, colours, element } from './elements';
import { Timeline } from './timeline';
import { headline, noteOf, percent } from './words';

export { showFaces, type Shown } from './boxes';
export { element } from './elements';

export const video = element<HTMLVideoElement>('video');
export const still = element<HTMLCanvasElement>('still');
const frame = element('frame');
const bars = element('bars');

export const timeline = new Timeline(element<HTMLCanvasElement>('timeline'), colours);

/** How far the page is: what needs a model cannot be used without. */
export function showStart(state: 'loading' | 'failed' | 'ready'): void {
  const [again, camera] = [element('again'), element('camera')];
  const hadFocus = document.activeElement === again;
  const failed = state === 'failed';
  showBusy(!failed);
  showHint({ loading: 'Loading the model…', failed: 'Without a model nothing is read here.', ready: '' }[state]);
  element('top').textContent = failed ? 'No model' : '–';
  if (state !== 'loading') again.hidden = !failed; // it keeps the focus while it is tried again
  element('drop').hidden = camera.hidden = !again.hidden;
  for (const id of NEED_MODEL) element<HTMLButtonElement>(id).disabled = state !== 'ready';
  if (hadFocus && again.hidden) camera.focus();
}

const NEED_MODEL = ['camera', 'open', 'sample', 'engine', 'compare', 'copy'];

/** Shows the camera's video or the still picture. */
export function showSource(which: 'video' | 'still', mirrored: boolean): void {
  video.hidden = which !== 'video';
  still.hidden = which !== 'still';
  frame.classList.toggle('mirrored', mirrored);
}

/** Shows the last half minute, or not. */
export function showPast(shown: boolean): void {
  element('past').hidden = !shown;
}

/** Makes the camera's frame the still picture. */
export function keepFrame(): void {
  [still.width, still.height] = [video.videoWidth, video.videoHeight];
  still.getContext('2d')?.drawImage(video, 0, 0);
}

/** Says whether the picture that is shown is still to be read. */
export function showBusy(busy: boolean): void {
  frame.setAttribute('aria-busy', String(busy));
}

/** Shows the buttons that make sense; null leaves one as it is. */
export function showControls(now: { live: boolean; several: boolean | null; mirror: boolean }): void {
  const [start, pause] = [element('camera'), element('pause')];
  const focused = document.activeElement as HTMLElement | null;
  start.hidden = now.live;
  pause.hidden = element('mirror').hidden = !now.live;
  if (now.several !== null) element('switch').hidden = !now.several;
  element('mirror').setAttribute('aria-pressed', String(now.mirror));
  if (focused?.hidden) (now.live ? pause : start).focus();
}

/** Draws a still picture and gives the frame its shape. */
export function drawStill(picture: ImageBitmap): void {
  [still.width, still.height] = [picture.width, picture.height];
  still.getContext('2d')?.drawImage(picture, 0, 0);
  shapeFrame(picture.width, picture.height);
}

/** Gives the frame the shape of what it shows. */
export function shapeFrame(width: number, height: number): void {
  frame.style.setProperty('--shape', String(width / height));
}

/** Makes a bar for each emotion. */
export function buildBars(emotions: readonly string[]): void {
  bars.replaceChildren(
    ...emotions.map((emotion, i) => {
      const row = document.createElement('li');
      const [name, track, value] = ['span', 'span', 'span'].map((tag) => document.createElement(tag));
      name!.textContent = emotion;
      track!.className = 'track';
      track!.append(document.createElement('i'));
      value!.className = 'value';
      row.style.setProperty('--colour', `var(${colour(i)})`);
      row.append(name!, track!, value!);
      return row;
    }),
  );
}

/** Shows the chosen face's probabilities, or that there is none. */
export function showReading(answer: Answer | null, nFaces: number): void {
  element('top').textContent = answer ? headline(answer) : 'No face';
  element('top-note').textContent = answer ? noteOf(answer, nFaces) : 'Nobody is in the picture.';
  [...bars.children].forEach((row, i) => {
    const share = answer?.probabilities[i] ?? 0;
    (row.children[1]!.firstElementChild as HTMLElement).style.width = percent(share);
    row.children[2]!.textContent = answer ? percent(share, 0) : '';
    row.classList.toggle('top-row', !!answer && indexOf(answer) === i);
  });
}

/** Says something to screen readers, once. */
export function speak(text: string): void {
  const spoken = element('spoken');
  if (spoken.textContent !== text) spoken.textContent = text;
}

/** Says what the picture and the last half minute show, to who asks for it and sees neither. */
export function describe(picture: string, past: string): void {
  const [now, then] = ['The picture that is read', 'The last 30 seconds'];
  still.ariaLabel = video.ariaLabel = `${now}: ${picture}`;
  element('timeline').ariaLabel = past ? `${then}: ${past}` : then;
}

/** Shows a line over the picture, or none. */
export function showHint(text: string): void {
  element('hint').textContent = text;
  element('hint').hidden = text === '';
}

/** Shows what went wrong and what to do, or takes it away. */
export function showTrouble(text: string): void {
  element('trouble').textContent = text;
  element('trouble').hidden = text === '';
}

/** Shows what is going on, at the panel's end. */
export function showStatus(text: string): void {
  element('status').textContent = text;
}

/** Tells whether something is said there. */
export function hasStatus(): boolean {
  return element('status').textContent !== '';
}

/** Shows names and values as a list. */
export function showFacts(facts: readonly [string, string][]): void {
  const list = element('facts');
  facts.forEach(([name, value], i) => {
    const row = list.children[i] ?? list.appendChild(newFact());
    if (row.children[0]!.textContent !== name) row.children[0]!.textContent = name;
    if (row.children[1]!.textContent !== value) row.children[1]!.textContent = value;
  });
  while (list.children.length > facts.length) list.lastElementChild?.remove();
}

function newFact(): HTMLElement {
  const row = document.createElement('div');
  row.append(document.createElement('dt'), document.createElement('dd'));
  return row;
}

/** Shows a table; the first row is its head, the first column names the rows. */
export function showTable(id: string, caption: string, rows: readonly (readonly string[])[]): void {
  const table = document.createElement('table');
  table.createCaption().textContent = caption;
  rows.forEach((cells, i) => {
    const row = table.insertRow();
    cells.forEach((text, j) => {
      const cell = row.appendChild(document.createElement(i === 0 || j === 0 ? 'th' : 'td'));
      cell.textContent = text;
      if (i === 0 || j === 0) cell.setAttribute('scope', i === 0 ? 'col' : 'row');
    });
  });
  element(id).replaceChildren(table);
  element(id).hidden = false;
}

function indexOf(answer: Answer): number {
  return answer.probabilities.indexOf(Math.max(...answer.probabilities));
}

/** Returns the size of the camera's picture. */
export function videoSize(): [number, number] {
  return [video.videoWidth, video.videoHeight];
}

/** Returns the size of the still picture. */
export function stillSize(): [number, number] {
  return [still.width, still.height];
}
