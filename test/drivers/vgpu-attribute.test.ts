import t from 'tap';
import type { FixtureInput } from '../../src/machine/fixture.js';
import { errnoOf, Host, uuidOf } from '../pci/host.js';

const PARENT = '/sys/devices/pci0000:00/0000:00:02.0';
const TYPES = `${PARENT}/mdev_supported_types`;

function host(change: Partial<NonNullable<FixtureInput['vgpus']>[number]> = {}): Host {
  return new Host({
    name: 'x',
    modules: ['m'],
    pci: { functions: [{ address: '0000:00:02.0', vendor: '1234', device: '5678', class: '030000' }] },
    vgpus: [
      {
        module: 'm',
        pciDriver: 'p',
        mdevDriver: 'p-mdev',
        ids: ['1234:5678'],
        policy: { rule: 'perType' },
        parentAttributes: {
          firmware: '{parent} runs 1.2\n',
          'tuning/level': { content: '3\n', mode: '0644', pattern: '[0-9]' },
          reload: { mode: '0200', pattern: 'now' },
        },
        attributes: { shared: 'of all\n', 'vendor/id': '{number} {uuid} {type} {parent} {other}\n' },
        types: [
          { name: 'a', instances: 4, typeAttributes: { weight: '{type} {parent}\n' } },
          {
            name: 'b',
            instances: 4,
            attributes: { shared: 'of b\n', 'vendor/kick': { mode: '0200' } },
            typeAttributes: { 'limits/fps': { content: '60\n', mode: '0644', pattern: '\\d+' } },
          },
        ],
        ...change,
      },
    ],
  });
}

const device = (n: number) => `/sys/bus/mdev/devices/${uuidOf(n)}`;
const create = (on: Host, n: number, type: string) => on.echo(uuidOf(n), `${TYPES}/p-${type}/create`);

t.test('a parent has attributes while it is one', async (t) => {
  const on = host();
  t.equal(on.cat(`${PARENT}/firmware`), '0000:00:02.0 runs 1.2');
  t.equal(on.echoErrno('9', `${PARENT}/tuning/level`), undefined);
  t.equal(on.cat(`${PARENT}/tuning/level`), '9');
  t.equal(on.echoErrno('10', `${PARENT}/tuning/level`), 'EINVAL');
  t.equal(
    errnoOf(() => on.echo('x', `${PARENT}/firmware`)),
    'EACCES',
  );
  await on.echo('0000:00:02.0', `${PARENT}/driver/unbind`);
  t.strictSame(
    ['firmware', 'tuning', 'reload'].filter((name) => on.exists(`${PARENT}/${name}`)),
    [],
  );
  on.echo('0000:00:02.0', '/sys/bus/pci/drivers/p/bind');
  t.equal(on.cat(`${PARENT}/tuning/level`), '3', 'forgotten');
});

t.test('what can only be written cannot be read', async (t) => {
  const on = host();
  t.equal(
    errnoOf(() => on.cat(`${PARENT}/reload`)),
    'EACCES',
  );
  t.equal(on.echoErrno('now', `${PARENT}/reload`), undefined);
  t.equal(on.echoErrno('later', `${PARENT}/reload`), 'EINVAL');
});

t.test('types have attributes of their own', async (t) => {
  const on = host();
  t.equal(on.cat(`${TYPES}/p-a/weight`), 'p-a 0000:00:02.0');
  t.notOk(on.exists(`${TYPES}/p-b/weight`));
  t.equal(on.echoErrno('30', `${TYPES}/p-b/limits/fps`), undefined);
  t.equal(on.cat(`${TYPES}/p-b/limits/fps`), '30');
  t.equal(on.echoErrno('fast', `${TYPES}/p-b/limits/fps`), 'EINVAL');
});

t.test('devices have those of all types, and those of their own type before them', async (t) => {
  const on = host();
  create(on, 1, 'a');
  create(on, 2, 'b');
  t.equal(on.cat(`${device(1)}/shared`), 'of all');
  t.equal(on.cat(`${device(2)}/shared`), 'of b');
  t.strictSame(
    [1, 2].map((n) => on.ls(`${device(n)}/vendor`)),
    [['id'], ['id', 'kick']],
  );
  t.equal(on.cat(`${device(2)}/vendor/id`), `2 ${uuidOf(2)} p-b 0000:00:02.0 {other}`);
});

t.test('a device has the lowest number from 1 that no other of the parent has', async (t) => {
  const on = host();
  for (const n of [1, 2, 3]) create(on, n, 'a');
  on.echo('1', `${device(2)}/remove`);
  create(on, 4, 'b');
  create(on, 5, 'b');
  const numbers = [1, 3, 4, 5].map((n) => on.cat(`${device(n)}/vendor/id`).split(' ')[0]);
  t.strictSame(numbers, ['1', '3', '2', '4']);
});

t.test('what was written to a device is forgotten when it is made anew', async (t) => {
  const on = host({ attributes: { p: { content: 'first\n', mode: '0644' } } });
  create(on, 1, 'a');
  on.echo('second', `${device(1)}/p`);
  t.equal(on.cat(`${device(1)}/p`), 'second');
  on.echo('1', `${device(1)}/remove`);
  create(on, 1, 'a');
  t.equal(on.cat(`${device(1)}/p`), 'first');
});

t.test('types can do without a name file', async (t) => {
  const files = (on: Host) => on.ls(`${TYPES}/p-a`);
  const all = ['available_instances', 'create', 'device_api', 'devices', 'name', 'weight'];
  t.strictSame(files(host()), all);
  t.strictSame(
    files(host({ names: false })),
    all.filter((name) => name !== 'name'),
  );
});
