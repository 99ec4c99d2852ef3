/**
 * Middle values. A median is not moved by the few measurements during which somebody else had the processor; a ratio
 * of two measurements of the same round is not moved by a machine that gets slower from round to round.
 * @module
 */

/** @returns undefined for no values */
export function median(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * The value that a part of all values is not above.
 * @param part such as 0.1
 * @returns undefined for no values
 */
export function quantile(values: readonly number[], part: number): number | undefined {
  return [...values].sort((a, b) => a - b)[Math.max(0, Math.ceil(values.length * part) - 1)];
}

/**
 * How many times faster one is than another, round by round, in the median.
 * @param times of the one, by round
 * @param baseline of the other, by round
 * @returns undefined when they have no round in common
 */
export function speedRatio(
  times: ReadonlyMap<number, number>,
  baseline: ReadonlyMap<number, number>,
): number | undefined {
  const ratios: number[] = [];
  for (const [round, time] of times) {
    const other = baseline.get(round);
    if (other !== undefined && time > 0) ratios.push(other / time);
  }
  return median(ratios);
}
