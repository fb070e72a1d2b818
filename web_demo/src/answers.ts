// What a model's probabilities say, and how often is often: plain functions on numbers.

export interface Answer {
  /** Of each emotion, in the manifest's order; they sum to about 1. */
  probabilities: number[];
  /** The likeliest, also where the model is unsure of it. */
  emotion: string;
  probability: number;
  /** The probability is under the manifest's threshold. */
  unsure: boolean;
}

/** Returns what probabilities say. */
export function answerOf(
  probabilities: ArrayLike<number>,
  emotions: readonly string[],
  threshold: number | null,
): Answer {
  const [best] = topK(probabilities, 1);
  const probability = probabilities[best!]!;
  return {
    probabilities: Array.from(probabilities),
    emotion: emotions[best!]!,
    probability,
    unsure: threshold !== null && probability < threshold,
  };
}

/** Returns the places of the k largest, largest first; of equal ones the earlier first. */
export function topK(values: ArrayLike<number>, k: number): number[] {
  const places = Array.from(values, (_, place) => place);
  return places.sort((a, b) => values[b]! - values[a]! || a - b).slice(0, k);
}

/** Returns a quantile (0 to 1) by linear interpolation, NaN of nothing. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low === undefined || high === undefined ? NaN : low + (high - low) * (at % 1);
}

/** The last n numbers. */
export class Recent {
  private readonly kept: number[] = [];

  constructor(private readonly n: number) {}

  add(value: number): void {
    this.kept.push(value);
    if (this.kept.length > this.n) this.kept.shift();
  }

  clear(): void {
    this.kept.length = 0;
  }

  get values(): readonly number[] {
    return this.kept;
  }
}
