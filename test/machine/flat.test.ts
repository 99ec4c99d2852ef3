import t from 'tap';
import { NumberedMap } from '../../src/lib/numbered-map.js';
import { Shell, typesOf, uuidOf } from '../mdev/machine.js';

const BIG = [
  '/dev/vfio',
  '/dev/vfio/devices',
  '/sys/bus/mdev/devices',
  '/sys/bus/mdev/drivers/mdpy',
  '/sys/class/vfio',
  '/sys/class/vfio-dev',
  '/sys/dev/char',
  '/sys/devices/virtual/mdpy/mdpy',
  '/sys/devices/virtual/vfio',
  '/sys/kernel/debug/vfio',
  '/sys/kernel/iommu_groups',
  `${typesOf('mdpy')}/mdpy-vga/devices`,
];

let steps = 0;

/** Counts the steps of all iterations over the entries of a kind of collection. */
function countSteps(prototype: object, ...methods: (string | symbol)[]): void {
  for (const method of methods) {
    const original = Reflect.get(prototype, method) as (this: unknown) => Iterator<unknown>;
    const counting = function (this: unknown) {
      const iterator = original.call(this);
      return {
        next: () => {
          steps++;
          return iterator.next();
        },
        return: () => iterator.return?.() ?? { done: true, value: undefined },
        [Symbol.iterator]() {
          return this;
        },
      };
    };
    Reflect.set(prototype, method, counting);
    t.teardown(() => Reflect.set(prototype, method, original));
  }
}

countSteps(Map.prototype, 'keys', 'values', 'entries', Symbol.iterator);
countSteps(Set.prototype, 'keys', 'values', 'entries', Symbol.iterator);
countSteps(NumberedMap.prototype, 'keys', 'values', 'entries');

/** Steps that a create, a look and a remove take on a machine of so many devices, before and after all are listed. */
function stepsWith(devices: number): number[] {
  const sh = new Shell();
  sh.machine.modprobe('mdpy', { count: String(devices + 1) });
  const create = `${typesOf('mdpy')}/mdpy-vga/create`;
  for (let n = 0; n < devices; n++) sh.echo(uuidOf(n), create);
  const counts: number[] = [];
  const counted = (operation: () => unknown) => {
    const before = steps;
    operation();
    counts.push(steps - before);
  };
  const [uuid, mdev] = [uuidOf(devices), `/sys/bus/mdev/devices/${uuidOf(devices)}`];
  for (const look of [false, true]) {
    if (look) for (const dir of BIG) sh.ls(dir);
    counted(() => sh.echo(uuid, create));
    counted(() => sh.cat(`${mdev}/vfio-dev/vfio${devices}/dev`));
    counted(() => sh.process.stat(`/dev/vfio/${devices}`));
    for (const dir of BIG) counted(() => sh.process.stat(dir));
    counted(() => sh.echo('1', `${mdev}/remove`));
  }
  return counts;
}

t.test(
  'create, lookup, stat and remove go through no list of devices, whoever has listed them',
  async (t) => {
    const few = stepsWith(10);
    t.ok(
      few.some((count) => count > 0),
      'steps are counted',
    );
    t.strictSame(stepsWith(2000), few);
    const before = steps;
    const sh = new Shell('mdpy');
    for (let n = 0; n < 4; n++) sh.echo(uuidOf(n), `${typesOf('mdpy')}/mdpy-vga/create`);
    for (const dir of BIG) t.ok(sh.ls(dir).length >= 4, `${dir} is one of the big directories`);
    t.ok(steps > before);
  },
);
