/**
 * What a run of the scenarios says.
 * @module
 */

import { duration, table, thousands } from '../bench/table.js';
import type { Outcome } from './runner.js';
import { isRight } from './scenario.js';

const megabytes = (kilobytes: number): string =>
  kilobytes === 0 ? '' : `${Math.round(kilobytes / 1024)} MB`;

const HEAD = [
  'scenario',
  'right',
  'operations',
  'kills',
  'stale',
  'hung',
  'leaked',
  'worst wait',
  'RSS at start',
  'at end',
  'took',
];

export function figuresTable(outcomes: ReadonlyMap<string, Outcome>): string {
  const rows = [...outcomes].map(([name, { figures, seconds }]) => [
    name,
    isRight(figures) ? 'yes' : 'NO',
    ...[figures.operations, figures.kills, figures.stale, figures.hung, figures.leaked].map(thousands),
    figures.worst === 0 ? '' : duration(figures.worst * 1e6),
    ...figures.rss.map(megabytes),
    duration(seconds * 1e9),
  ]);
  return table(HEAD, rows, 2);
}

/** What was wrong, and what else was noted, of one scenario. */
export function findings({ figures }: Outcome): string[] {
  return [...figures.wrong.map((text) => `wrong: ${text}`), ...figures.notes];
}
