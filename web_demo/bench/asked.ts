// What the address asks for.

const query = new URLSearchParams(location.search);

export function asked(name: string): string {
  const value = query.get(name);
  if (value === null) throw new Error(`expected ?${name}=… in the address`);
  return value;
}

/** Returns the picture that everything is timed on. */
export async function askedPicture(): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = asked('picture');
  await image.decode();
  return image;
}
