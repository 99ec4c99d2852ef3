import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { mdevfs, mountpoint, plain, statusOf } from './command.js';
import { noMounts } from './mounted.js';

const noiseFile = fileURLToPath(new URL('./noise.js', import.meta.url));
const type = 'class/mdev_bus/mtty/mdev_supported_types/mtty-1';
const watched = [
  'bus/mdev/devices',
  `${type}/devices`,
  'class/vfio',
  'devices/virtual/mtty/mtty',
  'dev/char',
];
const CYCLES = 10_000;
const NOISE = 5;

t.test(
  'nobody ever sees what is not so any more',
  { skip: noMounts() ?? false, timeout: 600_000 },
  async (t) => {
    const dir = mountpoint(t);
    t.equal(mdevfs('mount', '-f', 'samples', dir).status, 0);
    const at = (path: string) => join(dir, path);
    const noise = Array.from({ length: NOISE }, (_, seed) =>
      spawn('env', [...plain, process.execPath, noiseFile, dir, String(seed), ...watched], {
        stdio: ['pipe', 'inherit', 'inherit'],
      }),
    );
    t.teardown(() => {
      for (const child of noise) child.kill('SIGKILL');
    });
    const faults: string[] = [];
    const expect = (what: string, good: boolean) => {
      if (!good) faults.push(what);
    };
    for (let cycle = 0; cycle < CYCLES && faults.length < 10; cycle++) {
      const uuid = `83b8f4f2-509f-382f-3c1e-${(cycle % 4).toString(16).padStart(12, '0')}`;
      const device = at(`bus/mdev/devices/${uuid}`);
      writeFileSync(at(`${type}/create`), uuid);
      expect(`${cycle}: created, not found`, existsSync(`${device}/remove`));
      expect(`${cycle}: created, not in its type`, existsSync(at(`${type}/devices/${uuid}`)));
      expect(`${cycle}: created, not listed`, readdirSync(at('bus/mdev/devices')).includes(uuid));
      expect(`${cycle}: no group`, readdirSync(at('class/vfio')).length === 1);
      expect(
        `${cycle}: counted wrongly`,
        readFileSync(at(`${type}/available_instances`), 'latin1') === '23\n',
      );
      writeFileSync(`${device}/remove`, '1');
      expect(`${cycle}: removed, still found`, !existsSync(device));
      expect(`${cycle}: removed, still found below`, !existsSync(`${device}/remove`));
      expect(`${cycle}: removed, still in its parent`, !existsSync(at(`devices/virtual/mtty/mtty/${uuid}`)));
      expect(`${cycle}: removed, still listed`, readdirSync(at(`${type}/devices`)).length === 0);
      expect(`${cycle}: the group stays`, readdirSync(at('class/vfio')).length === 0);
    }
    t.same(faults, []);
    for (const [seed, child] of noise.entries()) t.equal(child.exitCode, null, `noise ${seed} goes on`);
    t.equal(statusOf(dir)?.state, 'served');
  },
);
