// Where the faces' labels go: each by its box, all of it in the picture, none on another.

export interface Rect {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Label {
  box: Rect;
  height: number;
  /** With everything on it, and with the least that says something. */
  widths: readonly [number, number];
}

export interface Spot extends Rect {
  isShort: boolean;
}

/**
 * Returns a place for each label, or null where there is none; larger boxes choose first.
 *
 * Tried are above the box, under it, and inside; first whole, then short.
 */
export function placeLabels(labels: readonly Label[], frame: { width: number; height: number }): (Spot | null)[] {
  const spots = new Map<Label, Spot>();
  const order = [...labels].sort((a, b) => b.box.width - a.box.width);
  for (const label of order) {
    const tried = label.widths.flatMap((width, i) =>
      placesOf(label, width, frame).map((place) => ({ ...place, isShort: i === 1 })),
    );
    const free = tried.find((place) => ![...spots.values()].some((other) => touches(place, other)));
    if (free) spots.set(label, free);
  }
  return labels.map((label) => spots.get(label) ?? null);
}

/** Returns the places in the frame, the best first. */
function placesOf({ box, height }: Label, width: number, frame: { width: number; height: number }): Rect[] {
  const [right, bottom] = [box.left + box.width, box.top + box.height];
  const inside = (top: number) => clamp(top, frame.height - height);
  const tops = [box.top - height, bottom].filter((top) => top >= 0 && top + height <= frame.height);
  tops.push(inside(box.top), inside(bottom - height));
  const lefts = [box.left, right - width].map((left) => clamp(left, frame.width - width));
  // A label reaches to the middle of the picture, where there is room.
  if (box.left + right > frame.width) lefts.reverse();
  return tops.flatMap((top) => lefts.map((left) => ({ left, top, width, height })));
}

function clamp(at: number, most: number): number {
  return Math.max(0, Math.min(at, most));
}

function touches(a: Rect, b: Rect): boolean {
  return (
    a.left < b.left + b.width &&
    b.left < a.left + a.width &&
    a.top < b.top + b.height &&
    b.top < a.top + a.height
  );
}
