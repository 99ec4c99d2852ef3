/**
 * The process that touches a mount under test: it gets recordings from its parent, replays them with real
 * system calls and sends back what came. The parent never touches the mount, so that it can end this process
 * when a call does not return.
 * @module
 */

import { walkFamily } from './bench.js';
import type { Transport } from './host.js';
import { libc } from './libc/libc.js';
import { mountHost, reset } from './mount-host.js';
import { replayCase } from './steps.js';
import { answerTasks, type Task } from './worker-process.js';

const [directory, over] = process.argv.slice(2) as [string, Transport];
const sys = libc(directory);
const host = mountHost(sys);
const system = { sys, host, over };

async function work(task: Task): Promise<unknown> {
  if (task.do === 'family') return walkFamily(system, { ...task.family, states: new Map(task.states) });
  reset(sys, host, task.modules);
  return replayCase(system, task.recording);
}

answerTasks(work);
