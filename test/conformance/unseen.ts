/**
 * Does what the recorder did without writing it down (`unrecorded.ts` says what that was).
 * @module
 */

import { asleep, type Sleeps } from '../../src/lib/sleep.js';
import type { StepContext } from './exceptions.js';
import { writeFile } from './ops/operation.js';
import type { Run } from './run.js';
import type { UnrecordedAction } from './unrecorded.js';

const MAP_SHARED = 1;
const PAGE = 4096;

/** What the recorder did unseen. If it fails here, the steps that follow will tell. */
export function quietly(run: Run, action: UnrecordedAction, context: StepContext): Sleeps<unknown> {
  const ignore = (): void => {};
  try {
    if (action.do !== 'create' && action.do !== 'remove') return inPassing(run, action);
    const [path, text] =
      action.do === 'create'
        ? [`${action.type}/create`, action.uuid]
        : [`/sys/bus/mdev/devices/${action.uuid}/remove`, '1'];
    const written = writeFile(run.sys, path, 1, Buffer.from(text));
    return asleep(written) ? written.catch(ignore) : written;
  } catch {
    context.withoutDev ||= action.do === 'hold';
    return undefined;
  }
}

/** Other things that the recorder did to its files between two steps. */
function inPassing(run: Run, action: Exclude<UnrecordedAction, { do: 'create' | 'remove' }>): unknown {
  switch (action.do) {
    case 'hold':
      return run.hold(run.sys.open(action.path, action.flags));
    case 'chmod':
      return run.sys.chmod(action.path, action.mode);
    case 'chdir':
      return run.call('chdir')(action.path);
    case 'dup':
      return run.name(action.name, run.call('dup')(run.peek(action.fd)));
    case 'close':
      run.sys.close(run.peek(action.fd));
      return run.forget(action.fd);
    case 'fork':
      return run.children.push(run.call('fork')());
    case 'exit':
      return run.children.pop()?.exit();
    case 'map':
      run.mapping = run.call('mapFile')(run.peek(action.fd), MAP_SHARED, PAGE, action.offset);
      return run.call('memory')().write(run.mapping, Buffer.from(action.text));
    case 'unmap':
      run.call('munmap')(run.mapping ?? 0n);
      run.mapping = undefined;
      return undefined;
    case 'list':
      return run
        .call('memory')()
        .write(run.list ?? 0n, rangeList(action.ranges));
  }
}

function rangeList(ranges: readonly (readonly [bigint, bigint])[]): Buffer {
  return Buffer.from(BigUint64Array.from(ranges.flat()).buffer);
}
