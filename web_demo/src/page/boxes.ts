// The boxes over the picture, each with its label.

import type { Answer } from '../answers';
import type { Box } from '../crop';
import { colour, element } from './elements';
import { placeLabels, type Label } from './labels';
import { nameOf, percent } from './words';

export interface Shown {
  id: number;
  box: Box;
  answer: Answer;
}

const layer = element('boxes');
const frame = element('frame');

// Labels keep their size while the picture takes another.
new ResizeObserver(arrange).observe(layer);

/** Draws a box and a label round each face, in a picture of a size. */
export function showFaces(
  faces: readonly Shown[],
  [width, height]: [number, number],
  chosen: number,
): void {
  const mirrored = frame.classList.contains('mirrored');
  faces.forEach((face, i) => {
    const item = (layer.children[i] as HTMLElement | undefined) ?? layer.appendChild(newBox());
    place(item, face, { width, height, mirrored });
    item.classList.toggle('chosen', face.id === chosen && faces.length > 1);
  });
  while (layer.children.length > faces.length) layer.lastElementChild?.remove();
  arrange();
}

function newBox(): HTMLElement {
  const item = document.createElement('div');
  const label = document.createElement('span');
  label.append(document.createElement('b'), document.createElement('i'));
  item.append(label);
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
  const best = answer.probabilities.indexOf(Math.max(...answer.probabilities));
  item.style.setProperty('--colour', `var(${colour(best)})`);
  item.dataset['face'] = String(id);
  item.classList.toggle('unsure', answer.unsure);
  const [name, share] = item.firstElementChild!.children;
  name!.textContent = nameOf(answer);
  share!.textContent = ` ${percent(answer.probability, 0)}`;
}

/** Puts the labels where they can be read. */
function arrange(): void {
  const whole = layer.getBoundingClientRect();
  const items = [...layer.children] as HTMLElement[];
  for (const item of items) item.classList.remove('short', 'crowded');
  const labels = items.map((item) => labelIn(item, whole));
  placeLabels(labels, whole).forEach((spot, i) => {
    const [item, { box }] = [items[i]!, labels[i]!];
    item.classList.toggle('crowded', !spot);
    item.classList.toggle('short', !!spot?.isShort);
    if (!spot) return;
    const { style } = item.firstElementChild as HTMLElement;
    style.left = `${spot.left - box.left - item.clientLeft}px`; // from inside the box's edge
    style.top = `${spot.top - box.top - item.clientTop}px`;
  });
}

function labelIn(item: HTMLElement, whole: DOMRect): Label {
  const box = item.getBoundingClientRect();
  const label = item.firstElementChild!;
  const { width, height } = label.getBoundingClientRect();
  const share = label.lastElementChild!.getBoundingClientRect().width;
  return {
    box: { left: box.left - whole.left, top: box.top - whole.top, width: box.width, height: box.height },
    height,
    widths: [width, width - share],
  };
}
