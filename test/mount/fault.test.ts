/**
 * Faults as a shell sees them, at a real mount: each is a rule, a command, and what the command says.
 */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { main, mdevfs, mountpoint, plain } from './command.js';
import { noMounts, noNamespaces } from './mounted.js';

const skip = noMounts() ?? false;
const UUID = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
const OTHER = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1002';
const TYPE = 'class/mdev_bus/mtty/mdev_supported_types/mtty-1';
const DEVICE = `bus/mdev/devices/${UUID}`;
const GPU = '0000:3b:00.0';

/** A mount with a device of mtty, and a shell in it. */
function mounted(t: Test) {
  const dir = mountpoint(t);
  t.equal(mdevfs('mount', dir).status, 0);
  writeFileSync(join(dir, TYPE, 'create'), UUID);
  /** What a script prints, to either stream, without the shell's own name. */
  const sh = (script: string): string => {
    const words = [...plain, 'LC_ALL=C', 'timeout', '60', 'bash', '--norc', '-c', `exec 2>&1\n${script}`];
    const { stdout } = spawnSync('env', words, { cwd: dir, encoding: 'utf8' });
    return stdout.replace(/bash: line \d+: /g, '');
  };
  return { dir, sh };
}

/** A rule, a script, and what it prints. */
const faults: [string, string, string][] = [
  [
    'op=read path=available_instances errno=EIO',
    `cat ${TYPE}/available_instances`,
    `cat: ${TYPE}/available_instances: Input/output error\n`,
  ],
  [
    'op=open path=available_instances errno=EACCES',
    `cat ${TYPE}/available_instances`,
    `cat: ${TYPE}/available_instances: Permission denied\n`,
  ],
  [
    'op=open path=class/mdev_bus/*/mdev_supported_types/*/name errno=ENODEV',
    `cat ${TYPE}/name`,
    `cat: ${TYPE}/name: No such device\n`,
  ],
  [
    'op=read path=bus/mdev/devices/83b8*/vendor/* errno=EPERM',
    `cat ${DEVICE}/vendor/sample_mdev_dev`,
    `cat: ${DEVICE}/vendor/sample_mdev_dev: Operation not permitted\n`,
  ],
  [
    'op=read device=83b8* path=uevent errno=ENOMEM',
    `cat ${DEVICE}/uevent`,
    `cat: ${DEVICE}/uevent: Cannot allocate memory\n`,
  ],
  [
    'op=read driver=nvidia path=vendor errno=ETIMEDOUT',
    `cat bus/pci/devices/${GPU}/vendor`,
    `cat: 'bus/pci/devices/${GPU}/vendor': Connection timed out\n`,
  ],
  [
    'op=read path=bus/pci/devices/*/config errno=EIO',
    `head -c 4 bus/pci/devices/${GPU}/config`,
    `head: error reading 'bus/pci/devices/${GPU}/config': Input/output error\n`,
  ],
  [
    'op=read path=available_instances errno=EIO times=1',
    `for n in 1 2; do cat ${TYPE}/available_instances; done`,
    `cat: ${TYPE}/available_instances: Input/output error\n23\n`,
  ],
  [
    'op=open path=available_instances errno=EIO interval=2',
    `for n in 1 2 3 4; do cat ${TYPE}/available_instances; done 2> /dev/null`,
    '23\n23\n',
  ],
  [
    'op=open path=available_instances errno=EIO probability=50 seed=3',
    `for n in 1 2 3 4 5 6 7 8; do cat ${TYPE}/available_instances > /dev/null 2>&1 && echo -n . || echo -n x; done`,
    '.xxx.xxx',
  ],
  [
    'op=read path=available_instances short=1',
    `dd if=${TYPE}/available_instances bs=4096 count=1 status=none`,
    '2',
  ],
  ['op=read path=available_instances short=0', `cat ${TYPE}/available_instances`, ''],
  ['op=read path=device_api short=4', `cat ${TYPE}/device_api`, 'vfio-pci\n'],
  [
    'op=read path=available_instances delay=300',
    `cat ${TYPE}/available_instances & sleep 0.1; cat ${TYPE}/name; wait`,
    'Single port serial\n23\n',
  ],
  [
    'op=write path=create errno=ENOSPC',
    `echo ${OTHER} > ${TYPE}/create; ls bus/mdev/devices`,
    `echo: write error: No space left on device\n${UUID}\n`,
  ],
  [
    'op=write path=create errno=EAGAIN times=1',
    `echo ${OTHER} > ${TYPE}/create || echo ${OTHER} > ${TYPE}/create; ls bus/mdev/devices`,
    `echo: write error: Resource temporarily unavailable\n${UUID}\n${OTHER}\n`,
  ],
  [
    'op=open path=create errno=EROFS',
    `echo ${OTHER} > ${TYPE}/create`,
    `${TYPE}/create: Read-only file system\n`,
  ],
  [
    'op=write path=drivers_probe errno=EINTR',
    `echo ${GPU} > bus/pci/drivers_probe`,
    'echo: write error: Interrupted system call\n',
  ],
  [
    'op=write path=remove errno=EFAULT',
    `echo 1 > ${DEVICE}/remove; ls bus/mdev/devices`,
    `echo: write error: Bad address\n${UUID}\n`,
  ],
  [
    'op=probe driver=mtty errno=ENODEV',
    `echo ${OTHER} > ${TYPE}/create; cat ${TYPE}/available_instances; ls bus/mdev/devices`,
    `echo: write error: No such device\n23\n${UUID}\n`,
  ],
  [
    'op=probe device=*1002 errno=EBUSY',
    `echo ${OTHER} > ${TYPE}/create; ls kernel/iommu_groups | grep -c .`,
    'echo: write error: Device or resource busy\n4\n',
  ],
  [
    'op=probe parent=mtty errno=EPROTO',
    `echo ${OTHER} > ${TYPE}/create; tail -n 1 kernel/debug/mdevfs/kmsg`,
    `echo: write error: Protocol error\nmtty ${OTHER}: probe with driver mtty failed with error -71\n`,
  ],
  [
    'op=probe device=*1002 delay=300',
    `echo ${OTHER} > ${TYPE}/create & sleep 0.1; ls bus/mdev/devices; ls ${TYPE}/devices; wait; ls ${TYPE}/devices`,
    `${UUID}\n${OTHER}\n${UUID}\n${UUID}\n${OTHER}\n`,
  ],
  [
    'op=remove device=83b8* errno=EBUSY log="device is active and hot unplug is not supported"',
    `echo 1 > ${DEVICE}/remove; ls bus/mdev/devices; tail -n 1 kernel/debug/mdevfs/kmsg; echo 1 > ${DEVICE}/remove`,
    `echo: write error: Device or resource busy\n${UUID}\ndevice is active and hot unplug is not supported\necho: write error: Device or resource busy\n`,
  ],
  [
    'op=remove driver=mtty errno=EBUSY times=1',
    `echo 1 > ${DEVICE}/remove; echo 1 > ${DEVICE}/remove; ls bus/mdev/devices`,
    'echo: write error: Device or resource busy\n',
  ],
  [
    'op=remove driver=mtty delay=300',
    `(echo 1 > ${DEVICE}/remove) & sleep 0.1; ls ${DEVICE}/remove; ls bus/mdev/devices; wait; ls bus/mdev/devices`,
    `ls: cannot access '${DEVICE}/remove': No such file or directory\n${UUID}\n`,
  ],
  [
    'op=probe driver=nvidia errno=EIO',
    `echo ${GPU} > bus/pci/drivers/nvidia/unbind; echo ${GPU} > bus/pci/drivers/nvidia/bind; ls class/mdev_bus`,
    'echo: write error: Input/output error\nmtty\n',
  ],
  [
    'op=remove driver=nvidia errno=EBUSY',
    `echo ${GPU} > bus/pci/drivers/nvidia/unbind; ls class/mdev_bus`,
    'mtty\n',
  ],
  [
    'op=ioctl path=/dev/kvm request=KVM_CREATE_VM errno=ENOMEM',
    `echo ${UUID} > kernel/debug/mdevfs/attach`,
    'echo: write error: Cannot allocate memory\n',
  ],
  [
    'op=ioctl path=/dev/vfio/vfio request=VFIO_SET_IOMMU errno=EPERM',
    `echo ${UUID} > kernel/debug/mdevfs/attach`,
    'echo: write error: Operation not permitted\n',
  ],
  [
    'op=ioctl path=/dev/vfio/* request=0x3b71 errno=ENOSPC',
    `echo ${UUID} > kernel/debug/mdevfs/attach`,
    'echo: write error: No space left on device\n',
  ],
  [
    'op=ioctl device=83b8* request=VFIO_GROUP_GET_DEVICE_FD errno=EIO',
    `echo ${UUID} > kernel/debug/mdevfs/attach`,
    'echo: write error: Input/output error\n',
  ],
  [
    'op=ioctl device=83b8* request=VFIO_DEVICE_BIND_IOMMUFD errno=EBUSY',
    `echo ${UUID} iommufd > kernel/debug/mdevfs/attach`,
    'echo: write error: Device or resource busy\n',
  ],
  [
    'op=ioctl path=/dev/iommu request=IOMMU_IOAS_MAP errno=EOVERFLOW',
    `echo ${UUID} iommufd > kernel/debug/mdevfs/attach`,
    'echo: write error: Value too large for defined data type\n',
  ],
  [
    'op=open path=/dev/vfio/vfio errno=ENXIO',
    `echo ${UUID} > kernel/debug/mdevfs/attach`,
    'echo: write error: No such device or address\n',
  ],
];

t.test('each fault is what a command says', { skip }, async (t) => {
  const { dir, sh } = mounted(t);
  for (const [rule, script, expected] of faults) {
    writeFileSync(join(dir, 'kernel/debug/mdevfs/fail'), rule);
    t.equal(sh(script), expected, `${rule}: ${script}`);
    writeFileSync(join(dir, 'kernel/debug/mdevfs/fail'), 'clear');
    // As it was.
    sh(`echo 1 > ${DEVICE}/../${OTHER}/remove`);
    sh(`[ -e ${DEVICE} ] || echo ${UUID} > ${TYPE}/create`);
    sh(`[ -e class/mdev_bus/${GPU} ] || echo ${GPU} > bus/pci/drivers/nvidia/bind`);
    t.equal(
      sh(`ls bus/mdev/devices; cat ${TYPE}/available_instances; ls class/mdev_bus`),
      `${UUID}\n23\n${GPU}\nmtty\n`,
    );
  }
});

t.test('mdevfs fault adds, lists and clears, and says what is wrong', { skip }, async (t) => {
  const { dir, sh } = mounted(t);
  const says = (args: string[], stdout: string, stderr: string, status: number) =>
    t.strictSame(mdevfs('fault', dir, ...args), { status, stdout, stderr }, args.join(' '));
  says([], '', '', 0);
  const rule = '1: op=read path=/sys/class/mdev_bus/mtty/uevent errno=EIO log="a b" hits=0\n';
  says(['add', 'op=read', `path=${dir}/class/mdev_bus/mtty/uevent`, 'errno=EIO', 'log=a b'], rule, '', 0);
  t.equal(sh('cat class/mdev_bus/mtty/uevent'), 'cat: class/mdev_bus/mtty/uevent: Input/output error\n');
  const second = '2: op=remove device=83b8* errno=EBUSY hits=0\n';
  says(['add', 'device=83b8*', 'op=remove', 'errno=EBUSY'], second, '', 0);
  says(['list'], rule.replace('hits=0', 'hits=1') + second, '', 0);
  says(['clear', '1'], '', '', 0);
  says(['list'], second, '', 0);
  says(['clear', '7'], '', `mdevfs: ${dir}: fail: there is no rule 7\n`, 1);
  const meaningless: [string[], string][] = [
    [['add', 'op=read', 'pth=name', 'errno=EIO'], 'add: pth: unknown key (did you mean "path"?)'],
    [['add', 'po=read', 'path=name', 'errno=EIO'], 'add: po: unknown key (did you mean "op"?)'],
    [
      ['add', 'op=raed', 'path=name', 'errno=EIO'],
      'add: op: expected some of open, read, write, mmap, ioctl, probe, remove, with commas between them, got "raed" (did you mean "read"?)',
    ],
    [
      ['add', 'op=read', 'path=name', 'errno=EIO0'],
      'add: errno: expected the name of an errno, such as EBUSY, got "EIO0" (did you mean "EIO"?)',
    ],
    [['add', 'op=read', 'path=a', 'path=b', 'errno=EIO'], 'add: path: expected once, got "b" too'],
    [['add', 'clear'], 'add: expected KEY=VALUE, got "clear"'],
    [['add', 'op=read', 'path=a\nclear'], 'add: expected one line, got "op=read path=\\"a\\nclear\\""'],
    [['clear', 'abc'], 'clear: expected the number of one rule, got "abc"'],
    [['clear', '1', '2'], 'clear: expected the number of one rule, got "1 2"'],
    [['clear', ''], 'clear: expected the number of one rule, got ""'],
    [['list', '1'], 'list: takes no words, got "1"'],
  ];
  for (const [words, why] of meaningless) says(words, '', `mdevfs: fault ${why}\n`, 2);
  says(['list'], second, '', 0);
  says(['clear'], '', '', 0);
  says(['list'], '', '', 0);
  says(['ad'], '', 'mdevfs: [action]: expected add, list or clear, got "ad" (did you mean "add"?)\n', 2);
  says(
    ['add'],
    '',
    'mdevfs: fault add: a rule is missing, such as: op=read path=available_instances errno=EIO\n',
    2,
  );
  const { stderr, status } = mdevfs('fault', '/nowhere');
  t.equal(stderr, 'mdevfs: /nowhere: no such file or directory\n');
  t.equal(status, 2);
  t.match(mdevfs('fault', '/proc'), {
    status: 2,
    stderr: 'mdevfs: /proc: no mounted tree; mdevfs status lists them\n',
  });
});

t.test('what the kernel reads by itself fails too, also while somebody has it open', { skip }, async (t) => {
  const { dir, sh } = mounted(t);
  const path = join(dir, TYPE, 'device_api');
  const ops = join(dir, 'kernel/debug/mdevfs/ops');
  for (let n = 0; n < 3; n++) {
    t.equal(readFileSync(path, 'utf8'), 'vfio-pci\n');
    await sleep(100);
  }
  writeFileSync(ops, '0');
  readFileSync(path);
  t.notMatch(readFileSync(ops, 'utf8'), 'READ', 'it is passed through');
  const cat = `cat ${TYPE}/device_api`;
  const failed = `cat: ${TYPE}/device_api: Input/output error\n`;
  t.equal(
    sh(`exec 3< ${TYPE}/device_api
      echo op=read path=device_api errno=EIO > kernel/debug/mdevfs/fail
      ${cat}
      echo clear > kernel/debug/mdevfs/fail
      ${cat}; cat <&3`),
    [failed, 'vfio-pci\n', 'vfio-pci\n'].join(''),
  );
  t.equal(
    sh(`echo op=read path=device_api errno=EIO times=2 > kernel/debug/mdevfs/fail; ${cat}; ${cat}; ${cat}`),
    [failed, failed, 'vfio-pci\n'].join(''),
  );
});

t.test(
  'in mdevfs run, faults and hot plug are at /sys',
  { skip: skip || (noNamespaces() ?? false) },
  async (t) => {
    const command = `node=$0 main=$1 type=/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1
    $node $main fault /sys add op=read path=$type/available_instances errno=EIO times=1
    for n in 1 2; do LC_ALL=C cat $type/available_instances; done 2>&1
    $node $main unplug /sys ${GPU}; ls /sys/class/mdev_bus
    $node $main plug /sys ${GPU}; ls /sys/class/mdev_bus /sys/class/mdev_bus/${GPU}/mdev_supported_types | head -n 5`;
    const { stdout } = mdevfs('run', '--', 'bash', '-c', command, process.execPath, main);
    const type = '/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1';
    t.equal(
      stdout,
      [
        `1: op=read path=${type}/available_instances errno=EIO times=1 hits=0\n`,
        `cat: ${type}/available_instances: Input/output error\n24\n`,
        'mtty\n',
        `/sys/class/mdev_bus:\n${GPU}\nmtty\n\n/sys/class/mdev_bus/${GPU}/mdev_supported_types:\n`,
      ].join(''),
    );
  },
);
