/**
 * The process that replays recordings by way of callers inside of `mdevfs run` (caller/caller.ts). Each case has a caller
 * of its own, so that it begins without files and with memory that nobody used.
 * @module
 */

import { CallerProcess } from './caller/caller.js';
import { callerSys } from './caller/caller-sys.js';
import { mountHost, reset } from './mount-host.js';
import { replayCase, type StepResult } from './steps.js';
import { answerTasks, type Task } from './worker-process.js';

const first = new CallerProcess(process.argv[2]!);
const own = callerSys(first);
const host = mountHost(own);

async function work(task: Task): Promise<StepResult[]> {
  if (task.do !== 'case') throw new Error('snapshots of a whole machine are not replayed in a part of one');
  reset(own, host, task.modules);
  const caller = first.fork();
  try {
    return await replayCase({ sys: callerSys(caller), host, over: 'run' }, task.recording);
  } finally {
    caller.end();
  }
}

answerTasks(work);
