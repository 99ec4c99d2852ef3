import { readFileSync } from 'node:fs';
import t from 'tap';
import { mdevfs, mountpoint, run, statusOf } from '../mount/command.js';
import { noUserNamespaces, scratchDir } from '../mount/mounted.js';
import { lacking } from './client.js';
import { cdevSays, groupSays, kvmSays } from './vfio-says.js';
import { client, noKvm, python, vfioSession, vgpuIds } from './vfio.js';

const skip = lacking('python3', 'unshare');

for (const options of [[], ['--user']]) {
  const name = ['mdevfs run', ...options].join(' ');
  const refused = options.length > 0 && (noUserNamespaces() ?? false);
  t.test(`clients of VFIO under ${name}`, { skip: refused || skip }, async (t) => {
    const { session, uuids } = await vfioSession(t, options);
    const [first, second] = uuids;
    // Only root of the machine may have memory of a process mapped in place of a file.
    const mapped = options.length === 0;
    t.equal(await session.output(client('group', [first])), groupSays(mapped), 'by container and group');
    t.equal(await session.output(client('cdev', [first, 'node'])), cdevSays(mapped), 'by node and iommufd');

    await t.test('beside the KVM of the machine', { skip: noKvm() }, async (t) => {
      const numbers = `for uuid in ${first} ${second}; do basename $(readlink /sys/bus/mdev/devices/$uuid/iommu_group); done`;
      const groups = (await session.output(numbers)).split('\n');
      const says = kvmSays(groups);
      for (const time of ['first', 'second'])
        t.equal(await session.output(client('kvm', [first, second])), says, `the ${time} VM`);
      t.equal(
        await session.output('cat /sys/kernel/debug/mdevfs/vms /sys/kernel/debug/mdevfs/holders'),
        '',
        'a VM that has ended holds nothing',
      );
    });

    const prefixes = {
      'in a PID namespace': 'unshare --pid --fork --mount-proc',
      'in a user namespace': 'unshare --user --map-root-user',
      'traced by strace': 'strace -f -o /dev/null',
    };
    for (const [where, prefix] of Object.entries(prefixes)) {
      if (lacking(prefix.split(' ')[0]!)) t.comment(`not ${where}, which is not installed`);
      else t.equal(await session.output(client('group', [second], prefix)), groupSays(mapped), where);
    }
  });
}

t.test('clients of VFIO, where only the devices are mounted', { skip }, async (t) => {
  const dev = scratchDir(t);
  const dir = mountpoint(t);
  const { status, stderr } = mdevfs('mount', '-f', 'default', dir, '--dev', dev);
  t.equal(status, 0, stderr);
  const sh = (script: string) =>
    run('sh', ['-c', script], { env: { ...process.env, ...python, SYS: dir, DEV: dev } }).stdout;
  const [uuid] = vgpuIds(1) as [string];
  t.equal(sh(`echo ${uuid} > ${dir}/class/mdev_bus/0000:3b:00.0/mdev_supported_types/nvidia-222/create`), '');
  t.equal(sh(client('cdev', [uuid])), cdevSays(true, false), 'by node and iommufd');
  const byGroup = `
    from vfio import *
    say('device', attempt(open_by_group, '${uuid}'))`.replace(/^ +/gm, '');
  for (let n = 0; n < 2; n++)
    t.equal(sh(`python3 -c "${byGroup}"`), 'device: ENOTTY\n', 'not by container and group');
  t.match(
    readFileSync(statusOf(dir)!.log, 'latin1'),
    /^mdevfs: process \d+ gets no VFIO device: only what mdevfs run starts can be given descriptors\n$/,
    'the log says why, once',
  );
});
