/**
 * A process of its own for the server of a mount: started from the command line, detached from its terminal,
 * and reporting through a pipe on descriptor 3 whether it came up. The command that starts it may then look at
 * the mount, which the server itself never may.
 * @module
 */

import { spawn } from 'node:child_process';
import { closeSync, writeSync } from 'node:fs';
import { openLog } from './record.js';

const READY_FD = 3;
const READY_VARIABLE = 'MDEVFS_READY_FD';

/** How long a daemon may take to end. */
const ENDS_MS = 5000;

/** What a daemon reports. */
export interface Report {
  /** Lines for standard error; none when the tree is mounted. */
  faults: string[];
  exitCode: number;
}

/**
 * Starts this program again as a daemon and waits for its report.
 * @param args command line after the script
 * @param logFile takes what the daemon writes to standard output and error
 */
export function startDaemon(args: string[], logFile: string): Promise<Report & { pid: number }> {
  const log = openLog(logFile);
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log, 'pipe'],
    env: { ...process.env, [READY_VARIABLE]: String(READY_FD) },
  });
  closeSync(log);
  child.unref();
  return new Promise((resolve, reject) => {
    let text = '';
    const pipe = child.stdio[READY_FD] as NodeJS.ReadableStream;
    pipe.on('data', (data: Buffer) => {
      text += data.toString();
    });
    // The pipe ends when the daemon closes it after its report, or dies before.
    pipe.on('end', () => {
      const report: Report = text
        ? (JSON.parse(text) as Report)
        : { faults: [`the daemon died while it started; see ${logFile}`], exitCode: 1 };
      const done = () => resolve({ ...report, pid: child.pid! });
      // One that could not come up is gone before anybody is told so.
      if (report.faults.length > 0 && child.exitCode === null && child.signalCode === null) {
        const timer = setTimeout(done, ENDS_MS);
        child.on('exit', () => {
          clearTimeout(timer);
          done();
        });
      } else done();
    });
    child.on('error', reject);
  });
}

/** Whether somebody waits for this process to report. */
export function isStartedDaemon(): boolean {
  return process.env[READY_VARIABLE] !== undefined;
}

/** Reports to whoever started this process as a daemon; does nothing when nobody did. */
export function reportToStarter(report: Report): boolean {
  if (!isStartedDaemon()) return false;
  const fd = Number(process.env[READY_VARIABLE]);
  delete process.env[READY_VARIABLE];
  writeSync(fd, JSON.stringify(report));
  closeSync(fd);
  return true;
}
