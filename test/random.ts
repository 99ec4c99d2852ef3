/**
 * Random numbers that are the same in every run.
 * @module
 */

import { random as fractions } from '../src/lib/random.js';

/** @returns a function that returns whole numbers below its argument */
export function random(seed: number): (below: number) => number {
  const next = fractions(seed);
  return (below) => Math.floor(next() * below);
}
