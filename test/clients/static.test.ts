import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { lacking, mountClients, Shell, scratch, UUID } from './client.js';
import { Session, underRun } from './session.js';

const source = fileURLToPath(new URL('../../../test/clients/sysfs-calls.c', import.meta.url));
const isStatic = (program: string) =>
  !spawnSync('readelf', ['-l', program], { encoding: 'utf8' }).stdout?.includes('INTERP');

t.test('busybox, a static program, sees and changes a mount', { skip: lacking('busybox') }, async (t) => {
  const sh = new Shell(mountClients(t), ['busybox', 'env']);
  t.equal(sh.output('busybox ls $D/class/mdev_bus'), '0.0.0313\n0000:c0:02.0\n0000:c0:03.0\nmatrix\nmtty\n');
  const script = `
    b() { busybox "$@"; }
    b echo -n $U > $D/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create
    b find $D/bus/mdev/devices -type l -exec busybox basename {} ';'
    b readlink $D/bus/mdev/devices/$U
    b cat $D/bus/mdev/devices/$U/mdev_type/name
    b basename $(b readlink $D/bus/mdev/devices/$U/iommu_group)
    b echo 1 > $D/bus/mdev/devices/$U/remove
    b ls $D/bus/mdev/devices/$U`;
  t.match(sh.output(script).split('\n'), [
    UUID,
    `../../../devices/virtual/mtty/mtty/${UUID}`,
    'Single port serial',
    /^\d+$/,
    /No such file or directory$/,
  ]);
});

// A compiler is not part of what the tests need.
if (!lacking('gcc')) {
  const calls = (t: Test): string => {
    const program = join(scratch(t), 'sysfs-calls');
    const compiled = spawnSync('gcc', ['-static', '-O1', '-o', program, source], { encoding: 'utf8' });
    t.equal(compiled.status, 0, compiled.stderr);
    t.ok(isStatic(program));
    return program;
  };
  const expected = `create: ok
entry: ${UUID} type 10
device: ../../../devices/virtual/mtty/mtty/${UUID}
iommu_group: ../../../../../kernel/iommu_groups/N
name: Single port serial
remove: ok
device: No such file or directory
`;
  const numberless = (text: string) => text.replace(/iommu_groups\/\d+$/m, 'iommu_groups/N');

  t.test('a static program in C makes the calls of a manager of virtual machines', async (t) => {
    const program = calls(t);
    const sh = new Shell(mountClients(t));
    t.equal(numberless(sh.output(`${program} $D mtty mtty-1 $U`)), expected);
  });

  t.test('and at /sys under mdevfs run', { skip: lacking('unshare') }, async (t) => {
    const program = calls(t);
    const session = Session.start(t, underRun());
    t.equal(numberless(await session.output(`${program} /sys mtty mtty-1 $U`)), expected);
  });
}
