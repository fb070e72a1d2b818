// The last half minute as a ribbon: the probabilities stacked, one colour an emotion.

const SPAN_MS = 30_000;
const GAP_MS = 1_500; // longer without a reading is a gap

interface Moment {
  ms: number;
  probabilities: readonly number[];
}

/** Keeps what was read, and draws it. */
export class Timeline {
  private moments: Moment[] = [];

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly colours: () => string[],
  ) {}

  add(probabilities: readonly number[], ms: number): void {
    this.moments.push({ ms, probabilities });
    this.moments = this.moments.filter((moment) => ms - moment.ms <= SPAN_MS);
  }

  clear(): void {
    this.moments = [];
  }

  /** Returns the mean of each probability over what is kept. */
  means(): number[] {
    const n = this.moments.length;
    const sums = this.moments[0]?.probabilities.map((_, emotion) =>
      this.moments.reduce((sum, { probabilities }) => sum + probabilities[emotion]!, 0),
    );
    return sums?.map((sum) => sum / n) ?? [];
  }

  draw(nowMs: number): void {
    const { canvas, moments } = this;
    const context = canvas.getContext('2d');
    if (!context) return;
    const [width, height] = fit(canvas);
    context.clearRect(0, 0, width, height);
    const colours = this.colours();
    // Whole pixels: columns that share one would be striped where both are half of it.
    const x = (ms: number) => Math.round(width * (1 - (nowMs - ms) / SPAN_MS));
    moments.forEach((moment, i) => {
      const next = moments[i + 1]?.ms ?? nowMs;
      const end = Math.min(next, moment.ms + GAP_MS);
      let sum = 0;
      moment.probabilities.forEach((probability, emotion) => {
        context.fillStyle = colours[emotion % colours.length]!;
        const bottom = Math.round(height * (1 - sum));
        sum += probability;
        const top = Math.round(height * (1 - sum));
        context.fillRect(x(moment.ms), top, x(end) - x(moment.ms), bottom - top);
      });
    });
  }
}

/** Gives a canvas the pixels that the screen shows of it. */
function fit(canvas: HTMLCanvasElement): [number, number] {
  const box = canvas.getBoundingClientRect();
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(box.width * scale), Math.round(box.height * scale)];
  if (width > 0 && (canvas.width !== width || canvas.height !== height)) {
    [canvas.width, canvas.height] = [width, height];
  }
  return [canvas.width, canvas.height];
}
