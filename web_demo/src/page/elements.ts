// The page's elements and colours, by their names in index.html and style.css.

const COLOURS = 8; // --emotion-0 ... in the style sheet

/** Returns the element with an id, which index.html has. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no element #${id}.`);
  return found as T;
}

/** Returns the name of an emotion's colour in the style sheet. */
export function colour(emotion: number): string {
  return `--emotion-${emotion % COLOURS}`;
}

/** Returns the emotions' colours, of the light or the dark page. */
export function colours(): string[] {
  const style = getComputedStyle(document.documentElement);
  return Array.from({ length: COLOURS }, (_, i) => style.getPropertyValue(colour(i)).trim());
}
