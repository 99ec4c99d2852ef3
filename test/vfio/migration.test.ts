import t from 'tap';
import { VfioMigState } from '../../src/uapi/vfio-feature.js';
import { nextMigrationState } from '../../src/vfio/migration.js';
import { outcome } from '../drivers/opened.js';

const { ERROR, STOP, RUNNING, STOP_COPY, RESUMING, RUNNING_P2P, PRE_COPY, PRE_COPY_P2P } = VfioMigState;
const [STOPPING, P2P, PRE] = [1, 2, 4];
const ALL = STOPPING | P2P | PRE;

/** The states that a device goes through. */
function through(flags: number, from: number, to: number): number[] {
  const states: number[] = [];
  for (let state = from; state !== to; states.push(state)) state = nextMigrationState(flags, state, to);
  return states;
}

t.test('a device goes the shortest way', async (t) => {
  t.strictSame(through(ALL, RUNNING, STOP), [RUNNING_P2P, STOP]);
  t.strictSame(through(ALL, STOP, RUNNING), [RUNNING_P2P, RUNNING]);
  t.strictSame(through(ALL, RESUMING, RUNNING), [STOP, RUNNING_P2P, RUNNING]);
  t.strictSame(through(ALL, STOP_COPY, RESUMING), [STOP, RESUMING]);
  t.strictSame(through(ALL, PRE_COPY, STOP_COPY), [PRE_COPY_P2P, STOP_COPY]);
});

t.test('saving is not on the way of a device that is not being saved, nor on its way out', async (t) => {
  t.strictSame(through(ALL, RUNNING, STOP_COPY), [RUNNING_P2P, STOP, STOP_COPY]);
  t.strictSame(through(ALL, RUNNING, PRE_COPY_P2P), [RUNNING_P2P, PRE_COPY_P2P]);
  t.strictSame(through(ALL, RUNNING_P2P, PRE_COPY), [RUNNING, PRE_COPY]);
  t.strictSame(through(ALL, PRE_COPY, STOP), [RUNNING, RUNNING_P2P, STOP]);
  t.strictSame(through(ALL, PRE_COPY_P2P, STOP), [RUNNING_P2P, STOP]);
  t.strictSame(through(ALL, PRE_COPY_P2P, RUNNING), [RUNNING_P2P, RUNNING]);
  t.strictSame(through(ALL, PRE_COPY, RUNNING_P2P), [RUNNING, RUNNING_P2P]);
});

t.test('states that the device does not have are stepped over, and cannot be asked for', async (t) => {
  t.strictSame(through(STOPPING, RUNNING, STOP_COPY), [STOP, STOP_COPY]);
  t.strictSame(through(STOPPING | PRE, PRE_COPY, STOP_COPY), [STOP_COPY]);
  t.equal(
    outcome(() => nextMigrationState(STOPPING, RUNNING, RUNNING_P2P)),
    'EINVAL',
  );
  t.equal(
    outcome(() => nextMigrationState(STOPPING | P2P, RUNNING, PRE_COPY_P2P)),
    'EINVAL',
  );
});

t.test(
  'what was stopped and copied is not copied again while it runs; ERROR and others are no aim',
  async (t) => {
    for (const to of [PRE_COPY, PRE_COPY_P2P, ERROR, 8, 99, 0xffffffff]) {
      t.equal(
        outcome(() => nextMigrationState(ALL, STOP_COPY, to)),
        'EINVAL',
      );
    }
  },
);
