import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { Machine } from '../../src/machine/machine.js';
import { uuidOf } from '../mdev/machine.js';

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

const heap = () => {
  collect();
  return process.memoryUsage().heapUsed;
};

t.test('a device that nobody looks at costs under 3 KB of heap', async (t) => {
  const devices = 10_000;
  const machine = new Machine();
  machine.modprobe('mdpy', { count: String(devices) });
  const shell = machine.process();
  const create = shell.open('/sys/class/mdev_bus/mdpy/mdev_supported_types/mdpy-vga/create', 1);
  const before = heap();
  for (let n = 0; n < devices; n++) shell.write(create, Buffer.from(uuidOf(n)));
  const each = (heap() - before) / devices;
  t.comment(`${Math.round(each)} bytes of heap for each of ${devices} devices`);
  t.ok(each < 3072, `${each} bytes`);
  t.equal(machine.iommu.groups.size, devices);
});
