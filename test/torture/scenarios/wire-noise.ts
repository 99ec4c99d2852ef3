/**
 * Random FUSE messages for the protocol layer, in memory. Right: an answer to each is well formed and has an errno of a
 * kernel, what says a wrong length is dropped, and nothing is a fault of the emulation.
 * @module
 */

import { fileURLToPath } from 'node:url';
import { startProgram } from '../mount-place.js';
import type { Scenario } from '../scenario.js';
import { scratchFolder } from '../scratch.js';

const program = fileURLToPath(new URL('../wire-noise.js', import.meta.url));
const MESSAGES = { brief: 50_000, long: 1_000_000 };
const PATIENCE_MS = 230_000;

const scenario: Scenario = {
  name: 'random FUSE messages are answered by errnos, or dropped',
  async run({ scope, brief, seed }, figures) {
    const messages = brief ? MESSAGES.brief : MESSAGES.long;
    const words = [process.execPath, program, String(messages), String(seed)];
    const client = await startProgram(scratchFolder(scope), words, { as: 'a hostile kernel' });
    scope.defer(() => client.kill());
    await client.count(figures, PATIENCE_MS);
    figures.notes.push(...client.said);
  },
};

export default scenario;
