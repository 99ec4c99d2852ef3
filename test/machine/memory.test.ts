import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { parseFixture } from '../../src/machine/fixture.js';
import { Machine } from '../../src/machine/machine.js';
import { uuidOf } from '../mdev/machine.js';

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

const heap = () => {
  collect();
  return process.memoryUsage().heapUsed;
};

/** Bytes of heap for each of a number of new devices. */
function costOfEach(machine: Machine, type: string, devices: number): number {
  const shell = machine.process();
  const create = shell.open(`${type}/create`, 1);
  const before = heap();
  for (let n = 0; n < devices; n++) shell.write(create, Buffer.from(uuidOf(n)));
  return (heap() - before) / devices;
}

// A hash table is largest for its entries when it has just been doubled, as for 70,000 of them.
for (const devices of [10_000, 70_000, 100_000]) {
  t.test(`each of ${devices} devices that nobody looks at costs under 1,000 bytes of heap`, async (t) => {
    const machine = new Machine();
    machine.modprobe('mdpy', { count: String(devices) });
    const each = costOfEach(machine, '/sys/class/mdev_bus/mdpy/mdev_supported_types/mdpy-vga', devices);
    t.comment(`${Math.round(each)} bytes of heap for each of ${devices} devices`);
    t.ok(each < 1000, `${each} bytes`);
    t.equal(machine.iommu.groups.size, devices);
  });
}

t.test('a vGPU costs no more', async (t) => {
  const devices = 20_000;
  const fixture = parseFixture(readFileSync('fixtures/nvidia-t4.json', 'utf8'), 'nvidia-t4.json');
  for (const { types } of fixture.vgpus) for (const type of types) type.instances = devices;
  const machine = Machine.fromFixture(fixture);
  const groups = machine.iommu.groups.size;
  const type = '/sys/class/mdev_bus/0000:3b:00.0/mdev_supported_types/nvidia-222';
  const each = costOfEach(machine, type, devices);
  t.comment(`${Math.round(each)} bytes of heap for each of ${devices} vGPUs`);
  t.ok(each < 1000, `${each} bytes`);
  t.equal(machine.iommu.groups.size - groups, devices);
});
