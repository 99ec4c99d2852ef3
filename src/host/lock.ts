/**
 * A lock between processes that is free again when its holder dies: an abstract socket address, which only one
 * process can be bound to (unix(7)).
 * @module
 */

import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const RETRY_MS = 50;

function bind(address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(`\0${address}`, () => resolve(server));
  });
}

/**
 * Takes the lock of a name for the rest of this process's life.
 * @returns false when another process has it
 */
export async function takeLock(name: string): Promise<boolean> {
  const server = await bind(`mdevfs:${name}`);
  server?.unref();
  return server !== undefined;
}

/** Runs `body` while no other process on this machine runs one under the same name; waits for its turn. */
export async function withLock<T>(name: string, body: () => Promise<T>): Promise<T> {
  let server: Server | undefined;
  while (!server) {
    server = await bind(`mdevfs:${name}`);
    if (!server) await sleep(RETRY_MS);
  }
  try {
    return await body();
  } finally {
    server.close();
  }
}
