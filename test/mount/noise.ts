/**
 * A process that looks at directories all the time: `node noise.js DIR SEED PATH...`. It looks names up that are there,
 * are not, and come and go, and lists directories, so that their locks are rarely free and their caches always full.
 * It ends when its standard input does.
 * @module
 */

import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const [dir, seed, ...paths] = process.argv.slice(2);
let random = Number(seed) + 1;
const next = (below: number): number => {
  random = (Math.imul(random, 1103515245) + 12345) >>> 0;
  return (random >>> 8) % below;
};

process.stdin.on('end', () => process.exit(0)).resume();

function look(): void {
  for (let n = 0; n < 50; n++) {
    const path = join(dir!, paths[next(paths.length)]!);
    switch (next(4)) {
      case 0:
        readdirSync(path);
        break;
      case 1:
        existsSync(join(path, `83b8f4f2-509f-382f-3c1e-${next(4).toString(16).padStart(12, '0')}`));
        break;
      case 2:
        existsSync(join(path, `missing-${next(1000)}`));
        break;
      case 3:
        lstatSync(path);
    }
  }
  setImmediate(look);
}

look();
