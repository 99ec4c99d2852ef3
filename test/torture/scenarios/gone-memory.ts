/**
 * A vGPU gets at memory that is not there any more: unmapped, protected, truncated, of a process that has ended or begun
 * another program. Right: the errno for each, and a daemon that lives.
 * @module
 */

import { warmUp } from '../beside.js';
import { makeDevice, removeDevice, uuidOf, VGPU } from '../devices.js';
import { checkLog, ledger } from '../place.js';
import { RunPlace } from '../run-place.js';
import type { Scenario } from '../scenario.js';

const TIMES = { brief: 1, long: 20 };
const PATIENCE_MS = 100_000;

const scenario: Scenario = {
  name: 'DMA at memory that went away is EFAULT or EPERM, and the daemon lives',
  limit: 2_000_000,
  async run(context, figures) {
    const place = await RunPlace.make(context);
    const node = await makeDevice(place, VGPU, 1);
    await warmUp(context, place, node, uuidOf(1));
    const program = await context.programs.path('gone-memory');
    const settle = ledger(place, figures);
    for (let time = 0; time < (context.brief ? TIMES.brief : TIMES.long); time++) {
      const client = await place.start([program, place.sys, place.dev, uuidOf(1), place.folder]);
      context.scope.defer(() => client.kill());
      if (!(await client.count(figures, PATIENCE_MS))) return;
    }
    await removeDevice(place, 1);
    await settle();
    checkLog(place, figures);
  },
};

export default scenario;
