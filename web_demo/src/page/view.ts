// The only module that touches the page. Text goes in as text, never as HTML.

import type { Answer } from '../answers';
import type { Box } from '../crop';
import { Timeline } from './timeline';

export interface Shown {
  id: number;
  box: Box;
  answer: Answer;
}

const COLOURS = 8; // --emotion-0 ... in the style sheet

/** Returns the element with an id, which index.html has. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no element #${id}.`);
  return found as T;
}

export const video = element<HTMLVideoElement>('video');
export const still = element<HTMLCanvasElement>('still');
const frame = element('frame');
const boxes = element('boxes');
const bars = element('bars');

export const timeline = new Timeline(element<HTMLCanvasElement>('timeline'), () => {
  const style = getComputedStyle(document.documentElement);
  return Array.from({ length: COLOURS }, (_, i) => style.getPropertyValue(colour(i)).trim());
});

/** Shows the camera's video and the last half minute, or the still picture. */
export function showSource(which: 'video' | 'still', mirrored: boolean): void {
  video.hidden = which !== 'video';
  still.hidden = which !== 'still';
  element('past').hidden = which !== 'video';
  frame.classList.toggle('mirrored', mirrored);
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
  const counterpart = now.live ? pause : start;
  const hadFocus = [start, pause].includes(document.activeElement as HTMLElement);
  start.hidden = now.live;
  pause.hidden = element('mirror').hidden = !now.live;
  if (now.several !== null) element('switch').hidden = !now.several;
  element('mirror').setAttribute('aria-pressed', String(now.mirror));
  if (hadFocus) counterpart.focus();
}

/** Draws a still picture and gives the frame its shape. */
export function drawStill(picture: ImageBitmap): void {
  [still.width, still.height] = [picture.width, picture.height];
  still.getContext('2d')?.drawImage(picture, 0, 0);
  shapeFrame(picture.width, picture.height);
}

/** Gives the frame the shape of what it shows. */
export function shapeFrame(width: number, height: number): void {
  frame.style.aspectRatio = `${width} / ${height}`;
  frame.style.setProperty('--shape', String(width / height));
}

/** Draws a box and a label round each face, in a picture of a size. */
export function showFaces(
  faces: readonly Shown[],
  [width, height]: [number, number],
  chosen: number,
): void {
  const mirrored = frame.classList.contains('mirrored');
  const items = faces.map((face, i) => {
    const item = (boxes.children[i] as HTMLElement | undefined) ?? boxes.appendChild(newBox());
    place(item, face, { width, height, mirrored });
    item.classList.toggle('chosen', face.id === chosen && faces.length > 1);
    return item;
  });
  while (boxes.children.length > items.length) boxes.lastElementChild?.remove();
  separate(items);
}

/** Puts a label under its box where it would lie on an earlier one. */
function separate(items: readonly HTMLElement[]): void {
  const taken: DOMRect[] = [];
  for (const item of items) {
    const label = item.firstElementChild!;
    const place = label.getBoundingClientRect();
    if (taken.some((other) => touches(place, other))) item.classList.toggle('below');
    taken.push(label.getBoundingClientRect());
  }
}

function touches(a: DOMRect, b: DOMRect): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

function newBox(): HTMLElement {
  const item = document.createElement('div');
  item.append(document.createElement('span'));
  return item;
}

function place(
  item: HTMLElement,
  { id, box, answer }: Shown,
  size: { width: number; height: number; mirrored: boolean },
): void {
  const left = size.mirrored ? size.width - box.x - box.width : box.x;
  item.style.left = percent(left / size.width);
  item.style.top = percent(box.y / size.height);
  item.style.width = percent(box.width / size.width);
  item.style.height = percent(box.height / size.height);
  item.style.setProperty('--colour', `var(${colour(indexOf(answer))})`);
  item.dataset['face'] = String(id);
  item.classList.toggle('unsure', answer.unsure);
  item.classList.toggle('to-the-left', left + box.width / 2 > size.width / 2);
  item.classList.toggle('below', box.y < 0.1 * size.height);
  item.firstElementChild!.textContent = labelOf(answer);
}

/** Returns an answer as people read it: `happy 93%`, or `unsure, sad 41%`. */
export function labelOf(answer: Answer): string {
  const said = `${answer.emotion} ${Math.round(answer.probability * 100)}%`;
  return answer.unsure ? `unsure, ${said}` : said;
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

function headline(answer: Answer): string {
  const said = answer.unsure ? 'unsure' : answer.emotion;
  return said.charAt(0).toUpperCase() + said.slice(1);
}

function noteOf(answer: Answer, nFaces: number): string {
  const sure = percent(answer.probability, 0);
  const said = answer.unsure ? `perhaps ${answer.emotion}, ${sure}` : sure;
  return nFaces > 1 ? `${said} · the largest of ${nFaces} faces` : said;
}

/** Says something to screen readers, once. */
export function speak(text: string): void {
  const spoken = element('spoken');
  if (spoken.textContent !== text) spoken.textContent = text;
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

/** Lets people use what needs the model. */
export function enable(...ids: string[]): void {
  for (const id of ids) element<HTMLButtonElement>(id).disabled = false;
}

function indexOf(answer: Answer): number {
  return answer.probabilities.indexOf(Math.max(...answer.probabilities));
}

function colour(emotion: number): string {
  return `--emotion-${emotion % COLOURS}`;
}

/** Returns a share from 0 to 1 as per cent. */
export function percent(share: number, digits = 2): string {
  return `${(share * 100).toFixed(digits)}%`;
}
